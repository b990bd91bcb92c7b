"""Shapes, as far as they are known before a graph runs: to reshape to what is known costs no other operation there."""

from __future__ import annotations

import tensorflow as tf


def sizes(tensor) -> list:
    """An int for each axis whose size is known, an int32 scalar for each other."""
    shape = tf.shape(tensor)
    return [shape[axis] if size is None else size for axis, size in enumerate(tensor.shape)]


def reshape(values, rows, *others):
    """`values` as [rows, *others]."""
    # What is left is the rows; of an empty tensor that cannot be told where another size may be 0 too.
    known = all(isinstance(size, int) and size for size in others)
    return tf.reshape(values, [-1 if known else rows, *others])
