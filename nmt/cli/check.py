"""`nmt check`: what is wrong in a job's files, before training."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_config

HELP = "look for what is wrong in a job's files before training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.api import check

    report = check(options.config, overrides=options.overrides)
    print(report)
    return 1 if report.errors else 0
