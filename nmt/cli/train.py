"""`nmt train`: trains a job, or continues where it was stopped."""

from __future__ import annotations

import argparse
import sys

from nmt.cli.arguments import add_config

HELP = "train a job, or continue where it was stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.api import train
    from nmt.training.cluster import TRY_AGAIN
    from nmt.training.interrupted import Interrupted, WorkerLostError

    try:
        train(options.config, overrides=options.overrides)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    except WorkerLostError as error:
        print(f"nmt: error: {error}", file=sys.stderr)
        return TRY_AGAIN
    return 0
