"""The work of `nmt score`: how probable given translations are, line by line.

Imports TensorFlow only where the files can be read.
"""

from __future__ import annotations

import math
import sys
from itertools import islice

from nmt.cli.input import WINDOW_LINES
from nmt.config.settings import TextPair
from nmt.runs.run import Run
from nmt.startup import import_tensorflow
from nmt.text.files import count_pairs, read_pairs


def score_files(run: Run, pair: TextPair, *, weights: str) -> None:
    """Prints the log-probability of each target line given its source line; the perplexity of all on stderr.

    Raises:
        ValueError: for files that cannot be read or differ in their line counts, and weights that are not there.
    """
    count_pairs(pair)
    import_tensorflow()
    from nmt.translation.ensemble import load_translator

    translator = load_translator([run], weights=weights)
    pairs, log_probability, pieces = read_pairs(pair), 0.0, 0
    while window := list(islice(pairs, WINDOW_LINES)):
        for scores in translator.score(*zip(*window, strict=True)):
            print(f"{scores.sum():.4f}")
            log_probability += float(scores.sum())
            pieces += len(scores)
    perplexity = math.exp(-log_probability / max(1, pieces))
    print(f"perplexity {perplexity:.4f} of {pieces:,} pieces", file=sys.stderr)
