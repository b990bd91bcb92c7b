"""Pairs of lines, whatever they are kept in: two aligned text files, or one file of both sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar

from nmt.config.data import TextPair
from nmt.text.lines import count_lines, read_lines
from nmt.text.pair_files import read_file, summarize

Item = TypeVar("Item")


def count_pairs(pair: TextPair) -> int:
    """Number of pairs. Reads all of them once, so afterwards they are known to be readable.

    Raises:
        ValueError: if two files differ in their number of lines (names both), or as `read_lines` and `read_file`.
    """
    if pair.file is not None:
        return summarize(pair).pairs
    return aligned(pair, *(count_lines(pair.files[side]) for side in ("source", "target")))


def aligned(pair: TextPair, sources: int, targets: int) -> int:
    """The number of pairs in two text files of so many lines.

    Raises:
        ValueError: if they differ (names both).
    """
    if sources != targets:
        raise ValueError(
            f"{pair.source} has {sources:,} lines but {pair.target} has {targets:,}: line n of one must be the "
            f"translation of line n of the other. Find where they part before training on them."
        )
    return sources


def no_pairs(pair: TextPair) -> str:
    """What to say of a set without pairs."""
    if pair.file is None:
        return f"{pair.name} are empty"
    return f"{pair.name} has no pair that can be used: {summarize(pair)}"


def read_pairs(pair: TextPair) -> Iterator[tuple[str, str]]:
    """Yields (source line, target line); all of them are never in memory.

    Raises:
        ValueError: as `count_pairs`, before the first pair.
    """
    count_pairs(pair)
    if pair.file is not None:
        yield from read_file(pair)
    else:
        yield from zip(*(read_lines(pair.files[side]) for side in ("source", "target")), strict=True)


def read_side(pair: TextPair, side: Literal["source", "target"]) -> Iterator[str]:
    """Yields the lines of one side.

    Raises:
        ValueError: as `read_lines` and `read_file`.
    """
    if pair.file is not None:
        yield from (lines[side == "target"] for lines in read_file(pair))
    else:
        yield from read_lines(pair.files[side])


def evenly(items: Iterable[Item], *, total: int, keep: int) -> Iterator[Item]:
    """At most `keep` of the `total` items, evenly spaced; reads all of them."""
    for position, item in enumerate(items):
        if is_chosen(position, total=total, keep=keep):
            yield item


def is_chosen(position: int, *, total: int, keep: int) -> bool:
    """Whether `evenly` yields the item at a position, from 0."""
    return total <= keep or (position + 1) * keep // total > position * keep // total
