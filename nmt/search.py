"""Beam search and sampling: pure TensorFlow functions that know no model and no text.

The model enters as one function: `step(tokens int32 [rows], state) -> (log_probabilities float32 [rows, vocab], state,
weights float32 [rows, source_time])`. rows = batch x beam, beam-minor. `state` is what a step changes, any nest of
tensors that lead with rows: the search repeats it per beam once and reorders it as hypotheses survive. What a step only
reads, such as the encoder's memory, `step` brings along itself, repeated once by `repeat_rows`.

A row's result depends on that row alone: its limits come from its own source length, and once it is done nothing can
change it. Everything runs inside a tf.function and an exported graph, for an empty batch too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config import SearchConfig
from nmt.tokenizer import BOS, EOS, PAD

Step = Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any, tf.Tensor]]
IMPOSSIBLE = float("-inf")
LEAST_COVERAGE = 1e-9  # keeps the logarithm of a source position that was never read finite


class Hypotheses(NamedTuple):
    """What a search found, best first. A row with fewer than n possible hypotheses fills up with length 0, score -inf.

    tokens: int32 [batch, n, time], ending in EOS, PAD after it.
    scores: float32 [batch, n], Wu et al. 2016, eq. 14, from the model's own log-probabilities; higher is better.
    log_probabilities: float32 [batch, n], the model's own, of all tokens, EOS and a forced prefix included.
    lengths: int32 [batch, n], EOS included.
    weights: float32 [batch, n, time, source_time], what each token read, 0 on padding; None where not asked for.
    """

    tokens: tf.Tensor
    scores: tf.Tensor
    log_probabilities: tf.Tensor
    lengths: tf.Tensor
    weights: tf.Tensor | None


class Rules(NamedTuple):
    """What each source row allows: lengths count EOS, the prefix is padded with PAD."""

    minimum: tf.Tensor  # int32 [batch]
    maximum: tf.Tensor  # int32 [batch]
    max_time: tf.Tensor  # int32 [], the largest maximum
    prefix: tf.Tensor | None  # int32 [batch, max_time]
    source_mask: tf.Tensor  # bool [batch, 1, source_time]


class Beam(NamedTuple):
    """Some hypotheses of each source row. One with rank -inf does not exist. Fields that no option needs are ()."""

    rank: tf.Tensor  # float32 [batch, size], what they are compared by
    log_probability: tf.Tensor  # float32 [batch, size]
    tokens: tf.Tensor  # int32 [batch, size, max_time]
    slots: Any  # int32 [batch, size, max_time], the beam slot whose step wrote each token
    coverage: Any  # float32 [batch, size, source_time], attention so far, summed over the steps


class Progress(NamedTuple):
    """The loop variables of both searches."""

    time: tf.Tensor  # int32 [], tokens written so far
    tokens: tf.Tensor  # int32 [rows], the last ones
    state: Any
    alive: Beam
    finished: Any  # Beam of n_best, best first; () when sampling
    num_finished: Any  # int32 [batch], all that ever ended; () when sampling
    weights: Any  # TensorArray of float32 [rows, source_time], one a step; () where not asked for


def repeat_rows(nested: Any, times: int) -> Any:
    """Repeats each row of every tensor `times` times, copies side by side: [batch, ...] -> [batch x times, ...]."""
    if times == 1:
        return nested
    return tf.nest.map_structure(lambda tensor: tf.repeat(tensor, times, axis=0), nested)


def length_limits(
    source_lengths: tf.Tensor, options: SearchConfig, *, prefix: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The fewest and the most tokens, EOS included, that a translation of each source may have.

    Args: source_lengths int32 [batch], pieces with EOS; prefix int32 [batch, prefix_time], padded with PAD.
    Returns: minimum int32 [batch]; maximum int32 [batch], with room for the prefix and EOS.
    """
    lengths = tf.cast(source_lengths, tf.float32)
    minimum = tf.cast(tf.floor(options.min_length_ratio * lengths), tf.int32)
    maximum = tf.cast(tf.math.ceil(options.max_length_ratio * lengths), tf.int32) + options.max_length_extra
    if prefix is not None:
        prefix_lengths = tf.math.count_nonzero(prefix != PAD, axis=1, dtype=tf.int32)
        maximum = tf.maximum(maximum, prefix_lengths + 1)
    return minimum, maximum


def beam_search(
    step: Step,
    state: Any,
    *,
    source_lengths: tf.Tensor,
    source_time: tf.Tensor | int,
    options: SearchConfig,
    prefix: tf.Tensor | None = None,
    with_weights: bool = False,
) -> Hypotheses:
    """The n_best hypotheses that a beam of beam_size finds; a beam of 1 is greedy, one as wide as the space is exact.

    Each step looks at the 2 x beam_size best continuations of a row. Those among the first beam_size that end in EOS
    are finished; the best beam_size others stay alive. A row is done when beam_size hypotheses have finished, or when
    no alive one can still overtake the n_best. Hypotheses are compared by score (Wu et al. 2016, eq. 14), of which
    coverage counts once they are finished. With a repetition penalty the order follows the penalized log-probability,
    while `scores` and `log_probabilities` stay the model's own. PAD, BOS and UNK are never written, except in a prefix;
    a row's last possible token is always EOS. A hypothesis that may not go on may end, however short it is.

    Args:
        step: See the top of this file; for batch x beam_size rows.
        state: Nest of tensors [batch, ...], the state before the first token.
        source_lengths: int32 [batch], pieces of each source, EOS included.
        source_time: Width of the attention weights.
        options: Static.
        prefix: int32 [batch, prefix_time], how each translation starts, padded with PAD.
        with_weights: Whether to keep the attention weights.
    """
    rules = _rules(source_lengths, source_time, options, prefix)
    size = options.beam_size
    alive = _no_hypotheses(rules, size, options=options, with_weights=with_weights)
    only_first = tf.where(tf.range(size) == 0, 0.0, alive.rank)  # [batch, size]
    progress = Progress(
        time=tf.constant(0),
        tokens=tf.fill([tf.size(alive.rank)], BOS),  # [rows]
        state=repeat_rows(state, size),
        alive=alive._replace(rank=only_first, log_probability=only_first),
        finished=_no_hypotheses(rules, options.n_best, options=options, with_weights=with_weights),
        num_finished=tf.zeros_like(rules.maximum),
        weights=_weights_array(rules) if with_weights else (),
    )
    body = partial(advance_beam, step=step, rules=rules, options=options)
    progress = _loop(body, progress, rules)
    return _hypotheses(progress.finished, progress, rules, options)


def sample(
    step: Step,
    state: Any,
    *,
    noise: tf.Tensor,
    source_lengths: tf.Tensor,
    source_time: tf.Tensor | int,
    options: SearchConfig,
    prefix: tf.Tensor | None = None,
    with_weights: bool = False,
) -> Hypotheses:
    """n_best independent samples of each row, best score first. What beam_search never writes, this does not either.

    Each token is drawn by inverting the cumulative distribution at one number of `noise`, so that a sample is a
    function of its noise and its source alone. Temperature, top_k and top_p (Holtzman et al. 2020), in this order, and
    the repetition penalty shape what is drawn; log-probabilities and scores stay the model's own.

    Args: as beam_search, with n_best in the place of beam_size; noise float32 [batch, n_best, time], uniform in [0, 1),
        time at least the largest maximum of `length_limits`.
    """
    rules = _rules(source_lengths, source_time, options, prefix)
    size = options.n_best
    nothing = _no_hypotheses(rules, size, options=options, with_weights=with_weights)
    alive = nothing._replace(rank=tf.zeros_like(nothing.rank), log_probability=tf.zeros_like(nothing.rank))
    if with_weights:
        alive = alive._replace(slots=alive.slots + tf.range(size)[:, tf.newaxis])
    progress = Progress(
        time=tf.constant(0),
        tokens=tf.fill([tf.size(alive.rank)], BOS),  # [rows]
        state=repeat_rows(state, size),
        alive=alive,
        finished=(),
        num_finished=(),
        weights=_weights_array(rules) if with_weights else (),
    )
    body = partial(advance_samples, step=step, noise=noise, rules=rules, options=options)
    progress = _loop(body, progress, rules)
    drawn = progress.alive
    scores = _score(drawn.log_probability, _lengths(drawn.tokens), drawn.coverage, rules, options)
    _, order = tf.math.top_k(scores, size)
    return _hypotheses(_take(drawn, order), progress, rules, options)


def unfinished(progress: Progress) -> tf.Tensor:
    """The loop condition: some hypothesis is alive. The first step is always made, to give `weights` a shape."""
    return (progress.time == 0) | tf.reduce_any(progress.alive.rank > IMPOSSIBLE)


def advance_beam(progress: Progress, *, step: Step, rules: Rules, options: SearchConfig) -> Progress:
    """The loop body of beam_search: every alive hypothesis by one token."""
    time, alive, beam_size = progress.time, progress.alive, options.beam_size
    log_probabilities, state, weights = step(progress.tokens, progress.state)
    candidates, parents = _best_continuations(alive, log_probabilities, weights, time, rules=rules, options=options)
    tokens = candidates.tokens[:, :, time]  # [batch, 2 x beam]

    ends = (tokens == EOS) & (candidates.rank > IMPOSSIBLE) & (tf.range(2 * beam_size) < beam_size)
    final = _score(candidates.rank, time + 1, candidates.coverage, rules, options)
    pool = tf.nest.map_structure(
        lambda old, new: tf.concat([old, new], axis=1),
        progress.finished,
        candidates._replace(rank=tf.where(ends, final, IMPOSSIBLE)),
    )
    # Of equals top_k takes the first: an older hypothesis stays, and one that does not exist never gets tokens.
    finished = _take(pool, tf.math.top_k(pool.rank, options.n_best).indices)
    num_finished = progress.num_finished + tf.math.count_nonzero(ends, axis=1, dtype=tf.int32)

    ranks, survivors = tf.math.top_k(tf.where(tokens == EOS, IMPOSSIBLE, candidates.rank), beam_size)
    # A log-probability only falls and coverage adds at most 0, so no alive hypothesis can end above this.
    reachable = ranks[:, 0] / _length_penalty(rules.maximum, options)  # [batch]
    done = (num_finished >= beam_size) | (finished.rank[:, -1] >= reachable)
    alive = _take(candidates, survivors)._replace(rank=tf.where(done[:, tf.newaxis], IMPOSSIBLE, ranks))
    if beam_size > 1:
        rows = tf.range(tf.shape(parents)[0])[:, tf.newaxis] * beam_size + tf.gather(parents, survivors, batch_dims=1)
        state = tf.nest.map_structure(lambda tensor: tf.gather(tensor, tf.reshape(rows, [-1])), state)
    return Progress(
        time=time + 1,
        tokens=tf.reshape(alive.tokens[:, :, time], [-1]),
        state=_shaped_like(progress.state, state),
        alive=alive,
        finished=finished,
        num_finished=num_finished,
        weights=progress.weights and progress.weights.write(time, weights),
    )


def _best_continuations(
    alive: Beam,
    log_probabilities: tf.Tensor,
    weights: tf.Tensor,
    time: tf.Tensor,
    *,
    rules: Rules,
    options: SearchConfig,
) -> tuple[Beam, tf.Tensor]:
    """The 2 x beam_size best hypotheses of one more token, and the slots they continue, int32 [batch, 2 x beam]."""
    batch, beam_size, vocab = tf.shape(alive.rank)[0], options.beam_size, tf.shape(log_probabilities)[-1]
    ranking = _constrain(log_probabilities, alive.tokens, time, rules=rules, options=options)
    ranking = tf.reshape(ranking, [batch, beam_size, vocab]) + alive.rank[:, :, tf.newaxis]
    rank, index = tf.math.top_k(tf.reshape(ranking, [batch, -1]), 2 * beam_size)
    parents, tokens = index // vocab, index % vocab
    candidates = _take(_read(alive, weights), parents)
    log_probability = rank
    if options.repetition_penalty:
        own = tf.gather(tf.reshape(log_probabilities, [batch, -1]), index, batch_dims=1)
        log_probability = candidates.log_probability + own
    candidates = candidates._replace(
        rank=rank, log_probability=log_probability, tokens=_write(candidates.tokens, time, tokens)
    )
    if not isinstance(candidates.slots, tuple):
        candidates = candidates._replace(slots=_write(candidates.slots, time, parents))
    return candidates, parents


def advance_samples(
    progress: Progress, *, step: Step, noise: tf.Tensor, rules: Rules, options: SearchConfig
) -> Progress:
    """The loop body of sample: one more token for every sample that has not ended."""
    time, alive = progress.time, progress.alive
    log_probabilities, state, weights = step(progress.tokens, progress.state)
    ranking = _constrain(log_probabilities, alive.tokens, time, rules=rules, options=options)
    drawn = _draw(ranking, tf.reshape(noise[:, :, time], [-1]), options)  # [rows]
    own = tf.gather(log_probabilities, drawn, batch_dims=1)  # [rows]
    going = alive.rank > IMPOSSIBLE  # [batch, n]
    tokens = tf.where(going, tf.reshape(drawn, tf.shape(going)), PAD)
    read = _read(alive, weights)
    alive = read._replace(
        rank=tf.where(tokens == EOS, IMPOSSIBLE, alive.rank),
        log_probability=alive.log_probability + tf.where(going, tf.reshape(own, tf.shape(going)), 0.0),
        tokens=_write(alive.tokens, time, tokens),
    )
    if options.coverage_penalty:
        alive = alive._replace(coverage=tf.where(going[:, :, tf.newaxis], read.coverage, progress.alive.coverage))
    return progress._replace(
        time=time + 1,
        tokens=drawn,
        state=_shaped_like(progress.state, state),
        alive=alive,
        weights=progress.weights and progress.weights.write(time, weights),
    )


def _draw(ranking: tf.Tensor, uniform: tf.Tensor, options: SearchConfig) -> tf.Tensor:
    """Draws tokens int32 [rows] from `ranking` float32 [rows, vocab] at `uniform` float32 [rows]."""
    logits, ids = ranking / options.temperature, None
    if options.top_k or options.top_p < 1.0:
        vocab = tf.shape(ranking)[-1]
        logits, ids = tf.math.top_k(logits, tf.minimum(options.top_k, vocab) if options.top_k else vocab)
    cumulative = tf.cumsum(tf.nn.softmax(logits), axis=-1)  # [rows, kept]
    mass = cumulative[:, -1:]  # [rows, 1]
    if options.top_p < 1.0:
        mass = tf.reduce_min(tf.where(cumulative >= options.top_p, cumulative, mass), axis=-1, keepdims=True)
    # Just under 1, or rounding could give the whole mass and so a token beyond the last that has any.
    threshold = tf.minimum(uniform, 1.0 - 2.0**-23)[:, tf.newaxis] * mass
    drawn = tf.math.count_nonzero(cumulative <= threshold, axis=-1, dtype=tf.int32)
    return drawn if ids is None else tf.gather(ids, drawn, batch_dims=1)


def _rules(
    source_lengths: tf.Tensor, source_time: tf.Tensor | int, options: SearchConfig, prefix: tf.Tensor | None
) -> Rules:
    minimum, maximum = length_limits(source_lengths, options, prefix=prefix)
    max_time = tf.maximum(tf.reduce_max(maximum), 1)  # of an empty batch the largest is negative
    padded = None
    if prefix is not None:
        kept = prefix[:, :max_time]
        padded = tf.pad(kept, [[0, 0], [0, max_time - tf.shape(kept)[1]]], constant_values=PAD)  # [batch, max_time]
    mask = tf.sequence_mask(source_lengths, source_time)[:, tf.newaxis]  # [batch, 1, source_time]
    return Rules(minimum, maximum, max_time, padded, mask)


def _constrain(
    log_probabilities: tf.Tensor, written: tf.Tensor, time: tf.Tensor, *, rules: Rules, options: SearchConfig
) -> tf.Tensor:
    """What tokens are chosen by: float32 [rows, vocab], -inf where forbidden.

    Args: log_probabilities float32 [rows, vocab]; written int32 [batch, size, max_time], the tokens so far.
    """
    batch, size, max_time = tf.unstack(tf.shape(written))
    vocabulary = tf.range(tf.shape(log_probabilities)[-1])
    goes_on = (time + 1 < rules.maximum)[:, tf.newaxis]
    may_end = (time + 1 >= rules.minimum)[:, tf.newaxis] | ~goes_on
    allowed = ((vocabulary > EOS) & goes_on) | ((vocabulary == EOS) & may_end)  # [batch, vocab]
    free = tf.ones([batch, 1], tf.bool)
    if rules.prefix is not None:
        forced = rules.prefix[:, time, tf.newaxis]  # [batch, 1]
        free = forced == PAD
        allowed = tf.where(free, allowed, vocabulary == forced)
    bias = repeat_rows(tf.where(allowed, 0.0, IMPOSSIBLE), size)  # [rows, vocab]
    ranking = log_probabilities + bias
    if options.repetition_penalty or options.no_repeat_ngram:
        written = tf.reshape(written, [batch * size, max_time])
        free = repeat_rows(free, size)
        ranking = _discourage_repetition(ranking, written, time, free=free, options=options)
    if options.no_repeat_ngram and options.min_length_ratio:
        stuck = tf.reduce_all(ranking == IMPOSSIBLE, axis=-1, keepdims=True)
        ranking = tf.where(stuck & (vocabulary == EOS), log_probabilities, ranking)
    return ranking


def _discourage_repetition(
    ranking: tf.Tensor, written: tf.Tensor, time: tf.Tensor, *, free: tf.Tensor, options: SearchConfig
) -> tf.Tensor:
    """Takes repetition_penalty off tokens already written, forbids those that complete an n-gram already written.

    Both change single elements by index; where there is nothing to change they point at PAD, which is forbidden anyway.

    Args: written int32 [rows, max_time], padded with PAD; free bool [rows, 1], False where a prefix forces the token.
    """

    def elements(tokens: tf.Tensor) -> tf.Tensor:
        row = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, tf.newaxis], tf.shape(tokens))
        return tf.stack([row, tokens], axis=-1)  # [rows, ..., 2]

    if options.repetition_penalty:
        ranking = tf.tensor_scatter_nd_sub(
            ranking, elements(written), tf.fill(tf.shape(written), options.repetition_penalty)
        )
    if options.no_repeat_ngram:
        before = options.no_repeat_ngram - 1
        last = tf.shape(written)[1] - 1
        context = tf.gather(
            written, tf.clip_by_value(time - before + tf.range(before), 0, last), axis=1
        )  # [rows, before]
        count = tf.maximum(last + 1 - before, 0)
        seen = free & (tf.range(count) + before < time)  # [rows, count]
        for offset in range(before):
            seen &= written[:, offset : offset + count] == context[:, offset, tf.newaxis]
        banned = tf.where(seen, written[:, before:], PAD)
        ranking = tf.tensor_scatter_nd_update(ranking, elements(banned), tf.fill(tf.shape(banned), IMPOSSIBLE))
    return ranking


def _length_penalty(lengths: tf.Tensor, options: SearchConfig) -> tf.Tensor:
    """Wu et al. 2016, eq. 14: ((5 + |Y|) / 6) ^ alpha."""
    return ((5.0 + tf.cast(lengths, tf.float32)) / 6.0) ** options.length_penalty


def _score(
    log_probability: tf.Tensor, lengths: tf.Tensor, coverage: Any, rules: Rules, options: SearchConfig
) -> tf.Tensor:
    """Wu et al. 2016, eq. 14: log P / length penalty + beta x sum_i log(min(sum_j p_ij, 1)), i over the real source."""
    score = log_probability / _length_penalty(lengths, options)  # [batch, size]
    if options.coverage_penalty:
        read = tf.math.log(tf.clip_by_value(coverage, LEAST_COVERAGE, 1.0))  # [batch, size, source_time]
        score += options.coverage_penalty * tf.reduce_sum(tf.where(rules.source_mask, read, 0.0), axis=-1)
    return score


def _no_hypotheses(rules: Rules, size: int, *, options: SearchConfig, with_weights: bool) -> Beam:
    batch = tf.shape(rules.maximum)[0]
    history = tf.fill([batch, size, rules.max_time], PAD)
    rank = tf.fill([batch, size], IMPOSSIBLE)
    coverage = tf.zeros([batch, size, tf.shape(rules.source_mask)[2]]) if options.coverage_penalty else ()
    return Beam(rank, rank, history, history if with_weights else (), coverage)


def _weights_array(rules: Rules) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, rules.max_time, element_shape=[None, None], clear_after_read=False)


def _loop(body: Callable[[Progress], Progress], progress: Progress, rules: Rules) -> Progress:
    (progress,) = tf.while_loop(
        unfinished,
        lambda current: (body(current),),
        (progress,),
        maximum_iterations=rules.max_time,
        parallel_iterations=1,
    )
    return progress


def _take(beam: Beam, indices: tf.Tensor) -> Beam:
    """The hypotheses at `indices` int32 [batch, size] of each row."""
    return tf.nest.map_structure(lambda field: tf.gather(field, indices, batch_dims=1), beam)


def _write(history: tf.Tensor, time: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """`history` [batch, size, max_time] with `values` [batch, size] at `time`."""
    return tf.where(tf.range(tf.shape(history)[2]) == time, values[:, :, tf.newaxis], history)


def _read(alive: Beam, weights: tf.Tensor) -> Beam:
    """Adds a step's attention weights [rows, source_time] to the coverage, where that is kept."""
    if isinstance(alive.coverage, tuple):
        return alive
    return alive._replace(coverage=alive.coverage + tf.reshape(weights, tf.shape(alive.coverage)))


def _shaped_like(old: Any, new: Any) -> Any:
    """`new` with the static shapes of `old`, which a loop needs to be the same before and after its body."""
    tf.nest.map_structure(lambda before, after: after.set_shape(before.shape), old, new)
    return new


def _lengths(tokens: tf.Tensor) -> tf.Tensor:
    return tf.math.count_nonzero(tokens != PAD, axis=-1, dtype=tf.int32)


def _hypotheses(found: Beam, progress: Progress, rules: Rules, options: SearchConfig) -> Hypotheses:
    """Hypotheses as long as the longest, their scores, and the attention weights from where each token was written."""
    lengths = _lengths(found.tokens)  # [batch, n]
    time = tf.maximum(tf.reduce_max(lengths), 1)
    scores = _score(found.log_probability, lengths, found.coverage, rules, options)
    weights = None
    if progress.weights:
        steps = progress.weights.gather(tf.range(time))  # [time, rows, source_time]
        rows = tf.shape(steps)[1]
        first = tf.range(tf.shape(lengths)[0])[:, tf.newaxis, tf.newaxis] * tf.shape(progress.alive.rank)[1]
        index = tf.range(time) * rows + first + found.slots[:, :, :time]  # [batch, n, time]
        weights = tf.gather(
            tf.reshape(steps, [time * rows, tf.shape(steps)[2]]), index
        )  # [batch, n, time, source_time]
        weights *= tf.cast(found.tokens[:, :, :time, tf.newaxis] != PAD, tf.float32)
    return Hypotheses(found.tokens[:, :, :time], scores, found.log_probability, lengths, weights)
