"""Maxima by blocks: of a table with thousands of columns little need be looked at again to find what is large in it.

What a search ranks and what a normalizer starts from are maxima of the same scores; both cut them by these functions,
so that TensorFlow, which makes equal operations of a graph once, goes over them once.
"""

from __future__ import annotations

import tensorflow as tf

from nmt.layers.shapes import reshape, sizes

BLOCK = 64  # columns, where the number of them does not say otherwise


def in_blocks(table):
    """The blocks of a table [rows, columns]: [rows * blocks, width]; -inf fills each row's last one.

    A number of columns that is not known before the graph runs has to be a multiple of BLOCK.
    """
    columns = table.shape[1]
    width = _width(columns)
    if columns and columns % width:
        table = tf.pad(table, [[0, 0], [0, -columns % width]], constant_values=float("-inf"))
    return tf.reshape(table, [-1, width])


def block_maxima(table):
    """The largest of each of a table's in_blocks: [rows, blocks], float32 of bfloat16 too."""
    rows, columns = sizes(table)
    return reshape(_largest(in_blocks(table)), rows, -(-columns // _width(table.shape[1])))


def _largest(blocks):
    """The largest of each row, likewise: [rows]."""
    if blocks.dtype != tf.bfloat16:
        return tf.reduce_max(blocks, axis=1)
    # As integers, for which TensorFlow has vector instructions. The bits of floats have the floats' order, those of
    # negative ones the opposite order, below all others: so the largest float has the largest bits or the smallest.
    bits = tf.bitcast(blocks, tf.int16)
    ends = (tf.reduce_max(bits, axis=1), tf.reduce_min(bits, axis=1))
    return tf.maximum(*(tf.cast(tf.bitcast(end, tf.bfloat16), tf.float32) for end in ends))


def _width(columns: int | None) -> int:
    """A divisor of the number of columns, where there is one, as else the table is copied to be filled."""
    widths = (BLOCK, 80, 48, 96, 112, 128, *range(48, 129))  # whole vectors rather than others
    return next((width for width in widths if columns and columns % width == 0), BLOCK)
