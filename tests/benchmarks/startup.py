"""From typing a command to its end, and its memory: `nmt --help`, and the first translation from a cold start.

python tests/benchmarks/startup.py RUN [--onnx EXPORT] [--cores 2]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from bench import arguments, machine, use_cores

NMT = "import sys; from nmt.cli.main import main; sys.exit(main())"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("run", help="directory of a trained run")
    parser.add_argument("--onnx", action="append", default=[], metavar="DIR", help="an ONNX export; may be repeated")
    options = parser.parse_args()
    use_cores(options.cores)
    nmt = [sys.executable, "-c", NMT]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "nmt --help": [*nmt, "--help"],
        "import tensorflow, keras": [sys.executable, "-c", "import tensorflow, keras"],
        "import numpy, onnxruntime": [sys.executable, "-c", "import numpy, onnxruntime"],
        "nmt translate, one line": [*nmt, "translate", options.run],
        **{f"nmt translate {export}, one line": [*nmt, "translate", export] for export in options.onnx},
    }
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
