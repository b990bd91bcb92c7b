"""From typing a command to its end, and its memory: `nmt --help`, the first translation, a training's first step.

python tests/benchmarks/startup.py [RUN] [--onnx EXPORT] [--train CONFIG] [--cores 2]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from bench import arguments, machine, use_cores

NMT = "import sys; from nmt.cli.main import main; sys.exit(main())"

# Trains until the first step is done.
FIRST_STEP = """
import os, sys
from nmt.startup import import_tensorflow
import_tensorflow()
import keras, nmt
leave = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: os._exit(0))
nmt.train(sys.argv[1], overrides=sys.argv[2:], callbacks=[leave])
"""


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", help="directory of a trained run")
    parser.add_argument("--onnx", action="append", default=[], metavar="DIR", help="an ONNX export; may be repeated")
    parser.add_argument("--train", action="append", default=[], metavar="CONFIG", help="a job; may be repeated")
    options = parser.parse_args()
    use_cores(options.cores)
    with tempfile.TemporaryDirectory() as folder:
        measure(options, folder)


def measure(options: argparse.Namespace, folder: str) -> None:
    nmt = [sys.executable, "-c", NMT]
    translators = [path for path in (options.run, *options.onnx) if path]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "nmt --help": [*nmt, "--help"],
        "import tensorflow, keras": [sys.executable, "-c", "import tensorflow, keras"],
        "import numpy, onnxruntime": [sys.executable, "-c", "import numpy, onnxruntime"],
        **{f"nmt translate {path}, one line": [*nmt, "translate", path] for path in translators},
    }
    for number, config in enumerate(options.train):
        run_of_it = f"run={folder}/{number}"
        subprocess.run([*nmt, "prepare", config, "--set", run_of_it], check=True, stdout=subprocess.DEVNULL)
        commands[f"nmt train {config}, to the first step"] = [sys.executable, "-c", FIRST_STEP, config, run_of_it]
    taken: dict[str, list[Taken]] = {name: [] for name in commands}
    for turn in range(1 + options.repetitions):
        for name, command in commands.items():
            one = run(command)
            if turn:  # the first fills the disk's cache
                taken[name].append(one)
    print(f"\nStart-up, {options.cores} core(s); {machine()}\n")
    print("| | seconds (median) | min - max | processor seconds | peak MB |\n|---|---|---|---|---|")
    for name, each in taken.items():
        seconds, processor, peaks = zip(*each, strict=True)
        print(
            f"| {name} | {statistics.median(seconds):.2f} | {min(seconds):.2f} - {max(seconds):.2f} "
            f"| {statistics.median(processor):.2f} | {max(peaks):.0f} |"
        )


class Taken(NamedTuple):
    """What a command took until its end."""

    seconds: float
    processor: float  # seconds
    peak: float  # MB


def run(command: list[str]) -> Taken:
    began_at = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(b"A dog runs.\n")
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Taken(time.perf_counter() - began_at, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
