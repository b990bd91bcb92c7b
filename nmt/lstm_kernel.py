"""The LSTM's sequence kernel: all steps forward, and a hand-derived gradient.

Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000. Per step, with i, f, o the input, forget and
output gates, g the candidate, c the memory cell and h the hidden state:

    i, f, o = sigmoid(...)    g = tanh(...)    c = f * c + i * g    h = o * tanh(c)

Only `h @ recurrent_kernel` is in the loop. The backward loop carries the gradients of h and c and nothing else; those
of the kernel, the mask and the normalization are single products or sums over all steps after it. The kernel knows no
padding: see lstm.py for why it need not.
"""

from __future__ import annotations

from typing import NamedTuple

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
        inputs, kernel, hidden, cell, *rest = arguments
        mask = None if hidden_mask is None else rest.pop(0)
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
        arrays = tuple(tf.TensorArray(gate_inputs.dtype, time, element_shape=shape) for shape in shapes)

        def condition(step, hidden, cell, arrays):
            return step < time

        def body(step, hidden, cell, arrays):
            results = self.step(gate_inputs[step], hidden, cell)
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
        results = tuple(
            tf.TensorArray(hiddens_gradient.dtype, time, element_shape=[batch, size]) for size in (4 * units, units)
        )

        def condition(step, hidden_gradient, cell_gradient, results):
            return step >= 0

        def body(step, hidden_gradient, cell_gradient, results):
            hidden, cell, gate_factor, shown_factor, forget_gate, *kept = [part[step] for part in inputs]
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
