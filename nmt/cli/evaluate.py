"""`nmt evaluate`: translates test sets and scores them."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from nmt.cli.arguments import add_ensemble, add_run, add_set, add_weights
from nmt.cli.output_file import output_file

HELP = "translate test sets and score them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Translates test sets of the run's config and scores them with BLEU, chrF and TER."
    add_run(parser)
    add_weights(parser)
    add_ensemble(parser)
    parser.add_argument(
        "--test",
        metavar="NAME",
        action="append",
        default=[],
        help='one of data.test, or "validation"; may be repeated (default: all of data.test)',
    )
    parser.add_argument("--against", metavar="RUN_OR_FILE", help="another run, or its output, to compare with")
    parser.add_argument("--json", metavar="FILE", help="write the report there, too")
    add_set(parser, "a setting of search, such as search.beam_size=8")


def execute(options: argparse.Namespace) -> int:
    from nmt.api import evaluate
    from nmt.runs.run import Run

    run = Run.open(options.run)
    with ExitStack() as stack:
        # Opened first: where nothing can be written, that is known before all is translated.
        output = stack.enter_context(output_file(options.json)) if options.json else None
        report = evaluate(
            run,
            test_sets=options.test,
            against=options.against,
            ensemble=options.ensemble,
            weights=options.weights,
            overrides=options.overrides,
        )
        print(report)
        if output:
            output.write(report.as_json().encode())
    return 0
