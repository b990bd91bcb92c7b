"""The lexical shortlist in NumPy: see search/shortlist.py, which lists the same pieces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nmt.search.definitions import IMPOSSIBLE
from nmt.text.tokenizer import BOS, FIRST_SYMBOL, PAD

BLOCK = 64  # columns


class Columns(NamedTuple):
    """The columns of the output layer that a batch needs, in whole blocks, for graphs that rank by blocks.

    ids: int32 [columns], the token of each. The first ids, which rules are about, fill the first blocks alone;
        the others follow. Both are ascending, and PAD fills up what is left of either.
    choices: float32 [batch, columns], 0 or -inf, added to logits: which ones a row may use. -inf where PAD fills up.
    """

    ids: np.ndarray
    choices: np.ndarray


def make_columns(
    source: np.ndarray,
    lexicon: np.ndarray,
    *,
    size: int,
    vocabulary: int,
    first_ids: int,
    num_symbols: int,
    prefix: np.ndarray,
) -> Columns:
    """Lists the `size` likeliest translations of each source piece, the most frequent pieces, and what must be there.

    Args:
        source: int32 [batch, source_time], padded with PAD.
        lexicon: int32 [source vocabulary, lexicon.LISTED].
        vocabulary: number of target pieces.
        first_ids: so many ids from 0 on stand apart.
        num_symbols: so many ids from FIRST_SYMBOL on, and the joiner after them, are always there.
        prefix: int32 [batch, prefix_time]: pieces that will be written in any case.
    """
    listed = np.zeros([len(source), vocabulary], bool)
    rows = np.arange(len(source))[:, np.newaxis]
    listed[rows, lexicon[source, :size].reshape(len(source), -1)] = True
    listed[rows, prefix] = True
    listed[:, : FIRST_SYMBOL + num_symbols + 1] = True
    listed[:, lexicon[BOS]] = True
    others = first_ids + np.flatnonzero(listed[:, first_ids:].any(axis=0))
    ids = np.concatenate([_in_blocks(np.arange(first_ids)), _in_blocks(others)]).astype(np.int32)
    choices = np.where(listed[:, ids], np.float32(0.0), np.float32(IMPOSSIBLE))
    choices[:, 1:][:, ids[1:] == PAD] = IMPOSSIBLE
    return Columns(ids, choices)


def _in_blocks(ids: np.ndarray) -> np.ndarray:
    return np.pad(ids, (0, -len(ids) % BLOCK), constant_values=PAD)
