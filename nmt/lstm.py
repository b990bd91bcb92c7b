"""The LSTM: one sequence kernel with a hand-derived gradient, and the layers on it.

Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000. Per step, with i, f, o the input, forget and
output gates, g the candidate, c the memory cell and h the hidden state:

    i, f, o = sigmoid(...)    g = tanh(...)    c = f * c + i * g    h = o * tanh(c)

The kernel knows no masks: a layer moves each row's real steps to the front, in the direction it reads (`reading_order`),
so padding comes last, where nothing reads it, and its gradient is zero by itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

EPSILON = 1e-3  # of layer normalization, as in keras.layers.LayerNormalization


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step: float32 [batch, units] each."""

    hidden: tf.Tensor
    cell: tf.Tensor


class Normalization(NamedTuple):
    """Gains and the cell's bias of a layer-normalized LSTM (Ba et al. 2016, eq. 20-22)."""

    gate_gain: tf.Tensor  # [4 * units]
    cell_gain: tf.Tensor  # [units]
    cell_bias: tf.Tensor  # [units]


def product(left, right, dtype, **options):
    """Matrix product computed in `dtype`, returned in float32 (or float64 where that is `dtype`)."""
    result = tf.matmul(tf.cast(left, dtype), tf.cast(right, dtype), **options)
    return tf.cast(result, accumulator(dtype))


def accumulator(dtype):
    """The dtype that sums and states are kept in where products are computed in `dtype`."""
    return tf.float64 if dtype == tf.float64 else tf.float32


# --- the sequence kernel ---------------------------------------------------------------------------------------------


def lstm_sequence(gate_inputs, recurrent_kernel, state, *, hidden_mask=None, normalization=None, dtype=tf.float32):
    """Runs an LSTM over time.

    Args:
        gate_inputs: float32 [time, batch, 4 * units], the gates' input half with bias, in the order i, f, o, g.
        recurrent_kernel: float32 [units, 4 * units].
        state: LSTMState before the first step.
        hidden_mask: float32 [batch, units] or None: multiplies the hidden state where it enters the gates, the same at
            every step (variational recurrent dropout, Gal & Ghahramani 2016).
        normalization: Normalization or None.
        dtype: of the recurrent products; everything else is float32.

    Returns: hidden states and cells, float32 [time, batch, units] each.
    """
    optional = [] if hidden_mask is None else [hidden_mask]
    arguments = [gate_inputs, recurrent_kernel, *state, *optional, *(normalization or ())]

    @tf.custom_gradient
    def run(*arguments):
        arguments = list(arguments)
        inputs, kernel, hidden, cell = arguments[:4]
        rest = arguments[4:]
        mask = rest.pop(0) if hidden_mask is not None else None
        sequence = _Sequence(kernel, mask, Normalization(*rest) if rest else None, dtype)
        hiddens, cells, saved = sequence.forward(inputs, hidden, cell)

        def gradient(hiddens_gradient, cells_gradient):
            return sequence.backward(hiddens_gradient, cells_gradient, saved)

        return (hiddens, cells), gradient

    return run(*[tf.convert_to_tensor(argument) for argument in arguments])


def normalize(values):
    """Layer normalization without gain and bias over the last axis; returns also 1 / standard deviation."""
    mean = tf.reduce_mean(values, axis=-1, keepdims=True)
    centred = values - mean
    inverse_deviation = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + EPSILON)
    return centred * inverse_deviation, inverse_deviation


def normalize_gradient(gradient, normalized, inverse_deviation):
    """The gradient of `normalize` for its values, from that for its result."""
    mean = tf.reduce_mean(gradient, axis=-1, keepdims=True)
    projection = tf.reduce_mean(gradient * normalized, axis=-1, keepdims=True)
    return inverse_deviation * (gradient - mean - normalized * projection)


class _Saved(NamedTuple):
    """What the forward pass keeps for the backward pass; [time, batch, ...], empty where nothing is normalized."""

    gates: tf.Tensor  # [time, batch, 4 * units], after sigmoid and tanh
    hiddens: tf.Tensor
    cells: tf.Tensor
    first: LSTMState
    recurrent: tuple  # normalized recurrent products [time, batch, 4, units] and their inverse deviations
    cell: tuple  # normalized cells [time, batch, units] and their inverse deviations


class _Sequence:
    """Forward and backward pass of the kernel, for one recurrent kernel, mask and normalization."""

    def __init__(self, kernel, hidden_mask, normalization: Normalization | None, dtype):
        self.kernel = tf.cast(kernel, dtype)  # once, not at every step
        self.hidden_mask = hidden_mask
        self.normalization = normalization
        self.dtype = dtype
        self.units = kernel.shape[0]

    def _masked(self, hidden):
        return hidden if self.hidden_mask is None else hidden * self.hidden_mask

    def _by_gate(self, values):
        return tf.reshape(values, tf.concat([tf.shape(values)[:-1], [4, self.units]], axis=0))

    def step(self, gate_input, hidden, cell):
        """One step; returns (gates, hidden, cell) and what normalization keeps."""
        recurrent = product(self._masked(hidden), self.kernel, self.dtype)  # [batch, 4 * units]
        kept: tuple = ()
        if self.normalization:
            normalized, deviation = normalize(self._by_gate(recurrent))  # [batch, 4, units]
            recurrent = tf.reshape(normalized, tf.shape(recurrent)) * self.normalization.gate_gain
            kept = (normalized, deviation)
        summed = gate_input + recurrent
        sigmoids = tf.sigmoid(summed[:, : 3 * self.units])
        candidate = tf.tanh(summed[:, 3 * self.units :])
        input_gate, forget_gate, output_gate = tf.split(sigmoids, 3, axis=-1)
        cell = forget_gate * cell + input_gate * candidate
        shown = cell
        if self.normalization:
            normalized, deviation = normalize(cell)
            shown = normalized * self.normalization.cell_gain + self.normalization.cell_bias
            kept += (normalized, deviation)
        hidden = output_gate * tf.tanh(shown)
        return (tf.concat([sigmoids, candidate], axis=-1), hidden, cell, *kept)

    def forward(self, gate_inputs, hidden, cell):
        first = LSTMState(hidden, cell)
        if gate_inputs.shape[0] == 1:  # decoding: no loop around a single step
            steps = [part[tf.newaxis] for part in self.step(gate_inputs[0], hidden, cell)]
        else:
            steps = self._loop_forward(gate_inputs, hidden, cell)
        gates, hiddens, cells = steps[:3]
        return hiddens, cells, _Saved(gates, hiddens, cells, first, tuple(steps[3:5]), tuple(steps[5:7]))

    def _loop_forward(self, gate_inputs, hidden, cell):
        time = tf.shape(gate_inputs)[0]
        batch, units = gate_inputs.shape[1], self.units
        shapes = [[batch, 4 * units], [batch, units], [batch, units]]
        if self.normalization:
            shapes += [[batch, 4, units], [batch, 4, 1], [batch, units], [batch, 1]]
        inputs = tf.TensorArray(gate_inputs.dtype, time).unstack(gate_inputs)
        arrays = tuple(tf.TensorArray(gate_inputs.dtype, time, element_shape=shape) for shape in shapes)

        def condition(step, hidden, cell, arrays):
            return step < time

        def body(step, hidden, cell, arrays):
            results = self.step(inputs.read(step), hidden, cell)
            arrays = tuple(array.write(step, result) for array, result in zip(arrays, results, strict=True))
            return step + 1, results[1], results[2], arrays

        *_, arrays = tf.while_loop(condition, body, (tf.constant(0), hidden, cell, arrays))
        return [array.stack() for array in arrays]

    def backward(self, hiddens_gradient, cells_gradient, saved: _Saved):
        """Gradients for gate inputs, recurrent kernel, first state, and mask and normalization where there are any."""
        previous_hiddens = tf.concat([saved.first.hidden[tf.newaxis], saved.hiddens[:-1]], axis=0)
        previous_cells = tf.concat([saved.first.cell[tf.newaxis], saved.cells[:-1]], axis=0)
        factors = self._factors(saved, previous_cells)
        gates_gradient, entered_gradient, cell_gradient = self._loop_backward(
            hiddens_gradient, cells_gradient, factors, saved
        )
        recurrent_gradient = self._recurrent_gradient(gates_gradient, saved.recurrent)
        kernel_gradient = product(
            tf.reshape(self._masked(previous_hiddens), [-1, self.units]),
            tf.reshape(recurrent_gradient, [-1, 4 * self.units]),
            self.dtype,
            transpose_a=True,
        )
        previous_gradient = self._masked(entered_gradient)  # what each step hands to the hidden state before it
        gradients = [gates_gradient, kernel_gradient, previous_gradient[0], cell_gradient]
        if self.hidden_mask is not None:
            gradients.append(tf.reduce_sum(entered_gradient * previous_hiddens, axis=0))
        if self.normalization:
            later = tf.concat([previous_gradient[1:], tf.zeros_like(previous_gradient[:1])], axis=0)
            shown_gradient = (hiddens_gradient + later) * factors[1]  # [time, batch, units]
            recurrent, _ = saved.recurrent
            gradients += [
                tf.reshape(tf.reduce_sum(self._by_gate(gates_gradient) * recurrent, axis=[0, 1]), [-1]),
                tf.reduce_sum(shown_gradient * saved.cell[0], axis=[0, 1]),
                tf.reduce_sum(shown_gradient, axis=[0, 1]),
            ]
        return gradients

    def _factors(self, saved: _Saved, previous_cells):
        """All that the backward loop multiplies by, computed for every step at once.

        Returns: what turns the cell's (for o: the hidden state's) gradient into that of the gates' sums
        [time, batch, 4 * units]; what turns the hidden state's gradient into that of the cell inside tanh
        [time, batch, units]; the forget gates [time, batch, units].
        """
        input_gates, forget_gates, output_gates, candidates = tf.split(saved.gates, 4, axis=-1)
        shown = saved.cells
        if self.normalization:
            shown = saved.cell[0] * self.normalization.cell_gain + self.normalization.cell_bias
        shown = tf.tanh(shown)
        gate_factors = tf.concat(
            [
                candidates * input_gates * (1.0 - input_gates),
                previous_cells * forget_gates * (1.0 - forget_gates),
                shown * output_gates * (1.0 - output_gates),
                input_gates * (1.0 - tf.square(candidates)),
            ],
            axis=-1,
        )
        return gate_factors, output_gates * (1.0 - tf.square(shown)), forget_gates

    def _recurrent_gradient(self, gates_gradient, recurrent):
        """From the gradient of the gates' sums to that of the recurrent products."""
        if not self.normalization:
            return gates_gradient
        normalized, deviation = recurrent
        gained = self._by_gate(gates_gradient * self.normalization.gate_gain)
        return tf.reshape(normalize_gradient(gained, normalized, deviation), tf.shape(gates_gradient))

    def _loop_backward(self, hiddens_gradient, cells_gradient, factors, saved: _Saved):
        """Carries the gradients of hidden state and cell back through time.

        Returns the gradients of the gates' sums [time, batch, 4 * units], of the hidden state as it entered each step
        (after its mask) [time, batch, units] and of the first cell [batch, units].
        """
        time = tf.shape(hiddens_gradient)[0]
        batch, units = hiddens_gradient.shape[1], self.units
        inputs = (hiddens_gradient, cells_gradient, *factors, *saved.recurrent, *saved.cell)
        arrays = [tf.TensorArray(part.dtype, time).unstack(part) for part in inputs]
        results = tuple(
            tf.TensorArray(hiddens_gradient.dtype, time, element_shape=[batch, size]) for size in (4 * units, units)
        )

        def condition(step, hidden_gradient, cell_gradient, results):
            return step >= 0

        def body(step, hidden_gradient, cell_gradient, results):
            hidden, cell, gate_factor, shown_factor, forget_gate, *kept = [array.read(step) for array in arrays]
            hidden += hidden_gradient
            shown_gradient = hidden * shown_factor
            if self.normalization:
                shown_gradient = normalize_gradient(shown_gradient * self.normalization.cell_gain, *kept[2:])
            cell += cell_gradient + shown_gradient
            gates = tf.concat([cell, cell, hidden, cell], axis=-1) * gate_factor  # [batch, 4 * units]
            entered = product(self._recurrent_gradient(gates, kept[:2]), self.kernel, self.dtype, transpose_b=True)
            results = (results[0].write(step, gates), results[1].write(step, entered))
            return step - 1, self._masked(entered), cell * forget_gate, results

        zeros = tf.zeros_like(saved.first.hidden)
        *_, cell_gradient, results = tf.while_loop(condition, body, (time - 1, zeros, zeros, results))
        return results[0].stack(), results[1].stack(), cell_gradient


# --- the order in which a layer reads --------------------------------------------------------------------------------


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


# --- the layers ------------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("nmt")
class LSTM(keras.layers.Layer):
    """A layer of LSTM cells.

    Args:
        units: size of hidden state and cell.
        reverse: read each row from its last real step to its first; outputs stay in the inputs' order.
        layer_normalization: normalize the gates' two halves and the cell (Ba et al. 2016).
        recurrent_dropout: rate on the hidden state where it enters the gates, one mask a row for all steps (Gal &
            Ghahramani 2016); in training only.

    Call with inputs float [batch, time, size], optionally `initial_state` LSTMState and `mask` bool [batch, time]
    (True = real, anywhere). A padded step keeps the state and outputs zero.
    Returns outputs float32 [batch, time, units] and the final LSTMState.
    """

    def __init__(self, units, *, reverse=False, layer_normalization=False, recurrent_dropout=0.0, **options):
        super().__init__(autocast=False, **options)
        self.units = units
        self.reverse = reverse
        self.layer_normalization = layer_normalization
        self.recurrent_dropout = recurrent_dropout
        self.seed_generator = keras.random.SeedGenerator() if recurrent_dropout else None
        self.supports_masking = True

    def build(self, inputs_shape):
        size = inputs_shape[-1]
        self.kernel = self.add_weight((size, 4 * self.units), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            (self.units, 4 * self.units), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight((4 * self.units,), initializer=_forget_bias, name="bias")
        if self.layer_normalization:
            self.input_gain = self.add_weight((4 * self.units,), initializer="ones", name="input_gain")
            self.gate_gain = self.add_weight((4 * self.units,), initializer="ones", name="gate_gain")
            self.cell_gain = self.add_weight((self.units,), initializer="ones", name="cell_gain")
            self.cell_bias = self.add_weight((self.units,), initializer="zeros", name="cell_bias")

    def call(self, inputs, initial_state=None, mask=None, training=False):
        dtype = tf.as_dtype(self.compute_dtype)
        if mask is None and self.reverse:
            mask = tf.ones(tf.shape(inputs)[:2], tf.bool)
        if mask is not None:
            order, inverse = reading_order(mask, self.reverse)
            inputs = permute_time(inputs, order, inverse)
        inputs = tf.transpose(inputs, [1, 0, 2])  # [time, batch, size]
        state = self.zero_state(tf.shape(inputs)[1]) if initial_state is None else LSTMState(*initial_state)
        hiddens, cells = lstm_sequence(
            self._gate_inputs(inputs, dtype),
            self._value(self.recurrent_kernel),
            LSTMState(*(tf.cast(part, accumulator(dtype)) for part in state)),
            hidden_mask=self._hidden_mask(state.hidden, training),
            normalization=self._normalization(),
            dtype=dtype,
        )
        outputs = tf.transpose(hiddens, [1, 0, 2])  # [batch, time, units]
        if mask is None:
            return outputs, LSTMState(hiddens[-1], cells[-1])
        outputs = permute_time(outputs, inverse, order) * tf.cast(mask, outputs.dtype)[..., tf.newaxis]
        return outputs, _state_after(tf.reduce_sum(tf.cast(mask, tf.int32), axis=1), hiddens, cells, state)

    def zero_state(self, batch) -> LSTMState:
        zeros = tf.zeros([batch, self.units], accumulator(tf.as_dtype(self.compute_dtype)))
        return LSTMState(zeros, zeros)

    def compute_output_spec(self, inputs, initial_state=None, mask=None, training=False):
        dtype = self.variable_dtype
        state = keras.KerasTensor((inputs.shape[0], self.units), dtype)
        return keras.KerasTensor((*inputs.shape[:2], self.units), dtype), LSTMState(state, state)

    def compute_mask(self, inputs, mask=None):
        return mask, None

    def get_config(self) -> dict[str, Any]:
        names = ("units", "reverse", "layer_normalization", "recurrent_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @staticmethod
    def _value(variable):
        """A weight at full precision: the kernel casts what it multiplies, once."""
        return tf.convert_to_tensor(variable.value)

    def _gate_inputs(self, inputs, dtype):
        flat = tf.reshape(inputs, [-1, inputs.shape[-1]])
        gates = product(flat, self._value(self.kernel), dtype)  # [time * batch, 4 * units]
        if self.layer_normalization:
            normalized, _ = normalize(tf.reshape(gates, [-1, 4, self.units]))
            gates = tf.reshape(normalized, tf.shape(gates)) * self._value(self.input_gain)
        gates += self._value(self.bias)
        return tf.reshape(gates, [tf.shape(inputs)[0], tf.shape(inputs)[1], 4 * self.units])

    def _hidden_mask(self, hidden, training):
        if not (training and self.recurrent_dropout):
            return None
        ones = tf.ones_like(hidden)
        return keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)

    def _normalization(self):
        if not self.layer_normalization:
            return None
        return Normalization(*map(self._value, (self.gate_gain, self.cell_gain, self.cell_bias)))


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

    Call like LSTM. Returns outputs [batch, time, units] and the final LSTMState [batch, units] of both directions.
    """

    def __init__(self, units, *, layer_normalization=False, recurrent_dropout=0.0, **options):
        super().__init__(autocast=False, **options)
        if units % 2:
            raise ValueError(f"BidirectionalLSTM needs an even number of units, half for each direction; got {units}.")
        self.units = units
        self.direction_options = {"layer_normalization": layer_normalization, "recurrent_dropout": recurrent_dropout}
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
        layer_normalization, recurrent_dropout: as for LSTM.

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
        **options,
    ):
        super().__init__(autocast=False, **options)
        self.units = units
        self.num_layers = layers
        self.bidirectional_layers = bidirectional_layers
        self.layer_options = {"layer_normalization": layer_normalization, "recurrent_dropout": recurrent_dropout}
        kinds = [BidirectionalLSTM] * bidirectional_layers + [LSTM] * layers
        self.layers = [
            kind(units, name=f"layer_{place}", dtype=self.dtype_policy, **self.layer_options)
            for place, kind in enumerate(kinds)
        ]
        self.dropout = keras.layers.Dropout(dropout, dtype="float32")
        self.supports_masking = True

    def build(self, inputs_shape, beside_shape=None):
        beside = beside_shape[-1] if beside_shape else 0
        size = inputs_shape[-1]
        for layer in self.layers:
            layer.build((*inputs_shape[:-1], size + beside))
            size = self.units

    def call(self, inputs, initial_state=None, mask=None, beside=None, training=False):
        states = []
        for place, layer in enumerate(self.layers):
            entering = self.dropout(inputs, training=training) if place else inputs
            if beside is not None:
                entering = tf.concat([entering, beside], axis=-1)
            first = None if initial_state is None else initial_state[place]
            outputs, state = layer(entering, initial_state=first, mask=mask, training=training)
            states.append(state)
            inputs = outputs + inputs if inputs.shape[-1] == self.units else outputs
        return inputs, tuple(states)

    def compute_mask(self, inputs, mask=None):
        return mask, None

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "layers": self.num_layers, "bidirectional_layers": self.bidirectional_layers}
        return {**super().get_config(), **own, "dropout": self.dropout.rate, **self.layer_options}
