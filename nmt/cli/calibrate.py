"""`nmt calibrate`: fits the confidence of a run's translations."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_run
from nmt.startup import import_tensorflow

HELP = "fit the confidence of a run's translations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Translates the validation set with the run's best weights and fits confidence on it, as the end of a training "
        "does; prints how reliable it is on lines it was not fitted on."
    )
    add_run(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.runs.run import Run

    run = Run.open(options.run)
    import_tensorflow()
    from nmt.translation.calibrate import calibrate_run

    print(calibrate_run(run))
    return 0
