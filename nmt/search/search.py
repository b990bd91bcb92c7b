"""Beam search and sampling: pure TensorFlow functions that know no model and no text.

The model enters as one function: `step(tokens int32 [batch, size], state, memory) -> (scores, state, weights float32
[rows, source_time])`. rows = batch x size, size-minor, of `size` hypotheses of each source: the beam, but one at first.
`state` is what a step changes, a nest of tensors [rows, ...]: the search repeats and reorders it as hypotheses survive.
`memory` is what a step only reads, such as what the encoder made, a nest of tensors [batch, ...].

A row's result depends on that row alone: its limits come from its own source length, and once it is done nothing can
change it. Everything runs inside a tf.function and an exported graph, for an empty batch too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.layers.shapes import sizes
from nmt.model.maxima import block_maxima, in_blocks
from nmt.search.definitions import IMPOSSIBLE, Hypotheses
from nmt.search.loop import Beam, Progress, run_loop, start_search, take_rows
from nmt.search.rules import (
    Continuations,
    Rules,
    make_rules,
    rank_continuations,
    score,
    write_off,
)
from nmt.text.tokenizer import EOS, PAD


class TokenScores(NamedTuple):
    """The next token's log-probabilities as a difference, which would be one more pass over [rows, vocab] to make."""

    logits: tf.Tensor  # float32 or bfloat16 [rows, vocab]
    normalizers: tf.Tensor  # float32 [rows, 1], log sum exp of the logits


Step = Callable[[tf.Tensor, Any, Any], tuple[TokenScores, Any, tf.Tensor]]


def beam_search(
    step: Step,
    state: Any,
    memory: Any,
    *,
    source_lengths: tf.Tensor,
    source_time: tf.Tensor | int,
    options: SearchConfig,
    prefix: tf.Tensor | None = None,
    required: tf.Tensor | None = None,
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
        memory: Nest of tensors [batch, ...].
        source_lengths: int32 [batch], pieces of each source, EOS included; 0 = nothing is to be translated.
        source_time: Width of the attention weights.
        options: Static.
        prefix: int32 [batch, prefix_time], how each translation starts, without EOS, padded with PAD.
        required: int32 [batch, symbols], how often each hypothesis has the ids from FIRST_SYMBOL on, by construction:
            neither length limits nor forbidden repetitions prevent it. None: they are ids like others.
        with_weights: Whether to keep the attention weights.
    """
    rules = make_rules(source_lengths, source_time, options, prefix=prefix, required=required)
    start, weights = start_search(state, rules, size=1, with_weights=with_weights)
    absent = tf.fill([tf.size(rules.maximum), options.n_best], IMPOSSIBLE)  # [batch, n]
    progress = start._replace(
        finished=_take(start.alive, tf.zeros_like(absent, tf.int32))._replace(rank=absent, log_probability=absent),
        num_finished=tf.zeros_like(rules.maximum),
    )
    if options.beam_size > 1:
        # Not in the loop, where each source has a beam of hypotheses: at first these are all the same.
        progress, read = advance_beam(step, progress, memory, rules)
        weights = tf.repeat(read, options.beam_size, axis=0)[:, tf.newaxis] if with_weights else ()
    found, weights = run_loop(partial(advance_beam, step), progress, weights, memory, rules, size=options.beam_size)
    return _hypotheses(found, weights, rules)


def sample(
    step: Step,
    state: Any,
    memory: Any,
    *,
    noise: tf.Tensor,
    source_lengths: tf.Tensor,
    source_time: tf.Tensor | int,
    options: SearchConfig,
    prefix: tf.Tensor | None = None,
    required: tf.Tensor | None = None,
    with_weights: bool = False,
) -> Hypotheses:
    """n_best independent samples of each row, best score first. What beam_search never writes, this does not either.

    Each token is drawn by inverting the cumulative distribution at one number of `noise`, so that a sample is a
    function of its noise and its source alone. Temperature, top_k and top_p (Holtzman et al. 2020), in this order, and
    the repetition penalty shape what is drawn; log-probabilities and scores stay the model's own.

    Args: as beam_search, with n_best in the place of beam_size; noise float32 [batch, n_best, time], uniform in [0, 1),
        time at least the largest maximum of `length_limits`.
    """
    rules = make_rules(source_lengths, source_time, options, prefix=prefix, required=required)
    progress, weights = start_search(state, rules, size=options.n_best, with_weights=with_weights)
    advance = partial(advance_samples, step, noise)
    drawn, weights = run_loop(advance, progress, weights, memory, rules, size=options.n_best)
    scores = score(drawn.log_probability, lengths=_lengths(drawn.tokens), coverage=drawn.coverage, rules=rules)
    best = _take(drawn, tf.math.top_k(scores, options.n_best).indices)
    return _hypotheses(best, weights, rules)


def advance_beam(step: Step, progress: Progress, memory: Any, rules: Rules) -> tuple[Progress, tf.Tensor]:
    """An Advance of beam_search: every alive hypothesis by one token, after which there are beam_size of each row."""
    time, beam_size, n_best = progress.time, rules.options.beam_size, rules.options.n_best
    scores, state, weights = step(progress.tokens, progress.state, memory)
    candidates, parents = _extended(progress.alive, scores, weights, time=time, rules=rules)
    tokens = candidates.tokens[:, :, time]  # [batch, 2 x beam]

    ends = (tokens == EOS) & (candidates.rank > IMPOSSIBLE) & (tf.range(2 * beam_size) < beam_size)
    final = score(candidates.rank, lengths=time + 1, coverage=candidates.coverage, rules=rules)
    ended = candidates._replace(rank=tf.where(ends, final, IMPOSSIBLE))
    pool = tf.nest.map_structure(lambda old, new: tf.concat([old, new], axis=1), progress.finished, ended)
    # Of equals top_k takes the first: an older hypothesis stays, and one that is not there never gets tokens.
    finished = _take(pool, tf.math.top_k(pool.rank, n_best).indices)
    num_finished = progress.num_finished + tf.math.count_nonzero(ends, axis=1, dtype=tf.int32)

    ranks, survivors = tf.math.top_k(tf.where(tokens == EOS, IMPOSSIBLE, candidates.rank), beam_size)
    # A log-probability only falls and coverage adds at most 0, so no alive hypothesis can end above this.
    reachable = ranks[:, 0] / rules.largest_penalty  # [batch]
    done = (num_finished >= beam_size) | (finished.rank[:, -1] >= reachable)
    alive = _take(candidates, survivors)._replace(rank=tf.where(done[:, tf.newaxis], IMPOSSIBLE, ranks))
    if beam_size > 1:
        slots = tf.gather(parents, survivors, batch_dims=1)  # [batch, beam]
        size = progress.tokens.shape[1]
        rows = tf.reshape(tf.range(tf.shape(slots)[0])[:, tf.newaxis] * size + slots, [-1])
        state = take_rows(state, rows)
    advanced = progress._replace(
        time=time + 1,
        tokens=alive.tokens[:, :, time],
        state=state,
        alive=alive,
        finished=finished,
        num_finished=num_finished,
    )
    return advanced, weights


def _extended(
    alive: Beam, scores: TokenScores, weights: tf.Tensor, *, time: tf.Tensor, rules: Rules
) -> tuple[Beam, tf.Tensor]:
    """The 2 x beam_size best hypotheses of one more token, and the slots they continue, int32 [batch, 2 x beam]."""
    logits, normalizers = scores.logits, tf.reshape(scores.normalizers, tf.shape(alive.rank))  # [batch, beam]
    # What is left is to add the next token's logit.
    alive = alive._replace(rank=alive.rank - normalizers, log_probability=alive.log_probability - normalizers)
    continuations = rank_continuations(
        logits, alive.rank, written=alive.tokens, missing=alive.missing, time=time, rules=rules
    )
    size = alive.rank.shape[1]
    rank, parents, places = best_continuations(continuations, 2 * rules.options.beam_size, size=size)
    tokens = continuations.written(places)
    parent = _take(_read(alive, weights), parents)
    log_probability = rank
    if rules.options.repetition_penalty:
        of_slots = tf.reshape(logits, [tf.shape(parents)[0], size, tf.shape(logits)[1]])
        own = tf.gather_nd(of_slots, tf.stack([parents, tokens], axis=-1), batch_dims=1)
        log_probability = parent.log_probability + tf.cast(own, tf.float32)
    return parent._replace(
        rank=rank,
        log_probability=log_probability,
        tokens=_write(parent.tokens, time, tokens),
        slots=_write(parent.slots, time, parents),
        missing=write_off(parent.missing, tokens),
    ), parents


def advance_samples(
    step: Step, noise: tf.Tensor, progress: Progress, memory: Any, rules: Rules
) -> tuple[Progress, tf.Tensor]:
    """An Advance of sample: one more token for every sample that has not ended."""
    time, alive = progress.time, progress.alive
    scores, state, weights = step(progress.tokens, progress.state, memory)
    nothing = tf.zeros_like(alive.rank)
    continuations = rank_continuations(
        scores.logits, nothing, written=alive.tokens, missing=alive.missing, time=time, rules=rules
    )
    uniform = tf.gather(noise[:, :, time], progress.source_rows)  # [batch, n]
    places = _draw(continuations.table(), tf.reshape(uniform, [-1]), rules.options)  # [rows]
    going = alive.rank > IMPOSSIBLE  # [batch, n]
    drawn = continuations.written(tf.reshape(places, tf.shape(going)))
    own = tf.gather(scores.logits, tf.reshape(drawn, [-1]), batch_dims=1)  # [rows]
    own = tf.cast(own, tf.float32) - scores.normalizers[:, 0]
    tokens = tf.where(going, drawn, PAD)
    read = tf.where(tf.reshape(going, [-1, 1]), weights, 0.0)
    advanced = progress._replace(
        time=time + 1,
        tokens=drawn,
        state=state,
        alive=_read(alive, read)._replace(
            rank=tf.where(tokens == EOS, IMPOSSIBLE, alive.rank),
            log_probability=alive.log_probability + tf.where(going, tf.reshape(own, tf.shape(going)), 0.0),
            tokens=_write(alive.tokens, time, tokens),
            missing=write_off(alive.missing, tokens),
        ),
    )
    return advanced, weights


def _draw(ranks: tf.Tensor, uniform: tf.Tensor, options: SearchConfig) -> tf.Tensor:
    """Draws tokens int32 [rows] from softmax(`ranks` float32 [rows, vocab]) at the numbers `uniform` float32 [rows]."""
    logits, ids = ranks / options.temperature, None
    if options.top_k or options.top_p < 1.0:
        vocab = tf.shape(ranks)[-1]
        logits, ids = tf.math.top_k(logits, tf.minimum(options.top_k, vocab) if options.top_k else vocab)
    cumulative = tf.cumsum(tf.nn.softmax(logits), axis=-1)  # [rows, kept]
    mass = cumulative[:, -1:]  # [rows, 1]
    if options.top_p < 1.0:
        mass = tf.reduce_min(tf.where(cumulative >= options.top_p, cumulative, mass), axis=-1, keepdims=True)
    drawn = tf.math.count_nonzero(cumulative <= uniform[:, tf.newaxis] * mass, axis=-1, dtype=tf.int32)
    return drawn if ids is None else tf.gather(ids, drawn, batch_dims=1)


def best_continuations(continuations: Continuations, k: int, *, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The k best continuations of the `size` hypotheses of each row of the batch, best first.

    The k largest values lie in the k blocks with the largest maxima, and a maximum is one pass of vector instructions
    over what a heap would take several times as long for. Only what those blocks hold is ever ranked.

    Returns: [batch, k] each: the ranks, float32; the slots of the hypotheses, int32; the places of the tokens, int32
        (Continuations.written). Where fewer are possible, the last ones rank -inf.
    """
    special, base, scores, _ = continuations
    blocks, maxima = in_blocks(scores), block_maxima(scores)
    (rows, count), width = sizes(maxima), blocks.shape[1]
    # The first blocks of each have the special tokens, whose scores are no ranks: they are ranked as a whole.
    firsts = -(-special.shape[1] // width)
    ordinary = tf.reshape(blocks, [rows, count * width])[:, special.shape[1] : firsts * width]
    first = tf.concat([special, base + tf.cast(ordinary, tf.float32)], axis=1)
    first = tf.reshape(first, [rows * firsts, width])
    specials = tf.reshape(tf.reduce_max(first, axis=1), [rows, firsts])
    maxima = tf.concat([specials, maxima[:, firsts:] + base], axis=1)
    batch, of_row = rows // size, size * count
    enough = tf.minimum(k, of_row)
    best = tf.math.top_k(tf.reshape(maxima, [batch, of_row]), enough).indices
    best = -tf.math.top_k(-best, enough).values  # in order, so that of equal ranks the first wins
    index = best + (tf.range(batch) * of_row)[:, tf.newaxis]  # among all blocks
    hypothesis, block = index // count, index % count
    ranks = tf.where(
        (block < firsts)[..., tf.newaxis],
        tf.gather(first, hypothesis * firsts + tf.minimum(block, firsts - 1)),
        tf.cast(tf.gather(blocks, index), tf.float32) + tf.gather(base, hypothesis),
    )  # [batch, blocks, width]
    if (missing := -(-k // width) - min(k, size)) > 0:  # blocks: one hypothesis may have too few for a wide beam
        best = tf.pad(best, [[0, 0], [0, missing]])
        ranks = tf.pad(ranks, [[0, 0], [0, missing], [0, 0]], constant_values=IMPOSSIBLE)
    rank, position = tf.math.top_k(tf.reshape(ranks, [batch, tf.shape(best)[1] * width]), k)
    chosen = tf.gather(best, position // width, batch_dims=1)
    place = chosen % count * width + position % width
    return rank, chosen // count, tf.minimum(place, tf.shape(scores)[1] - 1)


def _take(beam: Beam, indices: tf.Tensor) -> Beam:
    """The hypotheses at `indices` int32 [batch, size] of each row."""
    return tf.nest.map_structure(lambda field: tf.gather(field, indices, batch_dims=1), beam)


def _write(history: Any, time: tf.Tensor, values: tf.Tensor) -> Any:
    """`history` [batch, size, max_time] with `values` [batch, size] at `time`; () stays ()."""
    if isinstance(history, tuple):
        return history
    return tf.where(tf.range(tf.shape(history)[2]) == time, values[:, :, tf.newaxis], history)


def _read(alive: Beam, weights: tf.Tensor) -> Beam:
    """Adds a step's attention weights [rows, source_time] to the coverage, where that is kept."""
    if isinstance(alive.coverage, tuple):
        return alive
    return alive._replace(coverage=alive.coverage + tf.reshape(weights, tf.shape(alive.coverage)))


def _lengths(tokens: tf.Tensor) -> tf.Tensor:
    return tf.math.count_nonzero(tokens != PAD, axis=-1, dtype=tf.int32)


def _hypotheses(found: Beam, read: tf.Tensor | None, rules: Rules) -> Hypotheses:
    """`found`, cut to its longest, with its scores, and what each token read in the step that wrote it.

    Args: read: float32 [batch, slots, steps, source_time], what each step read, or None.
    """
    lengths = _lengths(found.tokens)  # [batch, n]
    time = tf.maximum(tf.reduce_max(lengths), 1)
    tokens = found.tokens[:, :, :time]  # [batch, n, time]
    scores = score(found.log_probability, lengths=lengths, coverage=found.coverage, rules=rules)
    weights = None
    if read is not None:
        slots = found.slots[:, :, :time]  # [batch, n, time]
        row, step = tf.range(tf.shape(slots)[0])[:, tf.newaxis, tf.newaxis], tf.range(time)
        index = tf.stack([row + tf.zeros_like(slots), slots, step + tf.zeros_like(slots)], axis=-1)
        weights = tf.where((tokens != PAD)[..., tf.newaxis], tf.gather_nd(read, index), 0.0)
    return Hypotheses(tokens, scores, found.log_probability, lengths, weights)
