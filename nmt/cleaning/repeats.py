"""Which of millions of keys occurred before, in bounded memory. Imports no TensorFlow."""

from __future__ import annotations

import numpy as np

# Keys that are sorted at a time, 24 bytes each.
_BUCKET_KEYS = 4_000_000


def repeated(keys: np.ndarray, kept: np.ndarray, *, limit: int = 1, bucket_keys: int = _BUCKET_KEYS) -> np.ndarray:
    """True where at least `limit` kept places before have the same key; the keys may be on disk (`np.memmap`).

    Args:
        keys: uint64 [pairs].
        kept: bool [pairs], the places that count.

    Returns: bool [pairs], False where not kept.
    """
    found = np.zeros(len(keys), bool)
    buckets = -(-len(keys) // bucket_keys)
    for bucket in range(buckets):
        places = np.concatenate(
            [
                start + np.flatnonzero(kept[start : start + bucket_keys] & (block % np.uint64(buckets) == bucket))
                for start in range(0, len(keys), bucket_keys)
                for block in [np.asarray(keys[start : start + bucket_keys])]
            ]
        )
        values = keys[places]
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        before = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)  # equal keys at places before
        found[places[order[before >= limit]]] = True
    return found
