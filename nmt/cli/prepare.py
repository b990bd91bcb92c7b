"""`nmt prepare`: what `nmt train` reads, made in advance."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from nmt.cli.arguments import add_config, positive

if TYPE_CHECKING:
    from nmt.data.preparation import Prepared

HELP = "prepare the data that training begins with"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Trains the tokenizer of a new run, and writes the token ids of its first epoch in the form that training "
        "reads. `nmt train` does this itself; in advance it needs no accelerator, and training then begins at once."
    )
    add_config(parser)
    parser.add_argument("--processes", type=positive, metavar="N", help="at a time (default: one a core)")


def execute(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config
    from nmt.training.prepare import prepare

    config = load_config(options.config, options.overrides)
    report(options, prepare(config, processes=options.processes))
    return 0


def report(options: argparse.Namespace, prepared: Prepared) -> None:
    """Prints what was prepared, and the command that trains on it."""
    print(f"{prepared.report}\n{prepared.num_batches:,} batches in {prepared.directory}")
    arguments = [options.config, *(part for override in options.overrides for part in ("--set", override))]
    print(f"  nmt train {shlex.join(arguments)}\ntrains on them.")
