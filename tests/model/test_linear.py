"""A product and its bias are their formula, in value and gradient, whichever way the bias is added."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.layers.products import product
from nmt.model.linear import Linear, with_bias, with_ones

SIZE, UNITS = 3, 5


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (0, 4)])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_linear_layer_is_a_product_and_a_sum_in_value_and_gradient(transposed, shape):
    layer = Linear(UNITS, transposed=transposed)
    inputs, asked, bias = normal(*shape, SIZE), normal(*shape, UNITS), normal(UNITS)
    layer.build(inputs.shape)
    layer.bias.assign(bias)
    kernel = np.transpose(layer.kernel) if transposed else layer.kernel.numpy()
    with tf.GradientTape() as tape:
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * asked)
    of_kernel, of_bias = tape.gradient(loss, [layer.kernel.value, layer.bias.value])

    np.testing.assert_allclose(outputs, inputs @ kernel + bias, rtol=1e-5, atol=1e-6)
    flat_inputs, flat_asked = inputs.reshape(-1, SIZE), asked.reshape(-1, UNITS)
    np.testing.assert_allclose(
        np.transpose(of_kernel) if transposed else of_kernel, flat_inputs.T @ flat_asked, rtol=1e-4
    )
    np.testing.assert_allclose(of_bias, flat_asked.sum(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.float64])
def test_inputs_with_ones_meet_the_bias_among_the_weights(dtype):
    inputs, kernel, bias = normal(2, 4, SIZE), normal(UNITS, SIZE), 100.0 * normal(UNITS)
    weights = with_bias(kernel, bias, dtype)
    found = product(with_ones(inputs, dtype), tf.transpose(weights), dtype)
    np.testing.assert_allclose(found, inputs @ kernel.T + bias, rtol=0.02 if dtype == tf.bfloat16 else 1e-5)
    # Of the bias itself nothing is lost that would matter.
    added = tf.reduce_sum(tf.cast(weights[:, SIZE:], tf.float64), axis=1)
    np.testing.assert_allclose(added, bias, rtol=2**-16)
