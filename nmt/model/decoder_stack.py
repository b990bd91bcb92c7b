"""The decoder's layers above the first, which all read the context."""

from __future__ import annotations

import keras
import tensorflow as tf

from nmt.layers.products import accumulator
from nmt.model.linear import concatenate


class DecoderStack(keras.layers.Layer):
    """LSTMs one on another, each of which reads the context beside its inputs; residual (Wu et al. 2016, 3.1).

    Args:
        layers: LSTMs of equal units, or none: the outputs are then the inputs.
        dropout: rate on the input of every layer but the first; in training only.

    Call with inputs [rows, time, units], `context` [rows, time, size] and a state for each layer.
    Returns outputs float32 [rows, time, units] and a tuple of the final states.
    """

    def __init__(self, layers: list[keras.layers.Layer], *, dropout: float, **options):
        super().__init__(autocast=False, **options)
        self.layers = layers
        self.dropout = keras.layers.Dropout(dropout, autocast=False)

    def build(self, inputs_shape, context_shape):
        for layer in self.layers:
            layer.build((*inputs_shape[:-1], inputs_shape[-1] + context_shape[-1]))

    def call(self, inputs, context, states, training=False):
        sums = accumulator(tf.as_dtype(self.compute_dtype))
        final_states = []
        for place, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            entering = self.dropout(inputs, training=training) if place else inputs
            entering = concatenate([entering, context], self.compute_dtype)
            outputs, final_state = layer.scan(entering, initial_state=state, training=training)
            final_states.append(final_state)
            inputs = tf.cast(outputs, sums) + tf.cast(inputs, sums)
        return inputs, tuple(final_states)
