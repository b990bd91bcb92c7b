"""The LSTM is Keras's in output and gradient, its own gradient is autodiff's, and it learns what it should."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.layers.bidirectional import Bidirectional
from nmt.layers.lstm import LSTM
from nmt.layers.lstm_kernel import LSTMState, Normalization, lstm_sequence
from nmt.layers.products import accumulator
from nmt.layers.stacked_lstm import StackedLSTM

BATCH, TIME, SIZE, UNITS = 5, 7, 3, 4
FULL = {"return_sequences": True, "return_state": True}
MASKS = {
    "none": [[1] * TIME] * BATCH,
    "right": [[1] * length + [0] * (TIME - length) for length in (7, 5, 3, 1, 0)],
    "left": [[0] * (TIME - length) + [1] * length for length in (7, 5, 3, 1, 0)],
    "middle": [[1, 0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0], [1] * TIME],
}


@pytest.fixture
def normal():
    random = np.random.default_rng(0)
    return lambda *shape: tf.constant(random.normal(size=shape))


def randomized(layer, inputs, **arguments):
    """The layer, built by a call, with every weight random: none keeps a start that hides an error."""
    layer(inputs, **arguments)
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(scale=0.5, size=weight.shape) for weight in layer.weights])
    return layer


# --- against Keras ---------------------------------------------------------------------------------------------------


def in_gate_order_of_keras(weight):
    """Ours are i, f, o, g; Keras's i, f, g, o."""
    i, f, o, g = np.split(np.asarray(weight), 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


def keras_twin(layer):
    twin = keras.layers.LSTM(
        layer.units, go_backwards=layer.go_backwards, zero_output_for_mask=True, dtype="float64", **FULL
    )
    twin.build((BATCH, TIME, SIZE))
    twin.set_weights([in_gate_order_of_keras(weight) for weight in layer.get_weights()])
    return twin


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_outputs_final_state_and_every_gradient_equal_those_of_the_keras_layer(normal, backwards, mask):
    inputs, first, mask = normal(BATCH, TIME, SIZE), [normal(BATCH, UNITS), normal(BATCH, UNITS)], tf.constant(mask) > 0
    layer = randomized(LSTM(UNITS, go_backwards=backwards, dtype="float64", **FULL), inputs)
    twin = keras_twin(layer)
    asked = normal(BATCH, TIME, UNITS), normal(BATCH, UNITS), normal(BATCH, UNITS)

    def results_and_gradients(layer):
        with tf.GradientTape() as tape:
            tape.watch([inputs, first])
            results = layer(inputs, initial_state=first, mask=mask)
            loss = tf.add_n([tf.reduce_sum(one * other) for one, other in zip(results, asked, strict=True)])
        return results, tape.gradient(loss, [inputs, *first, *(weight.value for weight in layer.weights)])

    found, gradients = results_and_gradients(layer)
    expected, expected_gradients = results_and_gradients(twin)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    gradients[3:] = map(in_gate_order_of_keras, gradients[3:])
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-11)


# --- the hand-derived gradient ---------------------------------------------------------------------------------------


def layer_normalized(values):
    """Ba et al. 2016, eq. 15 and 16, without gain and bias."""
    mean = tf.reduce_mean(values, axis=-1, keepdims=True)
    variance = tf.reduce_mean((values - mean) ** 2, axis=-1, keepdims=True)
    return (values - mean) / tf.sqrt(variance + 1e-3)


def plain_loop(
    gate_inputs, kernel, hidden, cell, hidden_mask=1.0, gate_gain=None, cell_gain=None, cell_bias=None, dtype=None
):
    """The kernel as a textbook writes it; `dtype`: of its products, that of its arguments where none is given."""
    dtype = dtype or kernel.dtype
    hiddens, cells = [], []
    for gate_input in tf.unstack(gate_inputs):
        product = tf.cast(hidden * hidden_mask, dtype) @ tf.cast(kernel, dtype)
        parts = tf.split(tf.cast(product, kernel.dtype), 4, axis=-1)
        if gate_gain is not None:
            parts = [layer_normalized(part) * gain for part, gain in zip(parts, tf.split(gate_gain, 4), strict=True)]
        i, f, o, g = (a + b for a, b in zip(parts, tf.split(gate_input, 4, axis=-1), strict=True))
        cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
        shown = cell if cell_gain is None else layer_normalized(cell) * cell_gain + cell_bias
        hidden = tf.sigmoid(o) * tf.tanh(shown)
        hiddens.append(hidden)
        cells.append(cell)
    return tf.stack(hiddens), tf.stack(cells)


# The loops lay their steps out in one way for bfloat16 and in another for all else.
@pytest.mark.parametrize("dtype", [tf.float64, tf.bfloat16], ids=["float64", "bfloat16"])
@pytest.mark.parametrize("time", [TIME, 1], ids=["many steps", "one step"])
@pytest.mark.parametrize("normalized", [False, True], ids=["plain", "layer normalization"])
@pytest.mark.parametrize("masked", [False, True], ids=["no dropout", "recurrent dropout"])
def test_the_kernels_gradient_equals_autodiff_of_a_plain_loop(normal, masked, normalized, time, dtype):
    arguments = {
        "gate_inputs": normal(time, BATCH, 4 * UNITS),
        "kernel": normal(UNITS, 4 * UNITS),
        "hidden": normal(BATCH, UNITS),
        "cell": normal(BATCH, UNITS),
    }
    if masked:
        arguments["hidden_mask"] = normal(BATCH, UNITS)
    if normalized:
        arguments |= {"gate_gain": normal(4 * UNITS), "cell_gain": normal(UNITS), "cell_bias": normal(UNITS)}
    asked = normal(time, BATCH, UNITS), normal(time, BATCH, UNITS)
    arguments, asked = tf.nest.map_structure(lambda values: tf.cast(values, accumulator(dtype)), (arguments, asked))

    def kernel(gate_inputs, kernel, hidden, cell, hidden_mask=None, **normalization):
        return lstm_sequence(
            gate_inputs,
            kernel,
            LSTMState(hidden, cell),
            hidden_mask=hidden_mask,
            normalization=Normalization(**normalization) if normalization else None,
            dtype=dtype,
        )

    @tf.function
    def results_and_gradients(run):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            hiddens, cells = run(**arguments)
            loss = tf.reduce_sum(hiddens * asked[0]) + tf.reduce_sum(cells * asked[1])
        return (hiddens, cells), tape.gradient(loss, arguments)

    found, gradients = results_and_gradients(kernel)
    expected, expected_gradients = results_and_gradients(functools.partial(plain_loop, dtype=dtype))

    def assert_equal(one, other, atol, name):
        # Both round at the same places, but for the kernel's gradient, which a loop sums step by step.
        rounding = 0.02 * np.abs(other).max() if dtype == tf.bfloat16 else atol
        np.testing.assert_allclose(one, other, atol=rounding, err_msg=name)

    for one, other, name in zip(found, expected, ("hiddens", "cells"), strict=True):
        assert_equal(one, other, 1e-12, name)
    for name, gradient in gradients.items():
        assert_equal(gradient, expected_gradients[name], 1e-11, name)


def test_layer_normalization_is_that_of_the_paper_for_both_halves_of_the_gates(normal):
    inputs = normal(BATCH, TIME, SIZE)
    layer = randomized(LSTM(UNITS, layer_normalization=True, return_sequences=True, dtype="float64"), inputs)
    weights = {weight.name: weight.value for weight in layer.weights}

    outputs = layer(inputs)

    parts = [layer_normalized(part) for part in tf.split(inputs @ weights["kernel"], 4, axis=-1)]
    gate_inputs = tf.concat(parts, axis=-1) * weights["input_gain"] + weights["bias"]
    gains = [weights[name] for name in ("gate_gain", "cell_gain", "cell_bias")]
    zeros = tf.zeros([BATCH, UNITS], tf.float64)
    expected, _ = plain_loop(
        tf.transpose(gate_inputs, [1, 0, 2]), weights["recurrent_kernel"], zeros, zeros, 1.0, *gains
    )
    np.testing.assert_allclose(outputs, tf.transpose(expected, [1, 0, 2]), atol=1e-12)


# --- the laws of every layer -----------------------------------------------------------------------------------------

LAYERS = {
    "forwards": lambda **options: LSTM(UNITS, **FULL, **options),
    "backwards": lambda **options: LSTM(UNITS, go_backwards=True, **FULL, **options),
    "normalized": lambda **options: LSTM(UNITS, layer_normalization=True, **FULL, **options),
    "bidirectional": lambda **options: Bidirectional(LSTM(UNITS // 2, **FULL, **options)),
    "stacked": lambda **options: StackedLSTM(UNITS, 3, bidirectional_layers=1, **FULL, **options),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@each_layer
def test_padding_changes_nothing_whatever_it_holds(normal, make):
    inputs = normal(BATCH, TIME, SIZE)
    layer = randomized(make(dtype="float64"), inputs)
    mask = tf.concat([tf.ones([BATCH, TIME]), tf.zeros([BATCH, 3])], axis=1) > 0
    padded = tf.concat([inputs, 100 * normal(BATCH, 3, SIZE)], axis=1)

    expected, *state = layer(inputs)
    with tf.GradientTape() as tape:
        tape.watch(padded)
        found, *padded_state = layer(padded, mask=mask)
        real = found[:, 3:] if getattr(layer, "go_backwards", False) else found[:, :TIME]
        loss = tf.reduce_sum(real**2)

    np.testing.assert_allclose(real, expected, atol=1e-12)
    for one, other in zip(tf.nest.flatten(padded_state), tf.nest.flatten(state), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert not np.any(tape.gradient(loss, padded)[:, TIME:])


@each_layer
def test_a_batch_equals_its_rows_one_by_one(normal, make):
    inputs, mask = normal(BATCH, TIME, SIZE), tf.constant(MASKS["right"]) > 0
    layer = randomized(make(dtype="float64"), inputs)

    outputs, *state = layer(inputs, mask=mask)

    for row in range(BATCH):
        own, *own_state = layer(inputs[row : row + 1], mask=mask[row : row + 1])
        np.testing.assert_allclose(own[0], outputs[row], atol=1e-12)
        for one, other in zip(tf.nest.flatten(own_state), tf.nest.flatten(state), strict=True):
            np.testing.assert_allclose(one[0], other[row], atol=1e-12)


@pytest.mark.parametrize("make", [LAYERS["forwards"], LAYERS["normalized"]], ids=["forwards", "normalized"])
def test_a_sequence_equals_its_two_halves_with_the_state_handed_on(normal, make):
    inputs = normal(BATCH, TIME, SIZE)
    layer = randomized(make(dtype="float64"), inputs)

    outputs, *state = layer(inputs)
    first, *between = layer(inputs[:, :3])
    second, *final = layer(inputs[:, 3:], initial_state=between)

    np.testing.assert_allclose(tf.concat([first, second], axis=1), outputs, atol=1e-12)
    np.testing.assert_allclose(final, state, atol=1e-12)


@each_layer
def test_bfloat16_products_keep_the_state_in_float32_and_stay_close_to_it(normal, make):
    inputs = tf.cast(normal(BATCH, TIME, SIZE), tf.float32)
    exact = randomized(make(dtype="float32"), inputs)
    mixed = randomized(make(dtype="mixed_bfloat16"), inputs)
    expected, *_ = exact(inputs)
    for given in (inputs, tf.cast(inputs, tf.bfloat16)):  # as an embedding gives them, and as a mixed Keras layer does
        outputs, *state = mixed(given, mask=tf.ones([BATCH, TIME], tf.bool))

        assert {tensor.dtype for tensor in tf.nest.flatten([outputs, state])} == {tf.float32}
        assert {weight.dtype for weight in mixed.weights} == {"float32"}
        assert 0 < np.abs(outputs - expected).max() < 0.1


def test_bfloat16_rounds_nothing_but_what_is_multiplied(normal):
    inputs = tf.cast(normal(BATCH, TIME, SIZE), tf.float32)
    exact, mixed = (randomized(LSTM(UNITS, dtype=dtype, **FULL), inputs) for dtype in ("float32", "mixed_bfloat16"))
    for layer in (exact, mixed):
        layer.kernel.assign(tf.zeros_like(layer.kernel))
        layer.recurrent_kernel.assign(tf.zeros_like(layer.recurrent_kernel))
    # Step by step, as loops of float32 lay their steps out in another way, in which a tanh may differ in its last bit.
    expected, state = [], None
    for step in range(TIME):
        output, *state = exact(inputs[:, step : step + 1], initial_state=state)
        expected.append(output)
    np.testing.assert_array_equal(mixed(inputs)[0], tf.concat(expected, axis=1))


def test_a_stack_takes_bfloat16_inputs_of_its_own_size_and_float64_stays_float64(normal):
    for policy, given in (("mixed_bfloat16", tf.bfloat16), ("float64", tf.float64)):
        inputs = tf.cast(normal(BATCH, TIME, UNITS), given)
        layer = StackedLSTM(UNITS, 2, return_sequences=True, dtype=policy)
        first, second = layer.layers

        outputs = layer(inputs)

        wide = tf.cast(inputs, tf.float64 if policy == "float64" else tf.float32)
        below = wide + first.scan(wide)[0]
        expected = below + second.scan(below)[0]
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-14 if policy == "float64" else 1e-5)


def test_a_stack_is_its_layers_one_on_another_residual_where_sizes_agree(normal):
    inputs = normal(BATCH, TIME, SIZE)
    layer = randomized(StackedLSTM(UNITS, 3, bidirectional_layers=1, dtype="float64", **FULL), inputs)

    outputs, *states = layer(inputs)

    expected = inputs
    for place, part in enumerate(layer.layers):
        above, state = part.scan(expected)
        np.testing.assert_allclose(states[place], state, atol=1e-12)
        expected = above + expected if place else above
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    assert [type(part) for part in layer.layers] == [Bidirectional, LSTM, LSTM]


def test_the_forget_gate_starts_open():
    layer = LSTM(UNITS)
    layer.build((None, None, SIZE))
    np.testing.assert_array_equal(layer.bias, [0] * UNITS + [1] * UNITS + [0] * 2 * UNITS)


def test_recurrent_dropout_drops_a_unit_of_a_row_at_all_steps_or_at_none(normal):
    # Each unit hears nothing but itself: the dropped one goes on as if it had no recurrence, the kept one as with a
    # recurrence 1 / (1 - rate) as strong.
    rate, rows = 0.4, 50
    inputs = tf.tile(normal(1, TIME, SIZE), [rows, 1, 1])
    layer = randomized(LSTM(UNITS, recurrent_dropout=rate, return_sequences=True, dtype="float64"), inputs)
    alone = np.concatenate([np.diag(row) for row in np.random.default_rng(2).normal(size=(4, UNITS))], axis=-1)

    def outputs(recurrent_kernel, training):
        layer.recurrent_kernel.assign(recurrent_kernel)
        return layer(inputs, training=training).numpy()

    dropped, kept = outputs(0 * alone, training=False), outputs(alone / (1 - rate), training=False)
    found = outputs(alone, training=True)

    like_dropped = np.isclose(found, dropped, atol=1e-12)[:, 1:].all(axis=1)  # [rows, units]
    like_kept = np.isclose(found, kept, atol=1e-12)[:, 1:].all(axis=1)
    assert np.all(like_dropped ^ like_kept)
    assert abs(like_dropped.mean() - rate) < 0.15
    assert len(np.unique(like_dropped, axis=0)) > 1


def test_dropout_between_layers_acts_in_training_only_and_not_on_the_first_layers_input(normal):
    inputs = normal(BATCH, TIME, SIZE)
    for layers, acts in ((1, False), (2, True)):
        layer = StackedLSTM(UNITS, layers, dropout=0.5, dtype="float64")
        exact = layer(inputs)
        np.testing.assert_array_equal(layer(inputs), exact)
        assert np.any(layer(inputs, training=True) != exact) == acts


# --- in Keras models -------------------------------------------------------------------------------------------------


def test_a_stack_in_a_keras_model_learns_to_tag_a_sequence():
    # Each step's tag is the symbol two steps back + the symbol two steps ahead: to be known only from both directions.
    symbols, time, random = 3, 12, np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    values = random.integers(0, symbols, (2000, time))
    lengths = random.integers(6, time + 1, (2000, 1))
    real = np.arange(time) < lengths
    known = (np.arange(time) >= 2) & (np.arange(time) < lengths - 2)
    tags = np.roll(values, 2, axis=1) + np.roll(values, -2, axis=1)
    model = keras.Sequential(
        [
            keras.layers.Embedding(symbols + 1, 8, mask_zero=True),
            StackedLSTM(32, 2, bidirectional_layers=1, dropout=0.05, return_sequences=True),
            keras.layers.Dense(2 * symbols - 1, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    tokens = np.where(real, values + 1, 0)

    model.fit(tokens[:1800], tags[:1800], sample_weight=known[:1800], batch_size=64, epochs=8, verbose=0)

    _, accuracy = model.evaluate(tokens[1800:], tags[1800:], sample_weight=known[1800:], verbose=0)
    assert accuracy > 0.97


def test_the_lstm_learns_a_dependency_200_steps_long_and_a_plain_recurrent_layer_does_not():
    # The answer is the first of 200 symbols. Both get the start the literature gives them for it: orthogonal for the
    # plain layer (Le et al. 2015), forget gates open for 1 to 200 steps for ours (Tallec & Ollivier 2018, 2.2).
    time, symbols, units = 200, 4, 16
    random = np.random.default_rng(0)
    tokens = random.integers(0, symbols, (4000, time))
    answers = tokens[:, 0].copy()
    tokens[:, 0] += symbols

    def accuracy(recurrent):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((time,), dtype="int32")
        last = recurrent(keras.layers.Embedding(2 * symbols, 8)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(symbols, activation="softmax")(last))
        model.compile(
            keras.optimizers.Adam(0.01, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        model.fit(tokens[:3600], answers[:3600], batch_size=32, epochs=2, verbose=0)
        return model.evaluate(tokens[3600:], answers[3600:], verbose=0)[1]

    lstm = LSTM(units)
    lstm.build((None, time, 8))
    openness = np.log(random.uniform(1, time, units))
    lstm.bias.assign(np.concatenate([-openness, openness, np.zeros(2 * units)]))

    assert accuracy(lstm) > 0.99
    assert accuracy(keras.layers.SimpleRNN(units)) < 0.5
