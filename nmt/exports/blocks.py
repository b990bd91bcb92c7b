"""Any number of rows in blocks of a token budget, inside a graph: the memory of a search does not grow with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nmt.text.tokenizer import PAD


def in_blocks(search: Callable[[tf.Tensor], Any], source: tf.Tensor, *, budget: int) -> Any:
    """The results of `search` for the rows of a batch, computed in blocks of similar lengths.

    Args:
        search: source int32 [rows, source_time] -> a nest of tensors [rows, ...] and of None; it is traced once, and
            each row's result depends on that row alone.
        source: int32 [batch, source_time], padded with PAD at the end; a block has a column at least.
        budget: rows x longest of a block; a row that is longer is a block of its own.

    Returns: what `search` does, [batch, ...]; zeros (PAD) are behind those that another block is wider than.
    """
    compiled = tf.function(search, input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    structure = compiled.get_concrete_function().structured_outputs
    specs = _tensors(structure)
    source = tf.pad(source, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(source)[1])]], constant_values=PAD)
    lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32)  # [batch]
    order = tf.argsort(lengths, stable=True)
    ascending = tf.gather(lengths, order)
    nothing = [tf.zeros([size or 0 for size in spec.shape], spec.dtype) for spec in specs]

    def body(start: tf.Tensor, done: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        rest = ascending[start:]
        fitting = tf.math.count_nonzero(tf.range(1, tf.size(rest) + 1) * rest <= budget, dtype=tf.int32)
        end = start + tf.maximum(fitting, 1)
        longest = tf.maximum(tf.reduce_max(ascending[start:end]), 1)  # of no rows: -2^31
        block = tf.gather(source, order[start:end])[:, :longest]
        found = _tensors(compiled(block))
        together = [_behind(before, new) for before, new in zip(done, found, strict=True)]
        return end, [tf.ensure_shape(rows, spec.shape) for rows, spec in zip(together, specs, strict=True)]

    _, done = tf.while_loop(
        lambda start, _: (start == 0) | (start < tf.size(order)),  # once at least: no rows have a result, too
        body,
        (tf.constant(0), nothing),
        shape_invariants=(tf.TensorShape([]), [spec.shape for spec in specs]),
        parallel_iterations=1,
    )
    places = tf.math.invert_permutation(order)
    results = iter([tf.gather(result, places) for result in done])
    return tf.nest.map_structure(lambda spec: None if spec is None else next(results), structure)


def _tensors(nested: Any) -> list[Any]:
    return [each for each in tf.nest.flatten(nested) if each is not None]


def _behind(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The rows of both, the second's behind, as wide as the wider in each dimension."""
    widths = tf.maximum(tf.shape(first)[1:], tf.shape(second)[1:])

    def widened(rows: tf.Tensor) -> tf.Tensor:
        missing = tf.concat([[0], widths - tf.shape(rows)[1:]], axis=0)
        return tf.pad(rows, tf.stack([tf.zeros_like(missing), missing], axis=1))

    return tf.concat([widened(first), widened(second)], axis=0)
