"""The guard in NumPy: the laws and the second search of search/guard.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nmt.config.search import SearchConfig
from nmt.numpy_search.rules import length_limits
from nmt.search.definitions import MANY_IDS, NGRAM, READ, Hypotheses, stricter
from nmt.text.tokenizer import EOS, PAD

# Source int32 [rows, source_time], options, prefix int32 [rows, prefix_time] or None -> what is found;
# where options.guard is on, weights and faults too.
Search = Callable[[np.ndarray, SearchConfig, np.ndarray | None], Hypotheses]


def guarded_search(
    search: Search, source: np.ndarray, options: SearchConfig, *, prefix: np.ndarray | None
) -> Hypotheses:
    """What `search` finds, and with fewer faults where options.guard is on and it can be had.

    Args: source int32 [batch, source_time], padded with PAD; prefix as in search.beam_search.
    """
    found = search(source, options, prefix)
    if options.sampling or not options.guard or not found.faults.any():
        return found
    rows = np.flatnonzero(found.faults.any(axis=1))
    second = search(source[rows], stricter(options), None if prefix is None else prefix[rows])
    fewer = found.faults[rows].sum(axis=1) - second.faults.sum(axis=1)
    better = (fewer > 0) | ((fewer == 0) & (second.scores[:, 0] > found.scores[rows, 0]))
    return _replace_rows(found, rows[better], Hypotheses(*(field[better] for field in second)))


def find_faults(
    source: np.ndarray, found: Hypotheses, options: SearchConfig, *, prefix: np.ndarray | None = None
) -> np.ndarray:
    """Which laws each row's best hypothesis breaks: bool [batch, faults], in the order of faults.FAULTS.

    Args: source int32 [batch, source_time]; found by a search under `options`, with weights; prefix as it was given.
    """
    lengths = found.lengths[:, 0]
    source_lengths = np.count_nonzero(source != PAD, axis=1)  # [batch], EOS included
    repetition = num_repeats(found.tokens[:, 0]) > options.guard_max_repeats + 2 * num_repeats(source)
    fewest = np.floor(np.float32(options.guard_min_length_ratio) * source_lengths.astype(np.float32))
    _, most = length_limits(source_lengths, options, prefix=prefix)
    something = source_lengths > 1
    length = something & ((lengths <= 1) | (lengths < fewest) | (lengths >= most))
    coverage = something & (share_read(source, found.weights[:, 0]) < np.float32(options.guard_min_coverage))
    return np.stack([repetition, length, coverage], axis=1)


def num_repeats(tokens: np.ndarray) -> np.ndarray:
    """How many triples of pieces were there before in the same row: int [batch], of tokens int32 [batch, time]."""
    count = max(tokens.shape[1] - NGRAM + 1, 0)
    first, second, third = (tokens[:, place : place + count].astype(np.int64) for place in range(NGRAM))
    triples = (first * MANY_IDS + second) * MANY_IDS + third  # [batch, count]
    in_order = np.sort(np.where(third == PAD, -1 - np.arange(count), triples), axis=1)
    return np.count_nonzero(in_order[:, 1:] == in_order[:, :-1], axis=1)


def share_read(source: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of each row's source pieces that some step gave READ of its attention or more: float32 [batch].

    Args: source int32 [batch, source_time]; weights float32 [batch, time, source_time].
    """
    piece = (source != PAD) & (source != EOS)  # [batch, source_time]
    read = np.count_nonzero(piece & (weights.max(axis=1) >= np.float32(READ)), axis=1)
    return (read / np.maximum(np.count_nonzero(piece, axis=1), 1)).astype(np.float32)


def _replace_rows(found: Hypotheses, rows: np.ndarray, others: Hypotheses) -> Hypotheses:
    """`found` with `others` in the places `rows`; time becomes that of the longest."""
    lengths = found.lengths.copy()
    lengths[rows] = others.lengths
    time = int(lengths.max(initial=1))

    def replaced(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        changed = _fit(old, time) if old.ndim > 2 else old.copy()
        changed[rows] = _fit(new, time) if new.ndim > 2 else new
        return changed

    return Hypotheses(*map(replaced, found, others))


def _fit(field: np.ndarray, time: int) -> np.ndarray:
    """[batch, n, any time, ...] as a copy of `time`, cut or padded: PAD is 0, and there nothing is read."""
    fitted = np.zeros([*field.shape[:2], time, *field.shape[3:]], field.dtype)
    both = min(time, field.shape[2])
    fitted[:, :, :both] = field[:, :, :both]
    return fitted
