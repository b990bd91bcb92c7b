"""Which lines of a test set are worth reading. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LISTED = 6
_HEAT_MAPS = 5
_MAX_PIECES = 40  # on both sides of a heat map: what fits a screen


def extremes(chrf: np.ndarray, lengths: Sequence[int]) -> tuple[list[int], list[int]]:
    """The lines of largest and of smallest chrF, by their places; of equal ones the longer come first.

    Args: chrf float [lines]; lengths: what breaks ties.
    """
    longest = -np.asarray(lengths)
    return _first(np.lexsort([longest, -chrf])), _first(np.lexsort([longest, chrf]))


def differences(chrf: np.ndarray, other: np.ndarray) -> tuple[list[int], list[int]]:
    """The lines whose chrF is most above the other system's, and most below it; only lines that differ."""
    gains = chrf - other
    above, below = _first(np.argsort(-gains, kind="stable")), _first(np.argsort(gains, kind="stable"))
    return [place for place in above if gains[place] > 0], [place for place in below if gains[place] < 0]


def spread(chrf: np.ndarray, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """Lines from the smallest to the largest chrF at equal distances, to see attention at its worst and at its best.

    Args: sizes: pieces of source and of translation; a line is chosen where both are there and fit a screen.
    """
    fitting = [place for place, size in enumerate(sizes) if min(size) > 0 and max(size) <= _MAX_PIECES]
    order = sorted(fitting, key=lambda place: chrf[place])
    steps = np.linspace(0, len(order) - 1, min(_HEAT_MAPS, len(order))).round().astype(int)
    return [order[step] for step in steps]


def _first(order: np.ndarray) -> list[int]:
    return order[:_LISTED].tolist()
