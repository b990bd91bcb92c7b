"""`nmt beam prepare`: what `nmt prepare` does, by any number of machines."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_beam, add_config, needing
from nmt.cli.prepare import report

HELP = "prepare a job's data on a runner of Apache Beam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the files that `nmt prepare` writes, byte by byte, by as many workers as a runner of Apache Beam has. "
        "They all read the corpora and write to the run, so these have to be in a file system that they share."
    )
    add_config(parser)
    add_beam(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config

    with needing("nmt beam prepare", "beam"):
        from nmt.beam.prepare import prepare
    report(options, prepare(load_config(options.config, options.overrides), options.beam))
    return 0
