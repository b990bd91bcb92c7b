"""Which of millions of keys occurred before, in bounded memory. Imports no TensorFlow."""

from __future__ import annotations

from typing import IO

import numpy as np

from nmt.cleaning.keys import DTYPE

# Keys that are sorted at a time, 48 bytes each, and keys that are read at a time.
_BUCKET_KEYS = 2_000_000
_BLOCK_KEYS = 250_000


class StoredKeys:
    """One field of keys in a file (DTYPE), read part by part: pages of a mapped file would count as memory in use."""

    def __init__(self, file: IO[bytes], field: str) -> None:
        self._file, self._field = file, field

    def __getitem__(self, part: slice) -> np.ndarray:
        self._file.seek(part.start * DTYPE.itemsize)
        return np.fromfile(self._file, DTYPE, part.stop - part.start)[self._field]


def repeated(
    keys: np.ndarray | StoredKeys, kept: np.ndarray, *, limit: int = 1, bucket_keys: int = _BUCKET_KEYS
) -> np.ndarray:
    """True where at least `limit` kept places before have the same key.

    Args:
        keys: uint64 [pairs].
        kept: bool [pairs], the places that count.

    Returns: bool [pairs], False where not kept.
    """
    found = np.zeros(len(kept), bool)
    buckets = -(-len(kept) // bucket_keys)
    for bucket in range(buckets):
        places, values = [], []
        for start in range(0, len(kept), _BLOCK_KEYS):
            block = keys[start : start + _BLOCK_KEYS]
            chosen = np.flatnonzero(kept[start : start + _BLOCK_KEYS] & (block % np.uint64(buckets) == bucket))
            places.append(start + chosen)
            values.append(block[chosen])
        found[_behind(np.concatenate(places), np.concatenate(values), limit)] = True
    return found


def _behind(places: np.ndarray, values: np.ndarray, limit: int) -> np.ndarray:
    """Those of the places, ascending, that have at least `limit` equal values before them."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    before = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    return places[order[before >= limit]]
