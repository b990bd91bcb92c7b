"""The pairs of an epoch in the order in which they are prepared: all corpora, each spread evenly over the epoch.

Imports no TensorFlow.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from nmt.config.data import Corpus
from nmt.config.settings import Config
from nmt.text.files import count_pairs, read_pairs

_DRAWS = 10_000  # at a time: the same numbers as one by one, sooner


class Pair(NamedTuple):
    """A pair of lines, and the number of its corpus in data.train."""

    corpus: int
    source: str
    target: str


class Source(NamedTuple):
    """What the pairs of a corpus are read from: how many there are, and what reads them from a number on, from 0."""

    pairs: int
    read: Callable[[int], Iterator[tuple[str, str]]]

    @classmethod
    def of(cls, corpus: Corpus) -> Source:
        """All of its files.

        Raises:
            ValueError: as `count_pairs`.
        """
        return cls(count_pairs(corpus), lambda first: islice(read_pairs(corpus), first, None))


def count_mixed(config: Config, sources: Sequence[Source] | None = None) -> int:
    """Pairs of an epoch, weights included.

    Args:
        sources: of the corpora; None = their files.

    Raises:
        ValueError: as `count_pairs`.
    """
    return sum(_totals(config, sources or _files(config)))


def mixed_pairs(
    config: Config, epoch: int, *, first: int = 0, sources: Sequence[Source] | None = None
) -> Iterator[Pair]:
    """All corpora's pairs, each corpus in its own order, spread evenly over the epoch.

    Args:
        first: the pair to begin with; what lies before is not read where the sources can begin anywhere.
        sources: as of `count_mixed`.

    Raises:
        ValueError: as `read_pairs`.
    """
    sources = sources or _files(config)
    totals = _totals(config, sources)

    def placed(number: int, start: int) -> Iterator[tuple[float, int, Pair]]:
        random = np.random.default_rng([config.seed, epoch, number])
        pairs = _repeated(sources[number], totals[number], random, start)
        for position, (source, target) in enumerate(pairs, start=start):
            yield _place(position, totals[number]), number, Pair(number, source, target)

    # Positions of one corpus differ, and so do the corpora's numbers: pairs themselves are never compared.
    for _, _, pair in heapq.merge(*(placed(number, start) for number, start in enumerate(before(totals, first)))):
        yield pair


def before(totals: Sequence[int], first: int) -> list[int]:
    """How many pairs of each corpus come before the pair `first` of the epoch, by arithmetic alone.

    Args:
        totals: the pairs of each corpus in the epoch.
    """

    def key(number: int, position: int) -> tuple[float, int]:
        return _place(position, totals[number]), number

    def rank(number: int, position: int) -> int:
        """The place of a corpus's pair in the epoch."""
        own = key(number, position)
        return sum(bisect_left(range(total), own, key=partial(key, other)) for other, total in enumerate(totals))

    return [bisect_left(range(total), first, key=partial(rank, number)) for number, total in enumerate(totals)]


def _files(config: Config) -> list[Source]:
    return list(map(Source.of, config.data.train))


def _totals(config: Config, sources: Sequence[Source]) -> list[int]:
    corpora = zip(sources, config.data.train, strict=True)
    return [round(source.pairs * corpus.weight) for source, corpus in corpora]


def _place(position: int, total: int) -> float:
    return (position + 0.5) / total


def _repeated(source: Source, needed: int, random: np.random.Generator, first: int) -> Iterator[tuple[str, str]]:
    """So many pairs: whole passes, then a random part of the right size; `first` of all these are left out."""
    while needed >= source.pairs > 0:
        if first < source.pairs:
            yield from source.read(first)
        first = max(0, first - source.pairs)
        needed -= source.pairs
    chosen = islice(_chosen(source.pairs, needed, random), first, None)
    wanted = next(chosen, None)
    pairs = enumerate(source.read(wanted), start=wanted) if wanted is not None else iter(())
    for number, pair in pairs:
        if number == wanted:
            yield pair
            wanted = next(chosen, None)
            if wanted is None:
                return


def _chosen(pairs: int, needed: int, random: np.random.Generator) -> Iterator[int]:
    """Exactly `needed` of the numbers of pairs, at random and in order (Knuth's algorithm S)."""
    for start in range(0, pairs, _DRAWS):
        draws = random.random(min(_DRAWS, pairs - start)).tolist()
        for seen, draw in enumerate(draws, start=start):
            if draw * (pairs - seen) < needed:
                needed -= 1
                yield seen
        if not needed:
            return
