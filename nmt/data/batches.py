"""Batches of token ids, and which items make a batch."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from nmt.text.tokenizer import BOS, EOS, PAD

# Matrix products are fastest on whole vector registers.
_ROWS = 8


class Batch(NamedTuple):
    """Token ids, int32 [batch, time], padded with PAD; the mask is always `ids != PAD`."""

    source: np.ndarray  # pieces + EOS
    target_in: np.ndarray  # BOS + pieces
    target_out: np.ndarray  # pieces + EOS


def make_batch(sources: Iterable[Sequence[int]], targets: Iterable[Sequence[int]]) -> Batch:
    """Pads ids (without BOS and EOS) to a Batch of their longest."""
    targets = [list(ids) for ids in targets]
    return Batch(
        source=_pad([[*ids, EOS] for ids in sources]),
        target_in=_pad([[BOS, *ids] for ids in targets]),
        target_out=_pad([[*ids, EOS] for ids in targets]),
    )


def token_batches(lengths: Sequence[int] | Sequence[tuple[int, int]] | np.ndarray, budget: int) -> list[list[int]]:
    """Groups items of similar length so that rows x longest stays within a token budget.

    Args:
        lengths: [items] or [items, sides], in tokens (EOS included where there is one). Sorted by the last side first.
        budget: rows x longest side of a batch; one item longer than that is a batch of its own.

    Returns:
        The items' indices in groups, shortest first, each index once; rows are a multiple of 8 where there are as many.
    """
    sides = np.asarray(lengths, dtype=np.int64)  # [items] or [items, sides]
    sides = sides[:, None] if sides.ndim == 1 else sides
    order = np.lexsort(sides.T)  # [items]
    groups: list[list[int]] = []
    group: list[int] = []
    longest = 0
    for index, length in zip(order.tolist(), sides.max(axis=1, initial=0)[order].tolist(), strict=True):
        if group and (len(group) + 1) * max(longest, length) > budget:
            rows = len(group) // _ROWS * _ROWS or len(group)
            groups.append(group[:rows])
            group = group[rows:]
            longest = max((int(sides[member].max()) for member in group), default=0)
            # Beside a much longer item, even the rest of the group may exceed the budget.
            if group and (len(group) + 1) * max(longest, length) > budget:
                groups.append(group)
                group, longest = [], 0
        group.append(index)
        longest = max(longest, length)
    return [*groups, group] if group else groups


def batch_sizes(counts: Sequence[int] | np.ndarray, budget: int) -> list[int]:
    """Rows of each batch that items sorted by length are cut into, within a token budget, as by `token_batches`.

    Args:
        counts: [longest + 1], how many items have each length, in tokens.
    """
    lengths = np.repeat(np.arange(len(counts)), counts)  # [items], ascending
    sizes: list[int] = []
    start = 0
    while start < len(lengths):
        candidates = lengths[start : start + max(1, budget // max(1, int(lengths[start])))]
        fitting = candidates * np.arange(1, len(candidates) + 1) <= budget  # True up to some row, False behind it
        rows = max(1, int(np.count_nonzero(fitting)))
        if start + rows < len(lengths):
            rows = rows // _ROWS * _ROWS or rows
        sizes.append(rows)
        start += rows
    return sizes


def cut_further(sizes: Sequence[int], count: int) -> list[int]:
    """Rows of `count` batches: those of `sizes` in their order, the largest cut in equal parts; some may have none."""
    parts = [1] * len(sizes)
    largest = [(-float(rows), place) for place, rows in enumerate(sizes)]
    heapq.heapify(largest)
    for _ in range(count - len(sizes) if sizes else 0):
        _, place = largest[0]
        parts[place] += 1
        heapq.heapreplace(largest, (-sizes[place] / parts[place], place))
    cut = [(rows + part) // number for rows, number in zip(sizes, parts, strict=True) for part in range(number)]
    return cut or [0] * count


def _pad(rows: list[list[int]]) -> np.ndarray:
    ids = np.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=np.int32)  # [batch, time]
    for row, padded in zip(rows, ids, strict=True):
        padded[: len(row)] = row
    return ids
