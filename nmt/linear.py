"""A product with one matrix."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from nmt.lstm_kernel import accumulator, product


@keras.saving.register_keras_serializable("nmt")
class Linear(keras.layers.Layer):
    """inputs @ kernel, plus a bias. As keras.layers.Dense, but sums are float32 whatever the products are made in.

    Args:
        units: size of what comes out.
        use_bias: whether there is a bias.
        turned: keep the kernel as [units, size]: see lstm_kernel.product.

    Call with inputs float [..., size]. Returns float32 [..., units].
    """

    def __init__(self, units, *, use_bias=True, turned=False, **options):
        super().__init__(autocast=False, **options)
        self.units = units
        self.use_bias = use_bias
        self.turned = turned

    def build(self, inputs_shape):
        shape = (inputs_shape[-1], self.units)
        # Keras would round them to the compute dtype; what is multiplied is cast where it is multiplied.
        self.kernel = self.add_weight(shape[::-1] if self.turned else shape, name="kernel", autocast=False)
        if self.use_bias:
            self.bias = self.add_weight((self.units,), initializer="zeros", name="bias", autocast=False)

    def call(self, inputs):
        dtype = tf.as_dtype(self.compute_dtype)
        outputs = product(inputs, self.kernel.value, dtype, turned=self.turned)
        return outputs + tf.cast(self.bias.value, accumulator(dtype)) if self.use_bias else outputs

    @property
    def turned_weights(self):
        """As LSTM's."""
        return [self.kernel] if self.turned else []

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "use_bias": self.use_bias, "turned": self.turned}
        return {**super().get_config(), **own}
