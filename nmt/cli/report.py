"""`nmt report`: a run as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmt.cli.arguments import add_run
from nmt.cli.output_file import output_file
from nmt.startup import import_tensorflow

HELP = "make one HTML page of a run: curves, scores, sentences, attention"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Translates the run's test sets (the validation set where there is none) and writes one HTML file that needs "
        "no network: training curves, scores with confidence intervals, sentences, attention, settings."
    )
    add_run(parser)
    parser.add_argument("--against", metavar="RUN", help="another run, to stand beside it and be compared")
    parser.add_argument("--output", metavar="FILE", help="where to (default: report.html in RUN)")


def execute(options: argparse.Namespace) -> int:
    from nmt.runs.run import Run

    run = Run.open(options.run)
    against = Run.open(options.against) if options.against else None
    try:
        from nmt.report.page import as_page
    except ModuleNotFoundError as error:
        raise ValueError(
            f"nmt report needs {error.name}, which is not installed: pip install matplotlib jinja2"
        ) from None
    output = Path(options.output) if options.output else run.path / "report.html"
    with output_file(output) as file:  # where nothing can be written, that is known before all is translated
        import_tensorflow()
        from nmt.report.gather import gather

        file.write(as_page(gather(run, against)).encode())
    print(output)
    return 0
