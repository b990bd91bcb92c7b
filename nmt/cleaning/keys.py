"""64-bit keys of lines: equal lines have equal keys, and other lines practically never do. Imports no TensorFlow."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from nmt.corpus.held_out import comparable


class Keys(NamedTuple):
    """Of a pair as it is, and of its sides without case, punctuation and spaces: unsigned, 64 bits."""

    pair: int
    near_pair: int
    source: int
    target: int


DTYPE = np.dtype([(field, np.uint64) for field in Keys._fields])


def key(*lines: str) -> int:
    """Of one line, or of several in their order."""
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def keys_of(source: str, target: str) -> Keys:
    """Where nothing is left of a line (it is all punctuation), it is compared as it is."""
    source_key, target_key = (key(comparable(line) or line) for line in (source, target))
    return Keys(key(source, target), key(f"{source_key} {target_key}"), source_key, target_key)
