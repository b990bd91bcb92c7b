"""How fast each stage from a corpus to translations is, and how its memory grows with the number of pairs.

Pairs are made up from a seed (generated_pairs.py) in a temporary directory. Each stage is a command in a process of its
own; memory is the largest sum, over it and the processes that it starts, of their shares of resident pages (PSS), read
twice a second. The model is small, so that what grows with the corpus shows beside it. Translated are as many lines as
there are pairs, or --lines of them, by an export to ONNX.

python tests/benchmarks/scale.py [--pairs 100000 1000000 10000000] [--stages clean prepare train export translate]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import machine
from generated_pairs import write_pairs

_STEPS = 100
_SECONDS_BETWEEN = 0.5


class Usage(NamedTuple):
    """What a command took, with the processes that it started."""

    seconds: float
    processor_seconds: float
    peak_mebibytes: float
    written_bytes: int  # what lies in the job's directory more than before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--stages", nargs="+", default=["clean", "prepare", "train", "export", "translate"])
    parser.add_argument("--lines", type=int, default=100_000, help="lines to translate at most")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", nargs="+", default=[], dest="overrides", metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.overrides}; {machine()}\n")
    print(
        "| stage | pairs or lines | seconds | a second | processor µs each | peak MiB | bytes written each |\n|---|"
        + "---|" * 6
    )
    for _ in range(options.repetitions):
        for pairs in options.pairs:
            with tempfile.TemporaryDirectory() as folder:
                lines = min(pairs, options.lines)
                measure(Path(folder), pairs, lines, options.stages, options.seed, options.overrides)


def measure(folder: Path, pairs: int, lines: int, stages: list[str], seed: int, overrides: list[str]) -> None:
    """Runs the stages on so many pairs, and prints a row for each; training one says how long its first step took."""
    config = write_job(folder, pairs, lines, seed)
    settings = [part for override in overrides for part in ("--set", override)]
    commands = {
        "clean": ["clean", config, "--output", folder / "cleaned", *settings],
        "prepare": ["prepare", config, *settings],
        "train": ["train", config, *settings],
        "export": ["export", folder / "run", folder / "onnx", "--format", "onnx"],
        "translate": ["translate", folder / "onnx", folder / "lines.en", "--output", folder / "translated"],
    }
    for stage in stages:
        size = lines if stage == "translate" else pairs
        usage = run([sys.executable, "-m", "nmt", *map(str, commands[stage])], folder)
        cells = [
            stage,
            f"{size:,}",
            f"{usage.seconds:,.0f}",
            f"{size / usage.seconds:,.0f}",
            f"{1e6 * usage.processor_seconds / size:,.0f}",
            f"{usage.peak_mebibytes:,.0f}",
            f"{usage.written_bytes / size:,.0f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
        if stage == "train":
            print(f"| | | {speed_of_training(folder / 'run')} | | | | |", flush=True)


def write_job(folder: Path, pairs: int, lines: int, seed: int) -> Path:
    """The corpora, and the config of a job that trains a small model on them for a moment."""
    files = {
        name: write_pairs(folder, name, size, seed=number)
        for number, (name, size) in enumerate({"train": pairs, "validation": 200, "lines": lines}.items(), start=seed)
    }
    content = {
        "run": str(folder / "run"),
        "source_language": "en",
        "target_language": "de",
        "data": {"train": [files["train"]], "validation": files["validation"]},
        "tokenizer": {"vocabulary_size": 4_000},
        "model": {"embedding_size": 64, "units": 64},
        "training": {"max_steps": _STEPS, "validate_every": _STEPS},
    }
    config = folder / "job.yaml"
    config.write_text(json.dumps(content))
    return config


def run(command: list[str], folder: Path) -> Usage:
    """Runs a command, and stops if it fails."""
    before, began_at = size_of(folder), time.perf_counter()
    children = os.times()
    peak = 0
    with open(folder / "output", "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        while process.poll() is None:
            peak = max(peak, sum(map(resident, tree(process.pid))))
            time.sleep(_SECONDS_BETWEEN)
    if process.returncode:
        sys.exit(f"{command} failed:\n{(folder / 'output').read_text()[-2000:]}")
    after = os.times()
    processor = after.children_user + after.children_system - children.children_user - children.children_system
    return Usage(time.perf_counter() - began_at, processor, peak / 2**20, size_of(folder) - before)


def tree(root: int) -> Iterator[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    waiting = [root]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children.get(process, [])


def resident(process: int) -> int:
    """Bytes of a process's resident pages, of pages that several processes share its part."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def speed_of_training(directory: Path) -> str:
    """Seconds until the first step had run, and the speed of the last ones."""
    lines = [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["event"] == "train"]
    return f"first report after {steps[0]['seconds']:.0f} s, then {steps[-1]['tokens_per_second']:,.0f} target tokens/s"


if __name__ == "__main__":
    main()
