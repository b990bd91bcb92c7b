"""BPE dropout: a word's merges, some of them left out at random (Provilkov et al. 2020, algorithm 1).

Imports no TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from random import Random

_NO_PAIR = -math.inf


def merged(word: str, scores: Mapping[str, float], *, rate: float = 0.0, random: Random | None = None) -> list[str]:
    """The pieces of a word: the best pair merges until none is left, and each is skipped in a turn at random.

    Whether a pair is skipped is drawn when it would be merged, not for all pairs at once, which comes to the same.

    Args:
        scores: of each piece. Of all pairs that make a piece the best-scored merges, of several the leftmost.
        rate: probability of skipping a pair; above 0 it needs `random`.
    """
    pieces = list(word)
    of_pairs = [scores.get(first + second, _NO_PAIR) for first, second in pairwise(pieces)]
    while (place := _next(of_pairs, rate, random)) is not None:
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
        del of_pairs[place]
        for beside in (place - 1, place):
            if 0 <= beside < len(of_pairs):
                of_pairs[beside] = scores.get(pieces[beside] + pieces[beside + 1], _NO_PAIR)
    return pieces


def _next(of_pairs: list[float], rate: float, random: Random | None) -> int | None:
    """The place of the best pair that is not skipped; None where there is none."""
    while (best := max(of_pairs, default=_NO_PAIR)) > _NO_PAIR:
        place = of_pairs.index(best)
        if random is None or random.random() >= rate:
            return place
        of_pairs = [*of_pairs]
        of_pairs[place] = _NO_PAIR
    return None
