"""LSTM layers for any Keras model: one direction, both, or a stack.

The kernel knows no masks. A layer moves each row's real steps to the front, in the direction it reads
(`reading_order`), so padding comes last, where nothing reads it, and its gradient is zero by itself.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nmt.layers.lstm_kernel import (
    LSTMState,
    Normalization,
    accumulator,
    add_bias,
    lstm_sequence,
    lstm_step,
    normalize,
    product,
    side_by_side,
    turn,
)
from nmt.layers.shapes import sizes


def reading_order(mask, reverse):
    """For each row, the positions of its real steps in the order read, then the padded ones.

    Args: mask bool [batch, time]; reverse: read from each row's last real step to its first.
    Returns: int32 [batch, time] order, and its inverse: the place of each position in that order.
    """
    time = tf.shape(mask)[1]
    position = tf.range(time)
    rank = time - 1 - position if reverse else position
    order = tf.argsort(tf.where(mask, rank, rank + time), axis=1)
    return order, tf.argsort(order, axis=1)


@tf.custom_gradient
def permute_time(values, order, inverse):
    """values [batch, time, ...] with each row's steps in `order`; the gradient is gathered too, never scattered."""

    def gradient(upstream):
        return tf.gather(upstream, inverse, batch_dims=1), None, None

    return tf.gather(values, order, batch_dims=1), gradient


@keras.saving.register_keras_serializable("nmt")
class LSTM(keras.layers.Layer):
    """A layer of LSTM cells.

    Args:
        units: size of hidden state and cell.
        reverse: read each row from its last real step to its first; outputs stay in the inputs' order.
        layer_normalization: normalize the gates' two halves and the cell (Ba et al. 2016).
        recurrent_dropout: rate on the hidden state where it enters the gates, one mask a row for all steps (Gal &
            Ghahramani 2016); in training only.
        turned: keep the kernels as [4 * units, size] instead of [size, 4 * units]: to translate is faster then
            (lstm_kernel.product).
        joined: keep turned kernels as one, `kernels` [4 * units, size + units], of which a single step makes one
            product; not with layer_normalization, for which each half of the gates is for itself.

    Call with inputs float [batch, time, size], optionally `initial_state` LSTMState, `mask` bool [batch, time]
    (True = real, anywhere) and, where nothing is normalized, `gate_inputs` float [batch, time, 4 * units], which enter
    the gates (i, f, o, g) as they are, in place of the bias. A padded step keeps the state and outputs zero.
    Returns outputs float32 [batch, time, units] and the final LSTMState; of a single step by joined kernels outputs and
    hidden state have `hidden_dtype`.
    """

    def __init__(
        self,
        units,
        *,
        reverse=False,
        layer_normalization=False,
        recurrent_dropout=0.0,
        turned=False,
        joined=False,
        **options,
    ):
        super().__init__(autocast=False, **options)
        if joined and (layer_normalization or not turned):
            raise ValueError("Only kernels that are turned, and whose products are not normalized, can be joined.")
        self.units = units
        self.reverse = reverse
        self.layer_normalization = layer_normalization
        self.recurrent_dropout = recurrent_dropout
        self.turned = turned
        self.joined = joined
        self.seed_generator = keras.random.SeedGenerator() if recurrent_dropout else None
        self.supports_masking = True

    def build(self, inputs_shape):
        size = inputs_shape[-1]
        if self.joined:
            self.kernels = self._weight("kernels", self._shape(size + self.units), "glorot_uniform")
        else:
            self.kernel = self._weight("kernel", self._shape(size), "glorot_uniform")
            self.recurrent_kernel = self._weight("recurrent_kernel", self._shape(self.units), _orthogonal)
        self.bias = self._weight("bias", (4 * self.units,), _forget_bias)
        if self.layer_normalization:
            self.input_gain = self._weight("input_gain", (4 * self.units,), "ones")
            self.gate_gain = self._weight("gate_gain", (4 * self.units,), "ones")
            self.cell_gain = self._weight("cell_gain", (self.units,), "ones")
            self.cell_bias = self._weight("cell_bias", (self.units,), "zeros")

    def _shape(self, inputs):
        """Of a kernel."""
        return (4 * self.units, inputs) if self.turned else (inputs, 4 * self.units)

    def _weight(self, name, shape, initializer):
        # Keras would round it to the compute dtype; the kernel itself casts what it multiplies, once.
        return self.add_weight(shape, initializer=initializer, name=name, autocast=False)

    def call(self, inputs, initial_state=None, mask=None, gate_inputs=None, training=False):
        dtype = tf.as_dtype(self.compute_dtype)
        if self._is_step(inputs, mask):
            return self._step(inputs, initial_state, gate_inputs, training)
        kernel, recurrent_kernel = self._kernels(inputs.shape[-1])
        if mask is None and self.reverse:
            mask = tf.ones(tf.shape(inputs)[:2], tf.bool)
        entering = [inputs] if gate_inputs is None else [inputs, gate_inputs]
        if mask is not None:
            order, inverse = reading_order(mask, self.reverse)
            entering = [permute_time(values, order, inverse) for values in entering]
        entering = [tf.transpose(values, [1, 0, 2]) for values in entering]  # [time, batch, size]
        state = self._state(initial_state, tf.shape(inputs)[0], self._state_dtype)
        hiddens, cells = lstm_sequence(
            self._gate_inputs(kernel, dtype, *entering),
            recurrent_kernel,
            state,
            hidden_mask=self._hidden_mask(state.hidden, training),
            normalization=self._normalization(),
            dtype=dtype,
            turned=self.turned,
        )
        outputs = tf.transpose(hiddens, [1, 0, 2])  # [batch, time, units]
        if mask is None:
            return outputs, LSTMState(hiddens[-1], cells[-1])
        outputs = permute_time(outputs, inverse, order) * tf.cast(mask, outputs.dtype)[..., tf.newaxis]
        return outputs, _state_after(tf.reduce_sum(tf.cast(mask, tf.int32), axis=1), hiddens, cells, state)

    def _is_step(self, inputs, mask):
        """Whether it is one step for each row, of joined kernels."""
        return self.joined and inputs.shape[1] == 1 and mask is None

    def _step(self, inputs, initial_state, gate_inputs, training):
        """As `call`, for one step of each row, all of them real."""
        state = self._state(initial_state, tf.shape(inputs)[0], self.hidden_dtype)
        mask = self._hidden_mask(state.hidden, training)
        if gate_inputs is None:
            gate_inputs = self._value(self.bias)[:, tf.newaxis]
        else:
            gate_inputs = tf.cast(tf.transpose(tf.squeeze(gate_inputs, axis=1)), self._state_dtype)
        state = lstm_step(
            tf.squeeze(inputs, axis=1),
            state if mask is None else state._replace(hidden=state.hidden * mask),
            self.kernels.value,
            gate_inputs,
            dtype=tf.as_dtype(self.compute_dtype),
        )
        return state.hidden[:, tf.newaxis], state

    def _kernels(self, size):
        """Those of the inputs and of the hidden state."""
        if self.joined:
            return tf.split(self.kernels.value, [size, self.units], axis=1)
        return self.kernel.value, self.recurrent_kernel.value

    def _state(self, given, batch, hidden_dtype) -> LSTMState:
        hidden, cell = self.zero_state(batch) if given is None else given
        return LSTMState(tf.cast(hidden, hidden_dtype), tf.cast(cell, self._state_dtype))

    def zero_state(self, batch) -> LSTMState:
        zeros = tf.zeros([batch, self.units], self._state_dtype)
        return LSTMState(zeros, zeros)

    @property
    def hidden_dtype(self):
        """Of the hidden state after a single step: the products' where kernels are joined, as only these read it."""
        return self.compute_dtype if self.joined else self._state_dtype

    @property
    def _state_dtype(self):
        return accumulator(tf.as_dtype(self.compute_dtype))

    def arrange(self, weights: dict[str, np.ndarray]) -> None:
        """Lays out as this layer has them those of `weights`, by path, that it has; given as a plain layer has them."""
        if self.joined:
            apart = [self.kernels.path.removesuffix("kernels") + name for name in ("kernel", "recurrent_kernel")]
            if weights.keys() >= set(apart):
                weights[self.kernels.path] = np.concatenate([weights.pop(path) for path in apart]).T
        elif self.turned:
            turn(weights, self.kernel, self.recurrent_kernel)

    def compute_output_spec(self, inputs, initial_state=None, mask=None, gate_inputs=None, training=False):
        dtype = self._state_dtype.name
        hidden_dtype = self.compute_dtype if self._is_step(inputs, mask) else dtype
        size = (inputs.shape[0], self.units)
        state = LSTMState(keras.KerasTensor(size, hidden_dtype), keras.KerasTensor(size, dtype))
        return keras.KerasTensor((*inputs.shape[:2], self.units), hidden_dtype), state

    def compute_mask(self, inputs, mask=None):
        return mask, None

    def get_config(self) -> dict[str, Any]:
        names = ("units", "reverse", "layer_normalization", "recurrent_dropout", "turned", "joined")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _value(self, variable):
        """A weight in the dtype of sums and states."""
        return tf.cast(variable.value, self._state_dtype)

    def _gate_inputs(self, kernel, dtype, inputs, given=None):
        """What enters the gates' sums beside the hidden state: float32 [time, batch, 4 * units]."""
        time, batch, size = sizes(inputs)
        flat = tf.reshape(inputs, [time * batch, size])
        gates = product(flat, kernel, dtype, turned=self.turned)  # [time * batch, 4 * units]
        if self.layer_normalization:
            normalized, _ = normalize(tf.reshape(gates, [-1, 4, self.units]))
            gates = tf.reshape(normalized, tf.shape(gates)) * self._value(self.input_gain)
        gates = tf.reshape(gates, [time, batch, 4 * self.units])
        return add_bias(gates, self._value(self.bias)) if given is None else gates + tf.cast(given, gates.dtype)

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


def _forget_bias(shape, dtype=None):
    """Zeros but for the forget gate, which starts open (Gers et al. 2000; Jozefowicz et al. 2015)."""
    zeros = tf.zeros(shape[0] // 4, dtype)
    return tf.concat([zeros, tf.ones_like(zeros), zeros, zeros], axis=0)


def _state_after(lengths, hiddens, cells, first: LSTMState) -> LSTMState:
    """The state after each row's last real step: the first state where it has none."""
    index = tf.stack([tf.maximum(lengths - 1, 0), tf.range(tf.shape(lengths)[0])], axis=1)  # [batch, 2]
    has_steps = (lengths > 0)[:, tf.newaxis]
    last = LSTMState(tf.gather_nd(hiddens, index), tf.gather_nd(cells, index))
    return LSTMState(*(tf.where(has_steps, after, before) for after, before in zip(last, first, strict=True)))


@keras.saving.register_keras_serializable("nmt")
class BidirectionalLSTM(keras.layers.Layer):
    """Two LSTMs of units / 2, one a direction, side by side (Schuster & Paliwal 1997).

    Its other arguments are those of LSTM. Call like LSTM.
    Returns outputs [batch, time, units] and the final LSTMState [batch, units] of both directions.
    """

    def __init__(self, units, *, layer_normalization=False, recurrent_dropout=0.0, turned=False, **options):
        super().__init__(autocast=False, **options)
        if units % 2:
            raise ValueError(f"BidirectionalLSTM needs an even number of units, half for each direction; got {units}.")
        self.units = units
        self.direction_options = {
            "layer_normalization": layer_normalization,
            "recurrent_dropout": recurrent_dropout,
            "turned": turned,
        }
        shared = {**self.direction_options, "dtype": self.dtype_policy}
        self.forward = LSTM(units // 2, name="forward", **shared)
        self.backward = LSTM(units // 2, reverse=True, name="backward", **shared)
        self.supports_masking = True

    def build(self, inputs_shape):
        self.forward.build(inputs_shape)
        self.backward.build(inputs_shape)

    def call(self, inputs, initial_state=None, mask=None, training=False):
        first, second = [None, None] if initial_state is None else _halves(initial_state)
        forward, forward_state = self.forward(inputs, initial_state=first, mask=mask, training=training)
        backward, backward_state = self.backward(inputs, initial_state=second, mask=mask, training=training)
        state = [tf.concat(parts, axis=-1) for parts in zip(forward_state, backward_state, strict=True)]
        return tf.concat([forward, backward], axis=-1), LSTMState(*state)

    def compute_mask(self, inputs, mask=None):
        return mask, None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, **self.direction_options}


def _halves(state: LSTMState) -> list[LSTMState]:
    hidden, cell = (tf.split(part, 2, axis=-1) for part in state)
    return [LSTMState(*parts) for parts in zip(hidden, cell, strict=True)]


@keras.saving.register_keras_serializable("nmt")
class StackedLSTM(keras.layers.Layer):
    """Layers of LSTMs, residual where sizes agree, with dropout between them (Wu et al. 2016, 3.1-3.2).

    Args:
        units: of every layer.
        bidirectional_layers: how many of the first layers read both ways.
        layers: how many read forwards only, on top.
        dropout: rate on the input of every layer but the first; in training only.
        layer_normalization, recurrent_dropout, turned: as for LSTM.
        joined: as for LSTM, of the layers that read forwards only.

    Call with inputs [batch, time, size], `initial_state` a sequence of one LSTMState a layer, `mask` as for LSTM, and
    optionally `beside` [batch, time, any], put beside the input of every layer (the decoder's context).
    Returns outputs [batch, time, units] and a tuple of the final states.
    """

    def __init__(
        self,
        units,
        *,
        layers=0,
        bidirectional_layers=0,
        dropout=0.0,
        layer_normalization=False,
        recurrent_dropout=0.0,
        turned=False,
        joined=False,
        **options,
    ):
        super().__init__(autocast=False, **options)
        self.units = units
        self.num_layers = layers
        self.bidirectional_layers = bidirectional_layers
        self.layer_options = {
            "layer_normalization": layer_normalization,
            "recurrent_dropout": recurrent_dropout,
            "turned": turned,
        }
        self.joined = joined
        shared = {**self.layer_options, "dtype": self.dtype_policy}
        places = [f"layer_{place}" for place in range(bidirectional_layers + layers)]
        self.layers: list[keras.layers.Layer] = [
            *(BidirectionalLSTM(units, name=place, **shared) for place in places[:bidirectional_layers]),
            *(LSTM(units, name=place, joined=joined, **shared) for place in places[bidirectional_layers:]),
        ]
        self.dropout = keras.layers.Dropout(dropout, autocast=False)
        self.supports_masking = True

    def build(self, inputs_shape, beside_shape=None):
        beside = beside_shape[-1] if beside_shape else 0
        size = inputs_shape[-1]
        for layer in self.layers:
            layer.build((*inputs_shape[:-1], size + beside))
            size = self.units

    def call(self, inputs, initial_state=None, mask=None, beside=None, training=False):
        sums = accumulator(tf.as_dtype(self.compute_dtype))
        states = []
        for place, layer in enumerate(self.layers):
            entering = self.dropout(inputs, training=training) if place else inputs
            if beside is not None:
                entering = side_by_side([entering, beside], self.compute_dtype)
            first = None if initial_state is None else initial_state[place]
            outputs, state = layer(entering, initial_state=first, mask=mask, training=training)
            states.append(state)
            residual = inputs.shape[-1] == self.units
            inputs = tf.cast(outputs, sums) + tf.cast(inputs, sums) if residual else outputs
        return inputs, tuple(states)

    def compute_mask(self, inputs, mask=None):
        return mask, None

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "layers": self.num_layers, "bidirectional_layers": self.bidirectional_layers}
        own |= {"dropout": self.dropout.rate, "joined": self.joined}
        return {**super().get_config(), **own, **self.layer_options}
