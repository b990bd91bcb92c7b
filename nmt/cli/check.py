"""`nmt check`: what is wrong in a job's files, before training."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_config

HELP = "look for what is wrong in a job's files before training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config
    from nmt.corpus.check import check

    report = check(load_config(options.config, options.overrides))
    print(report)
    return 1 if report.errors else 0
