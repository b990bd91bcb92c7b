"""What a search may write next, and what a hypothesis is worth: the part beam search and sampling share.

Passes over the [rows, vocab] scores of a step are what a search costs. So what rules say of the first few ids stands
apart (Continuations), and what they say of other tokens changes single elements by index, only where an option asks for
it. Where an element-wise rule has nothing to say it points at PAD, whose score nothing reads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.search.definitions import IMPOSSIBLE, LEAST_COVERAGE, length_penalty
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD


class Rules(NamedTuple):
    """What the options mean for each source row of a batch. Lengths count EOS."""

    options: SearchConfig
    minimum: tf.Tensor  # int32 [batch]
    maximum: tf.Tensor  # int32 [batch]
    largest_penalty: tf.Tensor  # float32 [batch], length_penalty of the maximum
    max_time: tf.Tensor  # int32 [], the largest maximum
    prefix: tf.Tensor | None  # int32 [batch, max_time], padded with PAD
    required: tf.Tensor | None  # int32 [batch, symbols], how often the ids from FIRST_SYMBOL on must be written
    source_mask: tf.Tensor  # bool [batch, 1, source_time], True = real

    @property
    def num_symbols(self) -> int:
        return 0 if self.required is None else self.required.shape[1]


def length_limits(
    source_lengths: tf.Tensor,
    options: SearchConfig,
    *,
    prefix: tf.Tensor | None = None,
    required: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The fewest and the most tokens, EOS included, that a translation of each source may have.

    Args: source_lengths int32 [batch], pieces with EOS, 0 = there is nothing to translate; prefix int32 [batch,
        prefix_time], padded with PAD; required int32 [batch, symbols], see search.beam_search.
    Returns: minimum int32 [batch]; maximum int32 [batch], with room for the prefix, what is required, and EOS.
    """
    lengths = tf.cast(source_lengths, tf.float32)
    minimum = tf.cast(tf.floor(options.min_length_ratio * lengths), tf.int32)
    maximum = tf.cast(tf.math.ceil(options.max_length_ratio * lengths), tf.int32) + options.max_length_extra
    maximum = tf.where(source_lengths > 0, maximum, 0)
    needed = tf.ones_like(maximum)
    if prefix is not None:
        needed += tf.math.count_nonzero(prefix != PAD, axis=1, dtype=tf.int32)
    if required is not None:
        given = 0 if prefix is None else count_symbols(prefix, required.shape[1])
        needed += tf.reduce_sum(tf.maximum(required - given, 0), axis=1)
    return minimum, tf.maximum(maximum, needed)


def count_symbols(tokens: tf.Tensor, num_symbols: int) -> tf.Tensor:
    """How often each symbol stands in `tokens` int32 [..., time]: int32 [..., symbols]."""
    return tf.reduce_sum(tf.one_hot(tokens - FIRST_SYMBOL, num_symbols, dtype=tf.int32), axis=-2)


def make_rules(
    source_lengths: tf.Tensor,
    source_time: tf.Tensor | int,
    options: SearchConfig,
    *,
    prefix: tf.Tensor | None,
    required: tf.Tensor | None,
) -> Rules:
    """The rules of a batch; arguments as in search.beam_search."""
    minimum, maximum = length_limits(source_lengths, options, prefix=prefix, required=required)
    max_time = tf.maximum(tf.reduce_max(maximum), 1)  # the largest of an empty batch is negative
    if prefix is not None:
        prefix = prefix[:, :max_time]
        prefix = tf.pad(prefix, [[0, 0], [0, max_time - tf.shape(prefix)[1]]], constant_values=PAD)  # [batch, max_time]
    source_mask = tf.sequence_mask(source_lengths, source_time)[:, tf.newaxis]  # [batch, 1, source_time]
    largest_penalty = length_penalty(tf.cast(maximum, tf.float32), options)
    return Rules(options, minimum, maximum, largest_penalty, max_time, prefix, required, source_mask)


def rules_of_rows(rules: Rules, rows: tf.Tensor) -> Rules:
    """The rules of `rows` int32 [some] of the batch."""
    fields = ("minimum", "maximum", "largest_penalty", "prefix", "required", "source_mask")
    there = {name: value for name in fields if (value := getattr(rules, name)) is not None}
    return rules._replace(**{name: tf.gather(value, rows) for name, value in there.items()})


class Continuations(NamedTuple):
    """What each hypothesis ranks with each token added. As one table it would take several passes to make.

    special: float32 [rows, ids], of the tokens of these first ids; -inf where one is forbidden.
    base: float32 [rows, 1]: any other token ranks base + scores[token].
    scores: float32 or bfloat16 [rows, vocab], -inf where a repetition is forbidden.
    forced: int32 [batch, 1], the only token there is, ranked in PAD's place; PAD = there are all. None = likewise.
    """

    special: tf.Tensor
    base: tf.Tensor
    scores: tf.Tensor
    forced: tf.Tensor | None

    def table(self) -> tf.Tensor:
        """All ranks: float32 [rows, vocab]."""
        others = tf.cast(self.scores[:, self.special.shape[1] :], tf.float32)
        return tf.concat([self.special, self.base + others], axis=1)

    def written(self, places: tf.Tensor) -> tf.Tensor:
        """The tokens whose ranks stand at `places` int32 [batch, size]."""
        return places if self.forced is None else tf.where(places == PAD, self.forced, places)


def rank_continuations(
    scores: tf.Tensor, so_far: tf.Tensor, *, written: tf.Tensor, missing: Any, time: tf.Tensor, rules: Rules
) -> Continuations:
    """What every hypothesis would rank with every token added.

    Args:
        scores: float32 or bfloat16 [rows, vocab], what each next token adds.
        so_far: float32 [batch, size], what the hypotheses have without it.
        written: int32 [batch, size, max_time], their first `time` tokens, padded with PAD.
        missing: int32 [batch, size, symbols], what is required and not yet written; () where nothing is.
    """
    goes_on = (time + 1 < rules.maximum)[:, tf.newaxis]  # [batch, 1]
    may_end = (time + 1 >= rules.minimum)[:, tf.newaxis] | ~goes_on
    forced, free = None, tf.ones_like(goes_on)
    if rules.required is not None:
        # What is missing keeps its steps to the end: when no others are left, nothing else may be written.
        owed = tf.reduce_sum(missing, axis=2)  # [batch, size]
        goes_on = time + 1 + owed < rules.maximum[:, tf.newaxis]
        may_end &= owed == 0
    if rules.prefix is not None:
        forced = rules.prefix[:, time, tf.newaxis]  # [batch, 1]
        free = forced == PAD
        goes_on, may_end = goes_on & free, may_end & free

    def by_row(tensor: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.broadcast_to(tensor, tf.shape(so_far)), [-1, 1])  # [batch, 1 or size] -> [rows, 1]

    def base(allowed: tf.Tensor) -> tf.Tensor:
        return by_row(tf.where(allowed, so_far, IMPOSSIBLE))  # [rows, 1]

    scores = _without_repetitions(scores, written, by_row(free), time=time, rules=rules)
    end = tf.cast(scores[:, EOS, tf.newaxis], tf.float32)  # [rows, 1]
    first = never = tf.fill(tf.shape(end), IMPOSSIBLE)
    if forced is not None:
        first = tf.cast(tf.gather(scores, by_row(forced), batch_dims=1), tf.float32) + base(~free)
    ends, others = end + base(may_end), base(goes_on)
    symbols = []
    if rules.required is not None:
        allowed = tf.where((missing > 0) & free[:, :, tf.newaxis], so_far[:, :, tf.newaxis], IMPOSSIBLE)
        ranks = scores[:, FIRST_SYMBOL : FIRST_SYMBOL + rules.num_symbols]  # [rows, symbols]
        ranks.set_shape([None, rules.num_symbols])  # of a shortlist's scores TensorFlow does not know it
        symbols = [tf.cast(ranks, tf.float32) + tf.reshape(allowed, tf.shape(ranks))]

    def continuations(ends: tf.Tensor) -> Continuations:
        special = tf.concat([first, never, never, ends, *symbols], axis=1)  # PAD, UNK, BOS, EOS and the symbols
        return Continuations(special, others, scores, forced)

    if rules.options.no_repeat_ngram and rules.options.min_length_ratio:
        best = tf.reduce_max(continuations(ends).table(), axis=1, keepdims=True)
        ends = tf.where(by_row(free) & (best == IMPOSSIBLE), end + by_row(so_far), ends)
    return continuations(ends)


def _without_repetitions(
    scores: tf.Tensor, written: tf.Tensor, free: tf.Tensor, *, time: tf.Tensor, rules: Rules
) -> tf.Tensor:
    """`scores` less the penalty for each repetition, -inf where a forbidden n-gram would end; `free` bool [rows, 1]."""
    written = tf.reshape(written, [-1, rules.max_time])  # [rows, max_time]
    if rules.options.repetition_penalty:
        penalty = tf.fill(tf.shape(written), rules.options.repetition_penalty)
        scores = tf.tensor_scatter_nd_sub(tf.cast(scores, tf.float32), _elements(written), penalty)
    if rules.options.no_repeat_ngram:
        banned = _ngram_ends(written, time, rules.options.no_repeat_ngram)  # [rows, positions]
        symbol = (banned >= FIRST_SYMBOL) & (banned < FIRST_SYMBOL + rules.num_symbols)
        banned = tf.where(free & ~symbol, banned, PAD)
        never = tf.fill(tf.shape(banned), tf.constant(IMPOSSIBLE, scores.dtype))
        scores = tf.tensor_scatter_nd_update(scores, _elements(banned), never)
    return scores


def write_off(missing: Any, tokens: tf.Tensor) -> Any:
    """`missing` int32 [batch, size, symbols] once `tokens` int32 [batch, size] are written; () stays ()."""
    if isinstance(missing, tuple):
        return missing
    return tf.maximum(missing - tf.one_hot(tokens - FIRST_SYMBOL, missing.shape[2], dtype=tf.int32), 0)


def _ngram_ends(written: tf.Tensor, time: tf.Tensor, size: int) -> tf.Tensor:
    """The tokens that would complete an n-gram of `size` already in `written` int32 [rows, max_time], PAD elsewhere."""
    before, last = size - 1, tf.shape(written)[1] - 1
    context = tf.gather(written, tf.clip_by_value(time - before + tf.range(before), 0, last), axis=1)  # [rows, before]
    positions = tf.maximum(last + 1 - before, 0)
    seen = tf.fill([tf.shape(written)[0], positions], True)  # [rows, positions]; what is not written yet is PAD
    for offset in range(before):
        seen &= written[:, offset : offset + positions] == context[:, offset, tf.newaxis]
    return tf.where(seen, written[:, before:], PAD)


def _elements(tokens: tf.Tensor) -> tf.Tensor:
    """Indices int32 [rows, n, 2] of the elements `tokens` int32 [rows, n] of a table [rows, vocab]."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, tf.newaxis], tf.shape(tokens))
    return tf.stack([rows, tokens], axis=-1)


def score(log_probability: tf.Tensor, *, lengths: tf.Tensor, coverage: Any, rules: Rules) -> tf.Tensor:
    """Wu et al. 2016, eq. 14: log P / length penalty + beta x sum_i log(min(sum_j p_ij, 1)), i over the real source.

    Args: log_probability float32 [batch, size]; lengths int32 [] or [batch, size]; coverage float32 [batch, size,
        source_time], the attention weights summed over target positions j, read only with a coverage penalty.
    """
    scores = log_probability / length_penalty(tf.cast(lengths, tf.float32), rules.options)  # [batch, size]
    if rules.options.coverage_penalty:
        read = tf.math.log(tf.clip_by_value(coverage, LEAST_COVERAGE, 1.0))  # [batch, size, source_time]
        scores += rules.options.coverage_penalty * tf.reduce_sum(tf.where(rules.source_mask, read, 0.0), axis=-1)
    return scores
