"""`nmt init`: a corpus -> a config that suits it, or that fine-tunes a run with it."""

from __future__ import annotations

import argparse
import sys

from nmt.startup import import_tensorflow

HELP = "look at a corpus and write a config that suits it"

_CLEANED_PAIRS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Looks at a corpus and writes a config that suits it, each setting with its reason. Where no validation set is "
        "given, pairs are held out for one and for a test set, into files beside the config; yours stay as they are."
    )
    parser.add_argument("--source", metavar="FILE", help="source lines (plain or compressed)")
    parser.add_argument("--target", metavar="FILE", help="their translations, line by line")
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="instead of both, one file with both sides: TMX, XLIFF, PO, TSV, CSV, JSONL, Parquet",
    )
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-language", metavar="CODE", help=f"such as en (default: --{side}'s name tells it)"
        )
    parser.add_argument(
        "--from",
        dest="from_run",
        metavar="RUN",
        help="fine-tune RUN: the config trains it on with the new pairs and as many of its own",
    )
    for part in ("validation", "test"):
        for side in ("source", "target"):
            parser.add_argument(f"--{part}-{side}", metavar="FILE", help=f"a {part} set of your own")
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="measure how fast this machine trains, and train no longer"
    )
    parser.add_argument(
        "--output",
        metavar="DIR_OR_FILE",
        help="directory for config.yaml and the sets, or the .yaml file itself (default: named by the languages)",
    )


def execute(options: argparse.Namespace) -> int:
    from nmt.corpus.initialize import initialize
    from nmt.corpus.plan import Request

    print(initialize(Request(**vars(options)), steps_per_minute=_steps_per_minute, would_clean=_would_clean))
    return 0


def _steps_per_minute(config) -> float:
    import_tensorflow()
    from nmt.training.pace import steps_per_minute

    print(f"Measuring how fast this machine trains a model of {config.model.units} units ...", file=sys.stderr)
    return steps_per_minute(config)


def _would_clean(config) -> str:
    try:
        from nmt.cleaning.corpora import clean
        from nmt.cleaning.summary import as_text
    except ModuleNotFoundError as error:
        return f"What `nmt clean` would remove it can only tell with {error.name}: pip install 'recurrent-nmt[clean]'"
    return f"What `nmt clean` would remove of the first pairs\n{as_text(clean(config, first=_CLEANED_PAIRS))}"
