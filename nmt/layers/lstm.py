"""The LSTM layer.

The kernel knows no masks. The layer moves each row's real steps to the front, in the direction it reads
(`reading_order`), so padding comes last, where nothing reads it, and its gradient is zero by itself.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from nmt.layers.lstm_kernel import LSTMState, Normalization, lstm_sequence, normalize
from nmt.layers.products import add_bias, product
from nmt.layers.recurrent import RecurrentLayer
from nmt.layers.shapes import sizes


def reading_order(mask, backwards):
    """For each row, the positions of its real steps in the order read, then the padded ones.

    Args: mask bool [batch, time]; backwards: read from each row's last real step to its first.
    Returns: int32 [batch, time] order, and its inverse: the place of each position in that order.
    """
    time = tf.shape(mask)[1]
    position = tf.range(time)
    rank = time - 1 - position if backwards else position
    order = tf.argsort(tf.where(mask, rank, rank + time), axis=1)
    return order, tf.argsort(order, axis=1)


@tf.custom_gradient
def permute_time(values, order, inverse):
    """values [batch, time, ...] with each row's steps in `order`; the gradient is gathered too, never scattered."""

    def gradient(upstream):
        return tf.gather(upstream, inverse, batch_dims=1), None, None

    return tf.gather(values, order, batch_dims=1), gradient


@keras.saving.register_keras_serializable("nmt")
class LSTM(RecurrentLayer):
    """Long short-term memory, called like `keras.layers.LSTM`.

    Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; the equations are in docs/lstm.md.

    Args:
        units: size of hidden state and cell.
        return_sequences: return the output of every step instead of the last one.
        return_state: return the final hidden state and cell after the output.
        go_backwards: read each row from its last real step to its first, and return the outputs of all steps in that
            order: the last step's first. The mask that is handed on is reversed with them.
        layer_normalization: normalize the gates' two halves and the cell (Ba et al. 2016).
        recurrent_dropout: rate on the hidden state where it enters the gates, one mask a row for all steps (Gal &
            Ghahramani 2016); in training only.

    Call with inputs float [batch, time, size], optionally `initial_state`, hidden state and cell, float [batch, units]
    each, and `mask` bool [batch, time] (True = real, anywhere), which a layer before may have attached. A padded step
    keeps the state, and its output is zero.
    Returns the output float32 [batch, units], the last real step's, or [batch, time, units]; with return_state followed
    by hidden state and cell, float32 [batch, units] each. States are float32 under a mixed policy, too.
    """

    def __init__(self, units, *, go_backwards=False, layer_normalization=False, recurrent_dropout=0.0, **options):
        super().__init__(**options)
        if not (isinstance(units, int) and units > 0):
            raise ValueError(f"LSTM needs units, the size of its state, as an integer above 0; got {units!r}.")
        self.units = units
        self.go_backwards = go_backwards
        self.layer_normalization = layer_normalization
        self.recurrent_dropout = recurrent_dropout
        self.seed_generator = keras.random.SeedGenerator() if recurrent_dropout else None
        self.output_sizes = (units,)
        self.state_sizes = LSTMState(units, units)

    def build(self, inputs_shape):
        self.kernel = self._kernel_weight("kernel", inputs_shape[-1], "glorot_uniform")
        self.recurrent_kernel = self._kernel_weight("recurrent_kernel", self.units, _orthogonal)
        self.bias = self._weight("bias", (4 * self.units,), forget_bias)
        if self.layer_normalization:
            self.input_gain = self._weight("input_gain", (4 * self.units,), "ones")
            self.gate_gain = self._weight("gate_gain", (4 * self.units,), "ones")
            self.cell_gain = self._weight("cell_gain", (self.units,), "ones")
            self.cell_bias = self._weight("cell_bias", (self.units,), "zeros")

    def _kernel_weight(self, name, size, initializer):
        return self._weight(name, (size, 4 * self.units), initializer)

    def _weight(self, name, shape, initializer):
        # Keras would round it to the compute dtype; the kernel itself casts what it multiplies, once.
        return self.add_weight(shape, initializer=initializer, name=name, autocast=False)

    def scan(self, inputs, initial_state=None, mask=None, training=False):
        if mask is None and self.go_backwards:
            mask = tf.ones(tf.shape(inputs)[:2], tf.bool)
        entering = inputs
        if mask is not None:
            order, inverse = reading_order(mask, self.go_backwards)
            entering = permute_time(inputs, order, inverse)
        state = self._state(initial_state, tf.shape(inputs)[0])
        hiddens, cells = self._recurrence(
            self._gate_inputs(tf.transpose(entering, [1, 0, 2])),  # [time, batch, 4 * units]
            state,
            hidden_mask=self._hidden_mask(state.hidden, training),
            normalization=self._normalization(),
            dtype=tf.as_dtype(self.compute_dtype),
        )
        outputs = tf.transpose(hiddens, [1, 0, 2])  # [batch, time, units]
        if mask is None:
            return outputs, LSTMState(hiddens[-1], cells[-1])
        outputs = permute_time(outputs, inverse, order) * tf.cast(mask, outputs.dtype)[..., tf.newaxis]
        return outputs, _state_after(tf.reduce_sum(tf.cast(mask, tf.int32), axis=1), hiddens, cells, state)

    def _state(self, given, batch) -> LSTMState:
        if given is None:
            zeros = tf.zeros([batch, self.units], self.state_dtype)
            return LSTMState(zeros, zeros)
        if len(given) != 2:
            raise ValueError(f"LSTM needs an initial_state of two tensors, hidden state and cell; got {len(given)}.")
        return LSTMState(*(tf.cast(part, self.state_dtype) for part in given))

    def _last_outputs(self, outputs, state, mask):
        return state.hidden

    def _reading_order(self, outputs):
        return keras.ops.flip(outputs, axis=1) if self.go_backwards else outputs

    def get_config(self) -> dict[str, Any]:
        names = ("units", "go_backwards", "layer_normalization", "recurrent_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _value(self, variable):
        """A weight in the dtype of sums and states."""
        return tf.cast(variable.value, self.state_dtype)

    def _gate_inputs(self, inputs):
        """What the inputs add to the gates, for all steps at once: [time, batch, size] -> [time, batch, 4 * units]."""
        time, batch, size = sizes(inputs)
        gates = self._input_product(tf.reshape(inputs, [time * batch, size]))  # [time * batch, 4 * units]
        if self.layer_normalization:
            normalized, _ = normalize(tf.reshape(gates, [-1, 4, self.units]))
            gates = tf.reshape(normalized, tf.shape(gates)) * self._value(self.input_gain)
        return add_bias(tf.reshape(gates, [time, batch, 4 * self.units]), self._value(self.bias))

    def _input_product(self, inputs):
        return product(inputs, self.kernel.value, tf.as_dtype(self.compute_dtype))

    def _recurrence(self, gate_inputs, state, **options):
        return lstm_sequence(gate_inputs, self.recurrent_kernel.value, state, **options)

    def _hidden_mask(self, hidden, training):
        if not (training and self.recurrent_dropout):
            return None
        ones = tf.ones_like(hidden)
        return keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def _normalization(self):
        if not self.layer_normalization:
            return None
        return Normalization(*map(self._value, (self.gate_gain, self.cell_gain, self.cell_bias)))


def _orthogonal(shape, dtype=None):
    """Saxe et al. 2014; made in float32, as TensorFlow has no QR decomposition for bfloat16."""
    return tf.cast(keras.initializers.Orthogonal()(shape, dtype="float32"), dtype)


def forget_bias(shape, dtype=None):
    """Zeros but for the forget gate, which starts open (Gers et al. 2000; Jozefowicz et al. 2015)."""
    zeros = tf.zeros(shape[0] // 4, dtype)
    return tf.concat([zeros, tf.ones_like(zeros), zeros, zeros], axis=0)


def _state_after(lengths, hiddens, cells, first: LSTMState) -> LSTMState:
    """The state after each row's last real step: the first state where it has none."""
    index = tf.stack([tf.maximum(lengths - 1, 0), tf.range(tf.shape(lengths)[0])], axis=1)  # [batch, 2]
    has_steps = (lengths > 0)[:, tf.newaxis]
    last = LSTMState(tf.gather_nd(hiddens, index), tf.gather_nd(cells, index))
    return LSTMState(*(tf.where(has_steps, after, before) for after, before in zip(last, first, strict=True)))
