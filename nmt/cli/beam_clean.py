"""`nmt beam clean`: what `nmt clean` does, by any number of machines."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_beam, add_config, needing
from nmt.cli.clean import add_output, output_directory, report

HELP = "clean a job's corpora on a runner of Apache Beam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the files that `nmt clean` writes, byte by byte, by as many workers as a runner of Apache Beam has. "
        "They all read the corpora and write to DIR, so these have to be in a file system that they share."
    )
    add_config(parser)
    add_output(parser)
    add_beam(parser)


def execute(options: argparse.Namespace) -> int:
    with needing("nmt beam clean", "beam,clean"):
        from nmt.beam.clean import clean
        from nmt.cleaning.page import as_page  # noqa: F401  (before hours of work that end without a report)
        from nmt.config.file import load_config
    config = load_config(options.config, options.overrides)
    output = output_directory(options)
    report(options.config, config, output, clean(config, output, options.beam))
    return 0
