"""LSTM and attention as a model that only translates stores them: kernels transposed, or fused.

A translating model multiplies few rows at a time, for which a transposed kernel is faster (products.rounded_product).
A single step of a decoder's LSTM, which has no other steps to share a product with, makes one product with the kernels
of its inputs and of its hidden state. Each layer converts the weights of the training layer that it replaces
(`convert_weights`); neither is trained.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nmt.layers.attention import SCORES, Attention
from nmt.layers.lstm import LSTM, forget_bias
from nmt.layers.lstm_kernel import LSTMState, activate, lstm_sequence
from nmt.layers.products import accumulator, product
from nmt.layers.stacked_lstm import StackedLSTM
from nmt.model.linear import concatenate, transpose_weights


class TransposedLSTM(LSTM):
    """An LSTM whose kernels are stored as [4 * units, size]."""

    def _kernel_weight(self, name, size, initializer):
        return self._weight(name, (4 * self.units, size), initializer)

    def _input_product(self, inputs):
        return product(inputs, self.kernel.value, tf.as_dtype(self.compute_dtype), transposed=True)

    def _recurrence(self, gate_inputs, state, **options):
        return lstm_sequence(gate_inputs, self.recurrent_kernel.value, state, transposed_kernel=True, **options)

    def convert_weights(self, weights: dict[str, np.ndarray]) -> None:
        """See Seq2Seq.converted_weights."""
        transpose_weights(weights, self.kernel, self.recurrent_kernel)


class TransposedStackedLSTM(StackedLSTM):
    """A StackedLSTM of TransposedLSTMs."""

    layer_class = TransposedLSTM


class FusedLSTM(keras.layers.Layer):
    """A decoder's LSTM with both kernels as one, transposed: `kernels` [4 * units, size + units].

    `scan` is LSTM's, without mask; `gate_inputs` float [rows, time, 4 * units], where they are given, are added to the
    gates (i, f, o, g) in place of the bias. Returns the outputs of all steps and the final LSTMState. Of a single step,
    outputs and hidden state have the dtype of products, as only these read them.
    """

    def __init__(self, units: int, **options):
        super().__init__(autocast=False, **options)
        self.units = units

    def build(self, inputs_shape):
        shape = (4 * self.units, inputs_shape[-1] + self.units)
        self.kernels = self.add_weight(shape, name="kernels", autocast=False)
        self.bias = self.add_weight((4 * self.units,), initializer=forget_bias, name="bias", autocast=False)

    def scan(self, inputs, initial_state, gate_inputs=None, training=False):
        state = LSTMState(*initial_state)
        if inputs.shape[1] == 1:
            added = None if gate_inputs is None else tf.squeeze(gate_inputs, axis=1)
            state = self._step(tf.squeeze(inputs, axis=1), state, added)
            return state.hidden[:, tf.newaxis], state
        dtype = tf.as_dtype(self.compute_dtype)
        kernel, recurrent_kernel = tf.split(self.kernels.value, [inputs.shape[-1], self.units], axis=1)
        gates = self._bias() if gate_inputs is None else tf.cast(gate_inputs, accumulator(dtype))
        if inputs.shape[-1]:
            gates = gates + product(inputs, kernel, dtype, transposed=True)  # [rows, time, 4 * units]
        state = LSTMState(*(tf.cast(part, accumulator(dtype)) for part in state))
        hiddens, cells = lstm_sequence(
            tf.transpose(gates, [1, 0, 2]), recurrent_kernel, state, dtype=dtype, transposed_kernel=True
        )
        return tf.transpose(hiddens, [1, 0, 2]), LSTMState(hiddens[-1], cells[-1])

    def _step(self, inputs, state: LSTMState, gate_inputs) -> LSTMState:
        """One step by one product: two, each transposed back, take 10 to 40% longer.

        Args: inputs float [rows, size]; gate_inputs float [rows, 4 * units] or None.
        """
        dtype = tf.as_dtype(self.compute_dtype)
        # Features lead: so a gate is one piece of memory (see lstm_kernel._Sequence).
        added = self._bias()[:, tf.newaxis] if gate_inputs is None else tf.transpose(gate_inputs)
        entering = concatenate([inputs, state.hidden], dtype)
        sums = tf.matmul(tf.cast(self.kernels.value, dtype), entering, transpose_b=True)  # [4 * units, rows]
        gates, candidate = activate(tf.cast(sums, accumulator(dtype)) + tf.cast(added, accumulator(dtype)), axis=0)
        input_gate, forget_gate, output_gate = tf.split(gates, 3, axis=0)
        cell = forget_gate * tf.transpose(tf.cast(state.cell, accumulator(dtype))) + input_gate * candidate
        hidden = tf.cast(output_gate * tf.tanh(cell), dtype)
        return LSTMState(tf.transpose(hidden), tf.transpose(cell))

    def _bias(self):
        return tf.cast(self.bias.value, accumulator(tf.as_dtype(self.compute_dtype)))

    def convert_weights(self, weights: dict[str, np.ndarray]) -> None:
        """See Seq2Seq.converted_weights."""
        paths = [self.kernels.path.removesuffix("kernels") + name for name in ("kernel", "recurrent_kernel")]
        if weights.keys() >= set(paths):
            weights[self.kernels.path] = np.concatenate([weights.pop(path) for path in paths]).T

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


class TransposedAttention(Attention):
    """An Attention whose queries' kernel is stored as its transpose."""

    def _project_queries(self, queries):
        return self._product(queries, self.query_kernel.value, transposed=True)

    def convert_weights(self, weights: dict[str, np.ndarray]) -> None:
        """See Seq2Seq.converted_weights."""
        if SCORES[self.score].projects_queries:
            transpose_weights(weights, self.query_kernel)
