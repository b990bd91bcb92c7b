"""`nmt info`: what a run is and how far it came."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_run

HELP = "tell what a run is and how far it came"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.onnx_engine.files import is_onnx_export
    from nmt.onnx_engine.info import describe_export
    from nmt.runs.info import describe_run
    from nmt.runs.run import Run

    print(describe_export(options.run) if is_onnx_export(options.run) else describe_run(Run.open(options.run)))
    return 0
