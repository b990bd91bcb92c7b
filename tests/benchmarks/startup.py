"""From typing a command to its end: `nmt --help`, and the first translation from a cold start.

python tests/benchmarks/startup.py RUN [--cores 2]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bench import arguments, machine, use_cores

NMT = "import sys; from nmt.cli.main import main; sys.exit(main())"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("run", help="directory of a trained run")
    options = parser.parse_args()
    use_cores(options.cores)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "nmt --help": [sys.executable, "-c", NMT, "--help"],
        "import tensorflow, keras": [sys.executable, "-c", "import tensorflow, keras"],
        "nmt translate, one line": [sys.executable, "-c", NMT, "translate", options.run],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(1 + options.repetitions):
        for name, command in commands.items():
            began_at = time.perf_counter()
            subprocess.run(command, input=b"A dog runs.\n", capture_output=True, check=True)
            if turn:  # the first fills the disk's cache
                seconds[name].append(time.perf_counter() - began_at)
    print(f"\nStart-up, {options.cores} core(s); {machine()}\n")
    print("| | seconds (median) | min - max |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {statistics.median(taken):.2f} | {min(taken):.2f} - {max(taken):.2f} |")


if __name__ == "__main__":
    main()
