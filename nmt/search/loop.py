"""The loop of a search: the state it carries from token to token, and how finished rows leave it.

Most rows of a large batch finish long before the last. They leave, so that no step computes for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.layers.shapes import reshape, sizes
from nmt.search.definitions import CROWDED, IMPOSSIBLE
from nmt.search.rules import Rules, rules_of_rows
from nmt.text.tokenizer import BOS, PAD


class Beam(NamedTuple):
    """Some hypotheses of each source row. One with rank -inf is not there. Fields that no option needs are ()."""

    rank: tf.Tensor  # float32 [batch, size], what they are compared by
    log_probability: tf.Tensor  # float32 [batch, size]
    tokens: tf.Tensor  # int32 [batch, size, max_time]
    slots: Any  # int32 [batch, size, max_time], the slot of the beam whose step wrote each token
    coverage: Any  # float32 [batch, size, source_time], attention weights so far, summed over the steps
    missing: Any  # int32 [batch, size, symbols], how often each required symbol is still to be written


class Progress(NamedTuple):
    """The loop variables. When sampling, hypotheses keep their slots: there are no `finished` and `num_finished`, and
    the rank of one in `alive` is 0, or -inf once it has ended.
    """

    time: tf.Tensor  # int32 [], tokens written so far
    source_rows: tf.Tensor  # int32 [batch], which rows of the first batch are left; below, batch is these only
    tokens: tf.Tensor  # int32 [batch, size], the last ones
    state: Any
    alive: Beam
    finished: Any  # Beam of n_best, best first
    num_finished: Any  # int32 [batch], all that ever ended


# Progress, memory and the rules of its rows -> progress after one more token, and the attention weights of that step.
Advance = Callable[[Progress, Any, Rules], tuple[Progress, tf.Tensor]]


def start_search(state: Any, rules: Rules, *, size: int, with_weights: bool) -> tuple[Progress, Any]:
    """`size` empty hypotheses for each row, all of them alive; the attention weights of no step yet, for run_loop."""
    batch = tf.size(rules.maximum)
    nothing = tf.zeros([batch, size])
    history = tf.fill([batch, size, rules.max_time], PAD)
    slots = tf.zeros_like(history) + tf.range(size)[:, tf.newaxis] if with_weights else ()  # each its own, at first
    coverage = tf.zeros([batch, size, tf.shape(rules.source_mask)[2]]) if rules.options.coverage_penalty else ()
    missing = () if rules.required is None else tf.repeat(rules.required[:, tf.newaxis], size, axis=1)
    progress = Progress(
        time=tf.constant(0),
        source_rows=tf.range(batch),
        tokens=tf.fill([batch, size], BOS),
        state=take_rows(state, tf.repeat(tf.range(batch), size)) if size > 1 else state,
        alive=Beam(nothing, nothing, history, slots, coverage, missing),
        finished=(),
        num_finished=(),
    )
    return progress, tf.zeros([batch * size, 0, tf.shape(rules.source_mask)[2]]) if with_weights else ()


def run_loop(
    advance: Advance, progress: Progress, weights: Any, memory: Any, rules: Rules, *, size: int
) -> tuple[Beam, tf.Tensor | None]:
    """Advances until no hypothesis is alive.

    Args: weights: what the steps so far have read, float32 [batch x size, time, source_time]; () = not to be kept.
    Returns: what was found for each row of the batch; the attention weights of each step, float32 [batch, size, time,
        source_time], 0 where a row was done, or None.
    """
    batch, source_time = tf.size(rules.maximum), tf.shape(rules.source_mask)[2]
    with_weights = not isinstance(weights, tuple)

    def leave(progress: Progress, found: Beam, weights: Any) -> tuple[Progress, Beam, Any]:
        """Drops finished rows, advances until many others are finished, and stores the results of all."""
        progress = _drop_done(progress, size)
        rows = progress.source_rows
        read, own = take_rows(memory, rows), rules_of_rows(rules, rows)
        steps = tf.TensorArray(tf.float32, rules.max_time, element_shape=[None, None]) if with_weights else ()

        def body(progress: Progress, steps: Any) -> tuple[Progress, Any]:
            advanced, weights = advance(progress, read, own)
            # What a loop carries has to have the same static shapes before and after its body.
            tf.nest.map_structure(lambda old, new: new.set_shape(old.shape), progress.state, advanced.state)
            return advanced, steps.write(progress.time, weights) if with_weights else ()

        before = progress.time
        progress, steps = tf.while_loop(
            lambda progress, _: _is_crowded(progress),
            body,
            (progress, steps),
            maximum_iterations=rules.max_time,
            parallel_iterations=1,
        )
        found = tf.nest.map_structure(
            lambda all_, some: tf.tensor_scatter_nd_update(all_, rows[:, tf.newaxis], some), found, _found(progress)
        )
        if with_weights:
            made = tf.transpose(steps.gather(tf.range(before, progress.time)), [1, 0, 2])  # [rows, steps, source_time]
            of_all = [batch * size, progress.time - before, source_time]
            made = tf.scatter_nd(_beam_rows(rows, size)[:, tf.newaxis], made, of_all)
            weights = tf.concat([weights, made], axis=1)
        return progress, found, weights

    variables = (progress, _found(progress))
    _, found, weights = tf.while_loop(
        lambda progress, *_: tf.reduce_any(_goes_on(progress)),
        leave,
        (*variables, weights),
        shape_invariants=(
            *tf.nest.map_structure(_of_any_batch, variables),
            tf.TensorShape([None, None, None]) if with_weights else (),
        ),
        maximum_iterations=rules.max_time,
        parallel_iterations=1,
    )
    return found, reshape(weights, batch, size, *sizes(weights)[1:]) if with_weights else None


def _found(progress: Progress) -> Beam:
    return progress.finished or progress.alive


def _goes_on(progress: Progress) -> tf.Tensor:
    """Which rows have hypotheses alive: bool [batch]."""
    return tf.reduce_any(progress.alive.rank > IMPOSSIBLE, axis=1)


def _is_crowded(progress: Progress) -> tf.Tensor:
    """Whether too many rows are unfinished for any to leave."""
    going, rows = tf.math.count_nonzero(_goes_on(progress), dtype=tf.float32), tf.size(progress.source_rows)
    return going > CROWDED * tf.cast(rows, tf.float32)


def _drop_done(progress: Progress, size: int) -> Progress:
    """The unfinished rows."""
    keep = tf.cast(tf.where(_goes_on(progress))[:, 0], tf.int32)
    by_row = progress._replace(time=(), state=())  # all else has a row a source
    state = take_rows(progress.state, _beam_rows(keep, size))
    return take_rows(by_row, keep)._replace(time=progress.time, state=state)


def _beam_rows(rows: tf.Tensor, size: int) -> tf.Tensor:
    """Where the hypotheses of `rows` int32 [batch] are: int32 [batch x size]."""
    return tf.reshape(rows[:, tf.newaxis] * size + tf.range(size), [-1])


def take_rows(nested: Any, rows: tf.Tensor) -> Any:
    """The `rows` int32 [some] of each tensor of a nest."""
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), nested)


def _of_any_batch(variable: tf.Tensor) -> tf.TensorShape:
    """The shape that a loop's variable keeps when rows leave."""
    return tf.TensorShape([None, *variable.shape[1:]] if variable.shape.rank else [])
