"""`nmt beam translate`: what `nmt translate` does with files of lines, by any number of machines."""

from __future__ import annotations

import argparse
import sys
from itertools import takewhile

from nmt.cli.arguments import add_set, needing
from nmt.cli.translate import degenerate_lines, truncated_line

HELP = "translate files of lines on a runner of Apache Beam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [options] MODEL FILE [FILE ...] --output PATH [-- OPTION ...]"
    parser.description = (
        "Writes what `nmt translate` writes, one line for each line, by as many workers as a runner of Apache Beam "
        "has. After a failure the same command goes on where it was. MODEL, the files and PATH have to be in a file "
        "system that all workers share."
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="MODEL FILE [FILE ...] [-- OPTION ...]",
        help="an export or a run, and the files; then options of Apache Beam, such as --runner=FlinkRunner (default: "
        "Beam's runner in this process)",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="PATH",
        help="a directory for files of the same names; for one FILE also a file",
    )
    add_set(parser, "a setting of search, such as search.beam_size=8")


def execute(options: argparse.Namespace) -> int:
    model, *files = takewhile(lambda path: not path.startswith("--"), options.paths)
    if not files:
        raise ValueError("no file to translate: `nmt beam translate --help` tells what to give")
    with needing("nmt beam translate", "beam"):
        from nmt.beam.translate import translate
    arguments = options.paths[1 + len(files) :]
    for done in translate(model, files, options.output, overrides=options.overrides, arguments=arguments):
        print(f"{done.output}: {done.lines:,} lines")
        for number in done.truncated:
            print(truncated_line(number), file=sys.stderr)
        if done.degenerate:
            print(degenerate_lines(done.degenerate, done.lines), file=sys.stderr)
    return 0
