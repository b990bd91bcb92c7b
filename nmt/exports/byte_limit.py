"""Cuts lines off behind a number of bytes, in a graph: before anything whose cost grows with them looks at them."""

from __future__ import annotations

import tensorflow as tf

CHARACTER_BYTES = 4  # of UTF-8, at most


def cut_in_graph(lines: tf.Tensor, limit: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The first `limit` bytes of string [batch], fewer where a character of UTF-8 would be cut; what was cut, bool.

    Args: limit: CHARACTER_BYTES at least.
    """
    lengths = tf.strings.length(lines, unit="BYTE")  # [batch]
    window = limit - CHARACTER_BYTES + 1  # where a character begins that ends behind the limit, or one behind the limit
    found = tf.strings.substr(
        lines, tf.minimum(lengths, window), tf.fill(tf.shape(lengths), CHARACTER_BYTES), unit="BYTE"
    )
    found = tf.cast(tf.io.decode_raw(found, tf.uint8, fixed_length=CHARACTER_BYTES), tf.int32)  # [batch, 4]
    begins = tf.bitwise.bitwise_and(found, 0b1100_0000) != 0b1000_0000  # and no continuation
    place = tf.reduce_max(tf.where(begins, tf.range(CHARACTER_BYTES), -1), axis=1)
    kept = tf.where(place < 0, limit, window + place)  # [batch]; four continuations are no UTF-8
    return tf.strings.substr(lines, tf.zeros_like(kept), kept, unit="BYTE"), lengths > limit
