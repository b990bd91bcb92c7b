"""What the benchmarks share: contenders in processes of their own, measured in turns, and the table of what came out.

A contender is a command. It prepares itself, says so with a line, and then makes one repetition for each line it reads,
answering with one line of JSON: `work` done (tokens, sentences) and the `seconds` it took. Taking turns makes machines
whose speed drifts bearable: what is compared ran seconds apart, and ratios are taken turn by turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

# Whole systems, each run by a Python of its own: these files in peers/ say how to make it.
PEERS = {"OpenNMT-tf": "opennmt_tf", "Joey NMT": "joey_nmt"}


@dataclass
class Contender:
    """One line of the table: its name and the command that measures it."""

    name: str
    command: Sequence[str]
    speeds: list[float] = field(default_factory=list)  # work a second, one a repetition
    peak_megabytes: float = 0.0


def use_cores(count: int) -> None:
    """Keeps this process, and what it will start, to the first `count` processor cores that it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def answer_repetitions(repetition: Callable[[], float]) -> None:
    """The contender's side: `repetition` does its work once and returns how much it was."""
    repetition()  # compiles, fills caches
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        began_at = time.perf_counter()
        work = repetition()
        print(json.dumps({"work": work, "seconds": time.perf_counter() - began_at}), flush=True)


def measure(contenders: Sequence[Contender], *, repetitions: int, cores: int) -> None:
    """Lets the contenders take turns on the first `cores` processor cores, and notes their speeds.

    One that cannot start, such as a peer that is not installed, or that dies, is reported and has no speeds.
    """
    use_cores(cores)
    with ExitStack() as files:
        running = []
        for contender in contenders:
            # A file, as a pipe that nobody reads fills up, and then who writes waits for ever.
            errors = files.enter_context(tempfile.TemporaryFile("w+"))
            process = subprocess.Popen(
                contender.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": str(cores), "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
            if _answer(process) == "ready":
                running.append((contender, process, errors))
            else:
                _report_death(contender, process, errors)
        for _ in range(repetitions):
            for contender, process, errors in list(running):
                process.stdin.write("\n")
                process.stdin.flush()
                result = _answer(process)
                if isinstance(result, dict):
                    contender.speeds.append(result["work"] / result["seconds"])
                else:
                    running.remove((contender, process, errors))
                    contender.speeds.clear()
                    _report_death(contender, process, errors)
        for contender, process, _ in running:
            with open(f"/proc/{process.pid}/status") as status:
                peak = next(line for line in status if line.startswith("VmHWM"))
            contender.peak_megabytes = int(peak.split()[1]) / 1024
            process.communicate()


def _report_death(contender: Contender, process: subprocess.Popen, errors: IO[str]) -> None:
    process.communicate()
    errors.seek(0)
    last = (errors.read().strip().splitlines() or ["no answer"])[-1]
    print(f"{contender.name}: left out: {last}", file=sys.stderr)


def _answer(process: subprocess.Popen) -> object:
    """The next line that is JSON: libraries print as they like."""
    for line in process.stdout:
        try:
            return json.loads(line)
        except ValueError:
            continue
    return None


def print_table(title: str, unit: str, contenders: Sequence[Contender], *, against: Sequence[str]) -> None:
    """A Markdown table; `against` names the contenders that all are compared with, turn by turn."""
    measured = {contender.name: contender for contender in contenders if contender.speeds}
    against = [name for name in against if name in measured]
    print(f"\n{title}\n")
    header = ["", f"{unit} (median)", "min - max", *(f"x {name}" for name in against), "peak MB"]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for contender in measured.values():
        speeds = contender.speeds
        ratios = [
            statistics.median(a / b for a, b in zip(speeds, measured[name].speeds, strict=True)) for name in against
        ]
        cells = [
            contender.name,
            f"{statistics.median(speeds):,.4g}",
            f"{min(speeds):,.4g} - {max(speeds):,.4g}",
            *(f"{ratio:.2f}" for ratio in ratios),
            f"{contender.peak_megabytes:,.0f}",
        ]
        print("| " + " | ".join(cells) + " |")


def arguments(description: str, *, repetitions: int = 7) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--repetitions", type=int, default=repetitions, help=f"turns of each contender ({repetitions})")
    parser.add_argument("--cores", type=int, default=1, help="processor cores each may use (1)")
    parser.add_argument("--contender", help=argparse.SUPPRESS)  # this process is one
    return parser


def add_systems(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a comparison of whole systems: our precisions, and the Python of each of PEERS."""
    both = ("float32", "bfloat16")
    help_ = "of our matrix products (both); where a processor has no bfloat16 instructions, that takes for ever"
    parser.add_argument("--precisions", nargs="+", choices=both, default=both, help=help_)
    for name, file in PEERS.items():
        help_ = f"the Python of an environment with {name}, see peers/{file}.py"
        parser.add_argument(f"--{file.replace('_', '-')}", help=help_, metavar="PYTHON")


def compare_systems(
    options: argparse.Namespace,
    script: str,
    *,
    title: str,
    unit: str,
    arrays: Mapping[str, object],
    flags: Sequence[object],
    peer_flags: Sequence[object] = (),
    others: Sequence[str] = (),
    other_work: Sequence[tuple[str, str, Mapping[str, object]]] = (),
) -> None:
    """Lets our precisions, the limits of these, `others` and the peers that there are take turns; prints the table.

    Args:
        script: makes itself "nmt PRECISION", "matmul PRECISION" or one of `others`, when it is called with `flags`.
        arrays: the work, for the peers, which are called with a file of it and `peer_flags` (see answer_as_peer).
        others: the last one is what all are compared with.
        other_work: name, one of PEERS, arrays: more contenders, peers with work of their own.
    """
    ours, limits = ([f"{system} {precision}" for precision in options.precisions] for system in ("nmt", "matmul"))
    contenders = [Contender(name, contender_command(script, name, *flags)) for name in (*ours, *others, *limits)]
    peers = [*((name, name, arrays) for name in PEERS), *other_work]
    with ExitStack() as files:
        for name, system, its_arrays in peers:
            file = PEERS[system]
            if python := getattr(options, file):
                work = files.enter_context(tempfile.NamedTemporaryFile(suffix=".npz"))
                np.savez(work, **its_arrays)
                work.flush()
                contenders.append(Contender(name, peer_command(python, file, work.name, *peer_flags)))
        measure(contenders, repetitions=options.repetitions, cores=options.cores)
    title = f"{title}, {options.cores} core(s); {machine()}"
    print_table(title, unit, contenders, against=[ours[0], *(name for name, *_ in peers), *others[-1:], *limits])


def answer_as_peer(training: Callable[..., Callable], translating: Callable[..., Callable]) -> None:
    """The side of a peer: `training(path, weights)` and `translating(path, beam_size, rows, weights)` prepare, and
    return a repetition. `weights` is a file or None: a training writes it when its repetition is over, a translation
    reads it and returns the ids that it found, one list a sentence (see text.py).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("arrays", help="what train.py, translate.py or text.py has saved")
    parser.add_argument("--beam-size", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--weights")
    parser.add_argument("--translations")
    options = parser.parse_args()
    if options.beam_size:
        repetition = translating(options.arrays, options.beam_size, options.rows, options.weights)
        if options.translations:
            answer_translations(repetition, options.translations)
        else:
            answer_repetitions(repetition)
    elif options.weights:
        training(options.arrays, options.weights)()
    else:
        answer_repetitions(training(options.arrays, None))


def peer_command(python: str, file: str, *options: object) -> list[str]:
    """The command that makes `python`, of a peer's environment, run one of peers/."""
    return [python, str(Path(__file__).parent / "peers" / f"{file}.py"), *map(str, options)]


def source_batches(ids: np.ndarray, rows: int) -> list[np.ndarray]:
    """Sentences int32 [sentences, time], padded with 0, in batches of `rows`, each as wide as its longest one."""
    parts = [ids[start : start + rows] for start in range(0, len(ids), rows)]
    return [part[:, : np.count_nonzero(part, axis=1).max()] for part in parts]


def answer_translations(translate: Callable[[], list[list[int]]], file: str) -> None:
    """As answer_repetitions, of one that returns the ids of its translations: writes those to `file`, too."""

    def repetition() -> int:
        found = translate()
        Path(file).write_text(json.dumps(found))
        return len(found)

    answer_repetitions(repetition)


def contender_command(script: str, name: str, *options: object) -> list[str]:
    """The command that makes a process of `script` the contender `name`."""
    return [sys.executable, script, "--contender", name, *map(str, options)]


def machine() -> str:
    with open("/proc/cpuinfo") as cpuinfo:
        lines = list(cpuinfo)
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    extensions = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{model}, {os.cpu_count()} cores, {' '.join(extensions)}; Python {platform.python_version()}"
