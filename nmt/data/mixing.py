"""The pairs of an epoch in the order in which they are prepared: all corpora, each spread evenly over the epoch.

Imports no TensorFlow.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nmt.config.data import Corpus
from nmt.config.settings import Config
from nmt.text.files import count_pairs, read_pairs


class Pair(NamedTuple):
    """A pair of lines, and the number of its corpus in data.train."""

    corpus: int
    source: str
    target: str


def count_mixed(config: Config) -> int:
    """Pairs of an epoch, weights included.

    Raises:
        ValueError: as `count_pairs`.
    """
    return sum(_weighted(count_pairs(corpus), corpus.weight) for corpus in config.data.train)


def mixed_pairs(config: Config, epoch: int) -> Iterator[Pair]:
    """All corpora's pairs, each corpus in its own order, spread evenly over the epoch.

    Raises:
        ValueError: as `read_pairs`.
    """

    def placed(number: int, corpus: Corpus) -> Iterator[tuple[float, int, Pair]]:
        total = _weighted(count_pairs(corpus), corpus.weight)
        random = np.random.default_rng([config.seed, epoch, number])
        for position, (source, target) in enumerate(_repeated(corpus, random)):
            yield (position + 0.5) / total, number, Pair(number, source, target)

    # Positions of one corpus differ, and so do the corpora's numbers: pairs themselves are never compared.
    for _, _, pair in heapq.merge(*(placed(number, corpus) for number, corpus in enumerate(config.data.train))):
        yield pair


def _weighted(pairs: int, weight: float) -> int:
    return round(pairs * weight)


def _repeated(corpus: Corpus, random: np.random.Generator) -> Iterator[tuple[str, str]]:
    """The pairs `weight` times: whole passes, then a random part of exactly the right size (Knuth's algorithm S)."""
    pairs = count_pairs(corpus)
    needed = _weighted(pairs, corpus.weight)
    while needed >= pairs > 0:
        yield from read_pairs(corpus)
        needed -= pairs
    if needed:
        for seen, pair in enumerate(read_pairs(corpus)):
            if random.random() * (pairs - seen) < needed:
                needed -= 1
                yield pair
