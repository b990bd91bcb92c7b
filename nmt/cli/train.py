"""`nmt train`: trains a job, or continues where it was stopped."""

from __future__ import annotations

import argparse
import sys

from nmt.cli.arguments import add_config
from nmt.startup import import_tensorflow

HELP = "train a job, or continue where it was stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config

    config = load_config(options.config, options.overrides)
    import_tensorflow()
    from nmt.training.loop import Interrupted
    from nmt.training.train import train

    try:
        train(config)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    return 0
