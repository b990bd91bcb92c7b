"""From typing a command to its end, and its memory: `nmt --help`, and the first translation from a cold start.

python tests/benchmarks/startup.py RUN [--onnx EXPORT] [--cores 2]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

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
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    peaks: dict[str, float] = dict.fromkeys(commands, 0.0)
    for turn in range(1 + options.repetitions):
        for name, command in commands.items():
            taken, peak = run(command)
            peaks[name] = max(peaks[name], peak)
            if turn:  # the first fills the disk's cache
                seconds[name].append(taken)
    print(f"\nStart-up, {options.cores} core(s); {machine()}\n")
    print("| | seconds (median) | min - max | peak MB |\n|---|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {statistics.median(taken):.2f} | {min(taken):.2f} - {max(taken):.2f} | {peaks[name]:.0f} |")


def run(command: list[str]) -> tuple[float, float]:
    """Seconds until a command ends, and its peak memory in MB."""
    began_at = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(b"A dog runs.\n")
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - began_at, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
