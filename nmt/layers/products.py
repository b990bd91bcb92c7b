"""Matrix products in one precision, sums in another."""

from __future__ import annotations

import tensorflow as tf

from nmt.layers.shapes import reshape, sizes


def accumulator(dtype):
    """The dtype that sums and states are kept in where products are computed in `dtype`."""
    return tf.float64 if dtype == tf.float64 else tf.float32


def product(left, right, dtype, **options):
    """As rounded_product, returned in float32 (or float64 where that is `dtype`)."""
    return tf.cast(rounded_product(left, right, dtype, **options), accumulator(dtype))


def rounded_product(left, right, dtype, *, transposed=False, **options):
    """Matrix product computed and returned in `dtype`.

    A `left` of more dimensions meets one matrix as one tall matrix: TensorFlow would take it slice by slice, and make a
    gradient of the matrix for every slice.

    Args: transposed: `right` is stored as its transpose, [columns, rows]. The product is then computed as a tall matrix
        times a narrow one and transposed back, which is faster for few rows (docs/performance.md).
    """
    flat = tf.reshape(left, [-1, left.shape[-1]]) if len(left.shape) > len(right.shape) == 2 else left
    flat, right = tf.cast(flat, dtype), tf.cast(right, dtype)
    result = tf.transpose(tf.matmul(right, flat, transpose_b=True)) if transposed else tf.matmul(flat, right, **options)
    if len(left.shape) > len(flat.shape):
        result = reshape(result, *sizes(left)[:-1], sizes(result)[-1])
    return result


@tf.custom_gradient
def add_bias(values, bias):
    """values [..., size] + bias [size], whose gradient as TensorFlow derives it takes five times as long."""
    return values + bias, lambda upstream: (upstream, tf.raw_ops.BiasAddGrad(out_backprop=upstream))
