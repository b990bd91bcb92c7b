"""A product with one matrix."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nmt.layers.products import accumulator, add_bias, product
from nmt.layers.shapes import sizes

ONES = 32  # as many as matrix units multiply at once: a single one would cost as much


def concatenate(parts, dtype):
    """Along the last axis, in the dtype of the product that reads them: cast first, half as much is copied.

    A part without any elements is left out, so that a single other one is not copied for it.
    """
    return tf.concat([tf.cast(part, dtype) for part in parts if part.shape[-1] != 0], axis=-1)


def transpose_weights(weights: dict[str, np.ndarray], *variables: keras.Variable) -> None:
    """Replaces the arrays of `variables`, of those `weights` by their paths that are there, by their transposes."""
    for path in {variable.path for variable in variables} & weights.keys():
        weights[path] = weights[path].T


def with_ones(inputs, dtype):
    """inputs [..., size] in `dtype`, with ONES more that are 1: [..., size + ONES]."""
    return concatenate([inputs, tf.ones([*sizes(inputs)[:-1], ONES], dtype)], dtype)


def with_bias(kernel, bias, dtype):
    """The weights of inputs with_ones, in `dtype`, by which the bias is added in their product: [units, size + ONES].

    To add it afterwards is a pass over all that comes of the product. What rounding leaves of it is a second weight.

    Args: kernel float [units, size], bias float [units].
    """
    rounded = tf.cast(bias, dtype)
    columns = tf.stack([rounded, tf.cast(bias - tf.cast(rounded, bias.dtype), dtype)], axis=1)
    return concatenate([kernel, tf.pad(columns, [[0, 0], [0, ONES - 2]])], dtype)


@keras.saving.register_keras_serializable("nmt")
class Linear(keras.layers.Layer):
    """inputs @ kernel, plus a bias. As keras.layers.Dense, but sums are float32 whatever the products are made in.

    Args:
        units: size of what comes out.
        use_bias: whether there is a bias.
        transposed: store the kernel as [units, size]: see products.rounded_product.

    Call with inputs float [..., size]. Returns float32 [..., units].
    """

    def __init__(self, units, *, use_bias=True, transposed=False, **options):
        super().__init__(autocast=False, **options)
        self.units = units
        self.use_bias = use_bias
        self.transposed = transposed

    def build(self, inputs_shape):
        shape = (inputs_shape[-1], self.units)
        # Keras would round them to the compute dtype; what is multiplied is cast where it is multiplied.
        self.kernel = self.add_weight(shape[::-1] if self.transposed else shape, name="kernel", autocast=False)
        if self.use_bias:
            self.bias = self.add_weight((self.units,), initializer="zeros", name="bias", autocast=False)

    def call(self, inputs):
        dtype = tf.as_dtype(self.compute_dtype)
        outputs = product(inputs, self.kernel.value, dtype, transposed=self.transposed)
        return add_bias(outputs, tf.cast(self.bias.value, accumulator(dtype))) if self.use_bias else outputs

    def convert_weights(self, weights: dict[str, np.ndarray]) -> None:
        """See Seq2Seq.converted_weights."""
        if self.transposed:
            transpose_weights(weights, self.kernel)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "use_bias": self.use_bias, "transposed": self.transposed}
        return {**super().get_config(), **own}
