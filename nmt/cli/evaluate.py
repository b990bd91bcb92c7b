"""`nmt evaluate`: translates test sets and scores them."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmt.cli.arguments import add_ensemble, add_run, add_set, add_weights
from nmt.startup import import_tensorflow

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
    from nmt.config.resuming import override_run
    from nmt.runs.run import Run

    run = Run.open(options.run)
    search = override_run(run.config, options.overrides).search
    if options.json:
        open(options.json, "a").close()  # where nothing can be written, that is known before all is translated
    import_tensorflow()
    from nmt.evaluation.evaluate import evaluate

    report = evaluate(
        run,
        test_sets=options.test,
        options=search,
        against=options.against,
        weights=options.weights,
        ensemble=[Run.open(path) for path in options.ensemble],
    )
    print(report)
    if options.json:
        Path(options.json).write_text(report.as_json(), encoding="utf-8")
    return 0
