"""The guard: where a translation loops, vanishes or never ends, a second search under stricter rules, or else a flag.

Each row's best hypothesis is judged by three laws, relative to its source, so that what repeats itself by right may:
    repetition  it has more repeated triples of pieces than search.guard_max_repeats plus twice the source's own;
    length      nothing, fewer pieces than search.guard_min_length_ratio allows, or cut off by the search's own limit;
    coverage    less than search.guard_min_coverage of the source was read: no step gave a piece READ of its attention.
A row that breaks one is searched for again under the rules of `stricter`. Of both results the one with fewer faults is
kept, of equals the one with the higher score, with its whole n-best list. A sample is judged only: it stays as drawn.
docs/architecture.md says what the laws rest on.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.search.definitions import MANY_IDS, NGRAM, READ, Hypotheses, stricter
from nmt.search.rules import length_limits
from nmt.text.tokenizer import EOS, PAD

# Source int32 [rows, source_time], options, prefix int32 [rows, prefix_time] or None -> what is found;
# where options.guard is on, weights and faults too.
Search = Callable[[tf.Tensor, SearchConfig, tf.Tensor | None], Hypotheses]


def guarded_search(search: Search, source: tf.Tensor, options: SearchConfig, *, prefix: tf.Tensor | None) -> Hypotheses:
    """What `search` finds, and with fewer faults where options.guard is on and it can be had.

    Outside a graph the second search is called, and so traced, only where there is something to mend.

    Args: source int32 [batch, source_time], padded with PAD; prefix as in search.beam_search.
    """
    found = search(source, options, prefix)
    if options.sampling or not options.guard:
        return found
    rows = tf.where(tf.reduce_any(found.faults, axis=1))[:, 0]  # [faulty]

    def again() -> Hypotheses:
        some, start = tf.gather(source, rows), None if prefix is None else tf.gather(prefix, rows)
        second = search(some, stricter(options), start)
        first = tf.nest.map_structure(lambda field: tf.gather(field, rows), found)
        fewer = _num_faults(first) - _num_faults(second)
        better = (fewer > 0) | ((fewer == 0) & (second.scores[:, 0] > first.scores[:, 0]))
        second = tf.nest.map_structure(lambda field: tf.boolean_mask(field, better), second)
        return _replace_rows(found, tf.boolean_mask(rows, better), second)

    return tf.cond(tf.size(rows) > 0, again, lambda: found)


def find_faults(
    source: tf.Tensor, found: Hypotheses, options: SearchConfig, *, prefix: tf.Tensor | None = None
) -> tf.Tensor:
    """Which laws each row's best hypothesis breaks: bool [batch, faults], in the order of faults.FAULTS.

    Args: source int32 [batch, source_time]; found by a search under `options`, with weights; prefix as it was given.
    """
    lengths = found.lengths[:, 0]
    source_lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32)  # [batch], EOS included
    repetition = num_repeats(found.tokens[:, 0]) > options.guard_max_repeats + 2 * num_repeats(source)
    fewest = tf.cast(tf.floor(options.guard_min_length_ratio * tf.cast(source_lengths, tf.float32)), tf.int32)
    _, most = length_limits(source_lengths, options, prefix=prefix)
    something = source_lengths > 1
    length = something & ((lengths <= 1) | (lengths < fewest) | (lengths >= most))
    assert found.weights is not None
    coverage = something & (share_read(source, found.weights[:, 0]) < options.guard_min_coverage)
    return tf.stack([repetition, length, coverage], axis=1)


def num_repeats(tokens: tf.Tensor) -> tf.Tensor:
    """How many triples of pieces were there before in the same row: int32 [batch], of tokens int32 [batch, time]."""
    count = tf.maximum(tf.shape(tokens)[1] - NGRAM + 1, 0)
    first, second, third = (tf.cast(tokens[:, place : place + count], tf.int64) for place in range(NGRAM))
    triples = (first * MANY_IDS + second) * MANY_IDS + third  # [batch, count]
    unique = -1 - tf.range(tf.cast(count, tf.int64))
    in_order = tf.sort(tf.where(third == PAD, unique, triples), axis=1)
    return tf.math.count_nonzero(in_order[:, 1:] == in_order[:, :-1], axis=1, dtype=tf.int32)


def share_read(source: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The share of each row's source pieces that some step gave READ of its attention or more: float32 [batch].

    Args: source int32 [batch, source_time]; weights float32 [batch, time, source_time].
    """
    piece = (source != PAD) & (source != EOS)  # [batch, source_time]
    read = piece & (tf.reduce_max(weights, axis=1) >= READ)
    pieces = tf.math.count_nonzero(piece, axis=1, dtype=tf.float32)
    return tf.math.divide_no_nan(tf.math.count_nonzero(read, axis=1, dtype=tf.float32), pieces)


def _num_faults(found: Hypotheses) -> tf.Tensor:
    return tf.math.count_nonzero(found.faults, axis=1, dtype=tf.int32)


def _replace_rows(found: Hypotheses, rows: tf.Tensor, others: Hypotheses) -> Hypotheses:
    """`found` with `others` in the places `rows`; time stays that of the longest."""

    def replaced(old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
        return tf.tensor_scatter_nd_update(old, rows[:, tf.newaxis], new)

    lengths = replaced(found.lengths, others.lengths)
    time = tf.maximum(tf.reduce_max(lengths), 1)
    assert found.weights is not None
    assert others.weights is not None
    return Hypotheses(
        tokens=replaced(_fit(found.tokens, time), _fit(others.tokens, time)),
        scores=replaced(found.scores, others.scores),
        log_probabilities=replaced(found.log_probabilities, others.log_probabilities),
        lengths=lengths,
        weights=replaced(_fit(found.weights, time), _fit(others.weights, time)),
        faults=replaced(found.faults, others.faults),
    )


def _fit(field: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
    """[batch, n, any time, ...] cut or padded to [batch, n, time, ...]: PAD is 0, and there nothing is read."""
    cut = field[:, :, :time]
    after = [[0, 0]] * (len(field.shape) - 3)
    return tf.pad(cut, [[0, 0], [0, 0], [0, time - tf.shape(cut)[2]], *after])
