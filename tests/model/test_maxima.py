"""Blocks hold each value of a table once, in order, and their maxima are exact in every dtype and for every size."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.model.maxima import BLOCK, block_maxima, in_blocks

SIZES = [1, 7, BLOCK, 131, 132, 4000]  # a block that is full or is not, several of some other width


def table(rows, columns, dtype):
    """Rows of large and small numbers of either sign, of negative ones only, and of nothing but zeros and -inf."""
    values = np.random.default_rng(0).normal(scale=10.0, size=(rows, 3, columns))
    values[:, 1] = -np.abs(values[:, 1])
    values[:, 2] = np.where(values[:, 2] > 0, -np.inf, 0.0 * values[:, 2])
    return tf.cast(values.reshape(-1, columns), dtype)


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("rows", [0, 4])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.float64])
def test_the_maxima_of_blocks_are_those_of_their_columns(dtype, rows, columns):
    values = table(rows, columns, dtype)
    blocks = in_blocks(values)
    maxima = block_maxima(values)
    width, count = blocks.shape[1], maxima.shape[1]
    numbers = np.full((3 * rows, count * width), -np.inf)
    numbers[:, :columns] = tf.cast(values, tf.float64)

    np.testing.assert_array_equal(tf.cast(blocks, tf.float64), numbers.reshape(-1, width))
    np.testing.assert_array_equal(maxima, numbers.reshape(3 * rows, count, width).max(axis=2))
    assert maxima.dtype == (tf.float32 if dtype == tf.bfloat16 else dtype)
    assert count == -(-columns // width)


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_a_graph_that_does_not_know_the_number_of_columns_takes_whole_blocks_only(dtype):
    maxima = tf.function(block_maxima, input_signature=[tf.TensorSpec([None, None], dtype)], autograph=False)
    values = table(2, 3 * BLOCK, dtype)
    expected = np.reshape(tf.cast(values, tf.float32), (6, 3, BLOCK)).max(axis=2)
    np.testing.assert_array_equal(maxima(values), expected)
    assert maxima(values[:0]).shape == (0, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        maxima(values[:, :-1])
