"""The lexical shortlist in NumPy: see search/shortlist.py, which lists the same pieces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nmt.text.tokenizer import BOS, FIRST_SYMBOL, PAD


class Columns(NamedTuple):
    """The columns of the output layer that a batch needs, and which of them each row may use.

    ids: int32 [columns], the token of each: the first ids, which rules are about, then others, ascending. The last
        column is of no token, and has the id PAD.
    own: int32 [batch, width], columns of each row: the first ids, then others, ascending. The last column stands for
        first ids that the row may not use, and fills up.
    """

    ids: np.ndarray
    own: np.ndarray


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
    ids = np.concatenate([np.arange(first_ids), others, [PAD]]).astype(np.int32)
    row, place = listed[:, others].nonzero()
    counts = np.bincount(row, minlength=len(source))
    own = np.full([len(source), first_ids + counts.max(initial=0)], len(ids) - 1, np.int32)
    own[:, :first_ids] = np.where(listed[:, :first_ids], np.arange(first_ids), len(ids) - 1)
    own[row, first_ids + np.arange(len(row)) - (counts.cumsum() - counts)[row]] = first_ids + place
    return Columns(ids, own)
