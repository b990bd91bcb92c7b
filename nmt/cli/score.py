"""`nmt score`: how probable given translations are, line by line."""

from __future__ import annotations

import argparse
import math
import sys
from itertools import islice

from nmt.cli.arguments import add_run, add_weights
from nmt.cli.input import WINDOW_LINES

HELP = "tell how probable given translations are"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints the log-probability of each target line given its source line; the perplexity on stderr."
    )
    add_run(parser)
    add_weights(parser)
    parser.add_argument("source", metavar="SOURCE", help="file of source lines (plain or compressed)")
    parser.add_argument("target", metavar="TARGET", help="file of their translations (plain or compressed)")


def execute(options: argparse.Namespace) -> int:
    from nmt.api import load
    from nmt.config.data import TextPair
    from nmt.text.files import count_pairs, read_pairs

    pair = TextPair(source=options.source, target=options.target)
    count_pairs(pair)
    translator = load(options.run, weights=options.weights)
    pairs, log_probability, pieces = read_pairs(pair), 0.0, 0
    while window := list(islice(pairs, WINDOW_LINES)):
        for scores in translator.score(*zip(*window, strict=True)):
            print(f"{scores.sum():.4f}")
            log_probability += float(scores.sum())
            pieces += len(scores)
    perplexity = math.exp(-log_probability / max(1, pieces))
    print(f"perplexity {perplexity:.4f} of {pieces:,} pieces", file=sys.stderr)
    return 0
