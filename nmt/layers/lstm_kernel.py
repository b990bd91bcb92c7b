"""The LSTM's sequence kernel: all steps forward, and a hand-derived gradient.

Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000. Per step, with i, f, o the input, forget and
output gates, g the candidate, c the memory cell and h the hidden state:

    i, f, o = sigmoid(...)    g = tanh(...)    c = f * c + i * g    h = o * tanh(c)

Only `h @ recurrent_kernel` is in the loop. The backward loop carries the gradients of h and c and nothing else; those
of the kernel, the mask and the normalization are single products or sums over all steps after it. The kernel knows no
padding: lstm.py says why it need not.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from nmt.layers.products import product

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


def lstm_sequence(
    gate_inputs,
    recurrent_kernel,
    state,
    *,
    hidden_mask=None,
    normalization=None,
    dtype=tf.float32,
    transposed_kernel=False,
):
    """Runs an LSTM over time.

    Args:
        gate_inputs: float32 [time, batch, 4 * units], the gates' input half with bias, in the order i, f, o, g.
        recurrent_kernel: float32 [units, 4 * units].
        state: LSTMState before the first step.
        hidden_mask: float32 [batch, units] or None: multiplies the hidden state where it enters the gates, the same at
            every step (variational recurrent dropout, Gal & Ghahramani 2016).
        normalization: Normalization or None.
        dtype: of the recurrent products; everything else is float32.
        transposed_kernel: the recurrent kernel is stored as its transpose, [4 * units, units].

    Returns: hidden states and cells, float32 [time, batch, units] each.
    """
    optional = [] if hidden_mask is None else [hidden_mask]
    arguments = [gate_inputs, recurrent_kernel, *state, *optional, *(normalization or ())]

    @tf.custom_gradient
    def run(*arguments):
        inputs, kernel, hidden, cell, *rest = arguments
        mask = None if hidden_mask is None else rest.pop(0)
        normalization = Normalization(*rest) if rest else None
        single = inputs.shape[0] == 1
        sequence = _Sequence(
            kernel, mask, normalization, dtype=dtype, transposed_kernel=transposed_kernel, single=single
        )
        hiddens, cells, saved = sequence.forward(inputs, hidden, cell)

        def gradient(hiddens_gradient, cells_gradient):
            return sequence.backward(hiddens_gradient, cells_gradient, saved)

        return (hiddens, cells), gradient

    return run(*[tf.convert_to_tensor(argument) for argument in arguments])


def activate(sums, axis):
    """Input, forget and output gates as one, and candidates, from the sums of all, 4 * units along `axis`."""
    units = sums.shape[axis] // 4
    gates, candidate = tf.split(sums, [3 * units, units], axis=axis)
    return tf.sigmoid(gates), tf.tanh(candidate)


def normalize(values, axis=-1):
    """Layer normalization without gain and bias over an axis; returns also 1 / standard deviation."""
    mean = tf.reduce_mean(values, axis=axis, keepdims=True)
    centred = values - mean
    inverse_deviation = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=axis, keepdims=True) + EPSILON)
    return centred * inverse_deviation, inverse_deviation


def normalize_gradient(gradient, normalized, inverse_deviation, axis=-1):
    """The gradient of `normalize` for its values, from that for its result."""
    mean = tf.reduce_mean(gradient, axis=axis, keepdims=True)
    projection = tf.reduce_mean(gradient * normalized, axis=axis, keepdims=True)
    return inverse_deviation * (gradient - mean - normalized * projection)


class _Saved(NamedTuple):
    """What the forward pass keeps for the backward pass, all steps of it; empty where nothing is normalized.

    Features stand where the sequence has them (see _Sequence), so [4 * units] is [4 * units, batch] where they lead.
    """

    gates: tf.Tensor  # [time, 4 * units], after sigmoid and tanh
    cells: tf.Tensor  # [time, units]
    hiddens: tf.Tensor  # [time, batch, units] in any case: only products over all steps read them
    first: LSTMState  # [batch, units] in any case
    recurrent: tuple  # normalized recurrent products [time, 4, units] and their inverse deviations
    cell: tuple  # normalized cells [time, units] and their inverse deviations


class _Sequence:
    """Forward and backward pass of the kernel, for one recurrent kernel, mask and normalization.

    In float32 the loops keep features in front, states as [units, batch]: a gate is then one piece of memory that is
    taken without copying, and the product of each step is that of a tall matrix with a narrow one, at which Eigen is up
    to twice as fast as at the same product the other way about. In bfloat16 another library makes the products, as fast
    either way, and transposing the inputs would take longer than it saves. So it would for a single step, as decoding
    and input feeding make it: both keep states as [batch, units].
    """

    def __init__(
        self, kernel, hidden_mask, normalization: Normalization | None, *, dtype, transposed_kernel: bool, single: bool
    ):
        self.single = single
        self.transposed_kernel = transposed_kernel
        self.features = -1 if single or dtype == tf.bfloat16 else -2  # their axis
        self.kernel = tf.cast(kernel, dtype)  # once, not at every step
        self.entering_kernel = self.kernel if transposed_kernel or self.features == -1 else tf.transpose(self.kernel)
        self.hidden_mask = None if hidden_mask is None else self._swapped(hidden_mask)
        self.normalization = normalization
        self.dtype = dtype
        self.units = kernel.shape[int(transposed_kernel)]

    def _swapped(self, values):
        """[..., batch, features] in the layout of the loops, or back."""
        return values if self.features == -1 else tf.linalg.matrix_transpose(values)

    def _times(self, values, kernel):
        """The product of each step's values with a kernel."""
        if self.features == -1:
            return product(values, kernel, self.dtype, transposed=self.transposed_kernel)
        return product(kernel, values, self.dtype)

    def _along(self, vector):
        """A weight for each feature, to be multiplied or added."""
        return vector if self.features == -1 else vector[:, tf.newaxis]

    def _masked(self, hidden):
        return hidden if self.hidden_mask is None else hidden * self.hidden_mask

    def _by_gate(self, values):
        """[..., 4 * units, ...] -> [..., 4, units, ...]"""
        shape = tf.shape(values)
        after = shape[len(values.shape) + self.features + 1 :]
        return tf.reshape(values, tf.concat([shape[: self.features], [4, self.units], after], axis=0))

    def step(self, gate_input, hidden, cell):
        """One step; returns (gates, hidden, cell) and what normalization keeps."""
        recurrent = self._times(self._masked(hidden), self.entering_kernel)  # [4 * units]
        kept: tuple = ()
        if self.normalization:
            normalized, deviation = normalize(self._by_gate(recurrent), self.features)  # [4, units]
            recurrent = tf.reshape(normalized, tf.shape(recurrent)) * self._along(self.normalization.gate_gain)
            kept = (normalized, deviation)
        gates, candidate = activate(gate_input + recurrent, axis=self.features)
        input_gate, forget_gate, output_gate = tf.split(gates, 3, axis=self.features)
        cell = forget_gate * cell + input_gate * candidate
        shown = cell
        if self.normalization:
            normalized, deviation = normalize(cell, self.features)
            shown = self._gained(normalized, self.normalization)
            kept += (normalized, deviation)
        hidden = output_gate * tf.tanh(shown)
        return (tf.concat([gates, candidate], axis=self.features), hidden, cell, *kept)

    def _gained(self, normalized_cell, normalization: Normalization):
        """The normalized cell as the output gate sees it, before tanh."""
        return normalized_cell * self._along(normalization.cell_gain) + self._along(normalization.cell_bias)

    def forward(self, gate_inputs, hidden, cell):
        first = LSTMState(hidden, cell)
        start = [self._swapped(values) for values in (gate_inputs, hidden, cell)]
        if self.single:
            steps = [part[tf.newaxis] for part in self.step(start[0][0], *start[1:])]
        else:
            steps = self._loop_forward(*start)
        gates, hiddens, cells, *kept = steps
        outputs = self._swapped(hiddens)  # [time, batch, units]
        return outputs, self._swapped(cells), _Saved(gates, cells, outputs, first, tuple(kept[:2]), tuple(kept[2:]))

    def _loop_forward(self, gate_inputs, hidden, cell):
        time = tf.shape(gate_inputs)[0]
        units = self.units
        shapes = [[4 * units], [units], [units]]
        if self.normalization:
            shapes += [[4, units], [4, 1], [units], [1]]
        if self.features == -1:
            shapes = [[gate_inputs.shape[1], *shape] for shape in shapes]
        else:
            shapes = [[*shape, gate_inputs.shape[2]] for shape in shapes]
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
        hiddens_gradient, cells_gradient = self._swapped(hiddens_gradient), self._swapped(cells_gradient)
        factors = self._factors(saved)
        gates_gradient, entered_gradient, cell_gradient = self._loop_backward(
            hiddens_gradient, cells_gradient, factors, saved
        )
        recurrent_gradient = self._swapped(self._recurrent_gradient(gates_gradient, saved.recurrent))
        previous_hiddens = tf.concat([saved.first.hidden[tf.newaxis], saved.hiddens[:-1]], axis=0)
        entered = previous_hiddens if self.hidden_mask is None else previous_hiddens * self._swapped(self.hidden_mask)
        kernel_gradient = product(
            tf.reshape(entered, [-1, self.units]),
            tf.reshape(recurrent_gradient, [-1, 4 * self.units]),
            self.dtype,
            transpose_a=True,
        )
        previous_gradient = self._masked(entered_gradient)  # what each step hands to the hidden state before it
        first_gradients = [self._swapped(gradient) for gradient in (previous_gradient[0], cell_gradient)]
        inputs_gradient = self._swapped(gates_gradient) if self.normalization else recurrent_gradient
        if self.transposed_kernel:
            kernel_gradient = tf.transpose(kernel_gradient)
        gradients = [inputs_gradient, kernel_gradient, *first_gradients]
        if self.hidden_mask is not None:
            gradients.append(tf.reduce_sum(self._swapped(entered_gradient) * previous_hiddens, axis=0))
        if self.normalization:
            later = tf.concat([previous_gradient[1:], tf.zeros_like(previous_gradient[:1])], axis=0)
            shown_gradient = (hiddens_gradient + later) * factors[1]  # [time, units]
            gradients += [
                tf.reshape(self._summed(self._by_gate(gates_gradient) * saved.recurrent[0]), [-1]),
                self._summed(shown_gradient * saved.cell[0]),
                self._summed(shown_gradient),
            ]
        return gradients

    def _summed(self, values):
        """Over steps and rows: [features]."""
        return tf.reduce_sum(values, axis=[0, 1 if self.features == -1 else -1])

    def _factors(self, saved: _Saved):
        """All that the backward loop multiplies by, computed for every step at once.

        Returns: the factors from the cell's (for o: the hidden state's) gradient to that of the gates' sums
        [time, 4 * units]; those from the hidden state's gradient to that of the cell inside tanh [time, units]; the
        forget gates [time, units].
        """
        previous_cells = tf.concat([self._swapped(saved.first.cell)[tf.newaxis], saved.cells[:-1]], axis=0)
        input_gates, forget_gates, output_gates, candidates = tf.split(saved.gates, 4, axis=self.features)
        shown = self._gained(saved.cell[0], self.normalization) if self.normalization else saved.cells
        shown = tf.tanh(shown)
        gate_factors = tf.concat(
            [
                candidates * input_gates * (1.0 - input_gates),
                previous_cells * forget_gates * (1.0 - forget_gates),
                shown * output_gates * (1.0 - output_gates),
                input_gates * (1.0 - tf.square(candidates)),
            ],
            axis=self.features,
        )
        return gate_factors, output_gates * (1.0 - tf.square(shown)), forget_gates

    def _recurrent_gradient(self, gates_gradient, recurrent):
        """From the gradient of the gates' sums to that of the recurrent products."""
        if not self.normalization:
            return gates_gradient
        gained = self._by_gate(gates_gradient * self._along(self.normalization.gate_gain))
        normalized, deviation = recurrent
        return tf.reshape(normalize_gradient(gained, normalized, deviation, self.features), tf.shape(gates_gradient))

    def _loop_backward(self, hiddens_gradient, cells_gradient, factors, saved: _Saved):
        """Carries the gradients of hidden state and cell back through time.

        Returns the gradients of the gates' sums [time, 4 * units], of the hidden state as it entered each step (after
        its mask) [time, units] and of the first cell [units].
        """
        time = tf.shape(hiddens_gradient)[0]
        leaving_kernel = (
            self.kernel if self.features == -2 and not self.transposed_kernel else tf.transpose(self.kernel)
        )
        inputs = (hiddens_gradient, cells_gradient, *factors, *saved.recurrent, *saved.cell)
        results = tuple(
            tf.TensorArray(values.dtype, time, element_shape=values.shape[1:]) for values in (factors[0], factors[1])
        )

        def condition(step, hidden_gradient, cell_gradient, results):
            return step >= 0

        def body(step, hidden_gradient, cell_gradient, results):
            hidden, cell, gate_factor, shown_factor, forget_gate, *kept = [part[step] for part in inputs]
            hidden += hidden_gradient
            shown_gradient = hidden * shown_factor
            if self.normalization:
                gained = shown_gradient * self._along(self.normalization.cell_gain)
                normalized, deviation = kept[2:]
                shown_gradient = normalize_gradient(gained, normalized, deviation, self.features)
            cell += cell_gradient + shown_gradient
            gates = tf.concat([cell, cell, hidden, cell], axis=self.features) * gate_factor  # [4 * units]
            entered = self._times(self._recurrent_gradient(gates, kept[:2]), leaving_kernel)
            results = (results[0].write(step, gates), results[1].write(step, entered))
            return step - 1, self._masked(entered), cell * forget_gate, results

        zeros = tf.zeros_like(hiddens_gradient[0])
        *_, cell_gradient, results = tf.while_loop(condition, body, (time - 1, zeros, zeros, results))
        return results[0].stack(), results[1].stack(), cell_gradient
