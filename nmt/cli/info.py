"""`nmt info`: what a run is and how far it came."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_run

HELP = "tell what a run is and how far it came"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.runs.info import describe_run
    from nmt.runs.run import Run

    print(describe_run(Run.open(options.run)))
    return 0
