"""`nmt augment`: text in one language -> synthetic pairs, and the config that trains on them."""

from __future__ import annotations

import argparse
import shlex
import sys

from nmt.cli.arguments import add_set

HELP = "make more training pairs by translating text, and the config that trains on them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Translates text in the target language back and text in the source language forward, leaves out what looks "
        "wrong, and writes pairs to train on, report.json and config.yaml, which mixes them with the job's own corpora "
        "and trains its run on. The same command goes on where it was stopped."
    )
    parser.add_argument("job", metavar="RUN_OR_CONFIG", help="what is to be trained with more pairs")
    parser.add_argument("--output", required=True, metavar="DIR", help="directory for all that is made")
    for option, what in (("back", "from the target to the source language"), ("forward", "the other way")):
        parser.add_argument(
            f"--{option}",
            nargs="+",
            action="append",
            default=[],
            metavar="RUN",
            help=f"a run, export or server that translates {what}; several runs = an ensemble; given again = each "
            "makes its own pairs",
        )
    for side, option in (("target", "back"), ("source", "forward")):
        parser.add_argument(
            f"--{side}-text",
            nargs="+",
            default=[],
            metavar="FILE",
            help=f"what --{option} translates (plain or compressed); default: that side of the job's corpora",
        )
    parser.add_argument(
        "--tag",
        metavar="TAG",
        help="a tag before the sources that --back makes, such as <back>",
    )
    parser.add_argument(
        "--min-confidence", type=float, metavar="C", help="leave out translations of a lower confidence, 0 to 1"
    )
    add_set(parser, "a setting of search, such as search.beam_size=1")


def execute(options: argparse.Namespace) -> int:
    from nmt.synthetic.augment import augment
    from nmt.synthetic.request import Request, config_file

    request = Request(**vars(options))
    was_there = config_file(request).exists()
    print(augment(request, progress=_say))
    kept = " (it was there before, and stays as it is: delete it to have it written anew)" if was_there else ""
    print(f"The next training{kept}:\n  nmt train {shlex.quote(str(config_file(request)))}")
    return 0


def _say(name: str, done: int, lines: int) -> None:
    print(f"{name}: {done:,} of {lines:,} lines", file=sys.stderr, flush=True)
