"""Every layer of nmt.layers is what Keras expects of a layer, and gives what Keras's own of the same name gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.layers import LSTM, Attention, Bidirectional, StackedLSTM
from nmt.layers.bidirectional import MERGE_MODES

BATCH, TIME, SIZE, UNITS = 4, 6, 3, 4
MASKS = {
    "none": None,
    "right": np.arange(TIME) < np.array([[6], [4], [1], [3]]),
    "left": np.arange(TIME) >= np.array([[0], [2], [5], [3]]),
    "middle": np.array([[1, 0, 0, 1, 1, 0], [0, 1, 0, 1, 0, 1], [1, 1, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0]], bool),
}
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
LAYERS = {
    "LSTM": lambda **options: LSTM(UNITS, **options),
    "LSTM, backwards": lambda **options: LSTM(UNITS, go_backwards=True, **options),
    "LSTM, normalized, with dropout": lambda **options: LSTM(
        UNITS, layer_normalization=True, recurrent_dropout=0.2, **options
    ),
    **{
        f"Bidirectional, {mode}": lambda mode=mode, **options: Bidirectional(LSTM(UNITS, **options), merge_mode=mode)
        for mode in MERGE_MODES
    },
    "Bidirectional, two layers": lambda **options: Bidirectional(
        LSTM(UNITS, **options), backward_layer=LSTM(3, go_backwards=True, **options)
    ),
    "StackedLSTM": lambda **options: StackedLSTM(UNITS, 3, bidirectional_layers=1, dropout=0.1, **options),
    "StackedLSTM, bidirectional": lambda **options: StackedLSTM(UNITS, 2, bidirectional_layers=2, **options),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
FULL = {"return_sequences": True, "return_state": True}
each_return = pytest.mark.parametrize(
    "returns",
    [{"return_sequences": sequences, "return_state": state} for sequences in (False, True) for state in (False, True)],
    ids=["last output", "last output and state", "all outputs", "all outputs and state"],
)


@pytest.fixture
def normal():
    random = np.random.default_rng(0)
    return lambda *shape: random.normal(size=shape).astype(np.float32)


def randomize(layer, *inputs):
    layer(*inputs)
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(scale=0.5, size=weight.shape) for weight in layer.weights])
    return layer


def assert_same(found, expected, **tolerances):
    found, expected = keras.tree.flatten(found), keras.tree.flatten(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-5, "atol": 1e-6, **tolerances})


# --- what Keras asks of a layer --------------------------------------------------------------------------------------


def check_promises(layer, *inputs):
    """What a layer says of its results before it is called is so."""
    outputs = layer(*inputs)
    promised = layer.compute_output_spec(*(keras.KerasTensor(each.shape) for each in inputs))
    keras.tree.assert_same_structure(promised, outputs)
    expected = [(each.shape, each.dtype) for each in keras.tree.flatten(outputs)]
    assert [(each.shape, each.dtype) for each in keras.tree.flatten(promised)] == expected
    shapes = layer.compute_output_shape(*(each.shape for each in inputs))
    found = []
    keras.tree.map_shape_structure(found.append, shapes)
    assert found == [shape for shape, _ in expected]


def check_life(layer, folder, *inputs):
    """As Keras's run_layer_test: config, a functional model of any batch and time, saved, loaded and trained."""
    outputs = layer(*inputs)
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    twin(*inputs)
    twin.set_weights(layer.get_weights())
    assert_same(twin(*inputs), outputs)
    entrances = [keras.Input((None, each.shape[-1])) for each in inputs]
    model = keras.Model(entrances, keras.tree.flatten(twin(*entrances)))
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    assert_same(loaded(inputs), outputs)
    targets = [np.ones_like(each) for each in keras.tree.flatten(outputs)]
    loaded.compile("sgd", ["mse"] * len(targets), run_eagerly=True)  # to trace a graph takes ten times as long
    loaded.fit(list(inputs), targets, verbose=0)
    for weight, before in zip(loaded.trainable_weights, model.trainable_weights, strict=True):
        assert np.any(np.asarray(weight) != np.asarray(before)), weight.path


@each_return
@each_layer
def test_shapes_and_dtypes_of_a_recurrent_layer_are_those_it_promises(normal, make, returns):
    check_promises(make(**returns), normal(BATCH, TIME, SIZE))


@each_layer
def test_states_and_outputs_of_a_mixed_policy_are_float32_as_promised(normal, make):
    layer = make(**FULL, dtype="mixed_bfloat16")
    check_promises(layer, normal(BATCH, TIME, SIZE))
    assert {part.dtype for part in keras.tree.flatten(layer(normal(BATCH, TIME, SIZE)))} == {tf.float32}


@pytest.mark.parametrize(
    "make", [LAYERS[name] for name in LAYERS if name not in ("LSTM, backwards", "StackedLSTM, bidirectional")]
)
def test_a_recurrent_layer_lives_through_config_model_file_and_training(normal, tmp_path, make):
    check_life(make(**FULL), tmp_path, normal(BATCH, TIME, SIZE))


@pytest.mark.parametrize(("score", "heads"), [("general", 1), ("additive", 2)])
def test_attention_keeps_its_promises_and_lives_through_config_model_file_and_training(normal, tmp_path, score, heads):
    inputs = normal(BATCH, 3, UNITS), normal(BATCH, TIME, SIZE)
    check_promises(Attention(UNITS, score=score, heads=heads), *inputs)
    check_promises(Attention(UNITS, score=score, heads=heads, dtype="mixed_bfloat16"), *inputs)
    check_life(Attention(UNITS, score=score, heads=heads), tmp_path, *inputs)


def test_in_a_sequential_model_the_mask_of_an_embedding_comes_through_every_layer():
    model = keras.Sequential(
        [
            keras.layers.Embedding(9, SIZE, mask_zero=True),
            LSTM(UNITS, return_sequences=True),
            Bidirectional(LSTM(UNITS, return_sequences=True)),
            StackedLSTM(UNITS, 1, return_sequences=True),
            LSTM(UNITS, go_backwards=True),
            keras.layers.Dense(2),
        ]
    )
    tokens = np.array([[1, 2, 3, 4, 5], [5, 4, 0, 0, 0], [3, 0, 0, 0, 0]])
    model.compile("adam", "mse")
    model.fit(tokens, np.ones((3, 2)), verbose=0)
    np.testing.assert_allclose(model(np.pad(tokens, [(0, 0), (0, 3)])), model(tokens), atol=1e-6)


def test_the_mask_handed_on_stands_in_the_order_of_the_outputs(normal):
    masked = keras.layers.Masking()(normal(BATCH, TIME, SIZE) * MASKS["right"][..., np.newaxis])
    for make, expected in (("LSTM", MASKS["right"]), ("LSTM, backwards", MASKS["right"][:, ::-1])):
        outputs, *state = LAYERS[make](**FULL)(masked)
        np.testing.assert_array_equal(outputs._keras_mask, expected)
        assert not any(hasattr(part, "_keras_mask") for part in state)
        assert not hasattr(LAYERS[make]()(masked), "_keras_mask")


def test_attention_reads_no_padding_that_a_layer_before_has_marked(normal):
    layer = Attention(UNITS)
    queries, values = normal(BATCH, 2, UNITS), normal(BATCH, TIME, SIZE) * MASKS["right"][..., np.newaxis]
    found = layer(queries, keras.layers.Masking()(values))
    np.testing.assert_array_equal(found, layer(queries, values, values_mask=MASKS["right"]))
    assert np.any(found != layer(queries, values))


def test_a_functional_model_hands_a_state_in_and_takes_it_out_and_keeps_the_mask(normal):
    tokens, hidden, cell = keras.Input((None,), dtype="int32"), keras.Input((UNITS,)), keras.Input((UNITS,))
    embedding, layer = keras.layers.Embedding(9, SIZE, mask_zero=True), LSTM(UNITS, **FULL)
    model = keras.Model([tokens, hidden, cell], layer(embedding(tokens), initial_state=[hidden, cell]))
    given = np.array([[1, 2, 3], [3, 0, 0]]), normal(2, UNITS), normal(2, UNITS)
    expected = layer(embedding(given[0]), initial_state=given[1:], mask=given[0] != 0)
    assert_same(model(given), expected)


# --- against Keras's own layers --------------------------------------------------------------------------------------


def in_gate_order_of_keras(weight):
    """Ours are i, f, o, g; Keras's i, f, g, o."""
    i, f, o, g = np.split(np.asarray(weight), 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)


@each_mask
@each_return
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_an_lstm_is_called_as_keras_lstm_is_and_returns_the_same(normal, backwards, returns, mask):
    inputs, state = normal(BATCH, TIME, SIZE), [normal(BATCH, UNITS), normal(BATCH, UNITS)]
    options = {**returns, "go_backwards": backwards}
    layer = randomize(LSTM(UNITS, **options), inputs)
    twin = keras.layers.LSTM(UNITS, zero_output_for_mask=returns["return_sequences"], **options)
    twin.build(inputs.shape)
    twin.set_weights([in_gate_order_of_keras(weight) for weight in layer.get_weights()])
    for given in ({}, {"initial_state": state}):
        assert_same(layer(inputs, mask=mask, **given), twin(inputs, mask=mask, **given))
    assert layer.compute_output_shape(inputs.shape) == twin.compute_output_shape(inputs.shape)


@each_mask
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode", MERGE_MODES)
def test_bidirectional_is_called_as_keras_wrapper_is_and_returns_the_same(normal, mode, sequences, mask):
    inputs, state = normal(BATCH, TIME, SIZE), [normal(BATCH, UNITS) for _ in range(4)]
    returns = {"return_sequences": sequences, "return_state": True}
    layer = randomize(Bidirectional(LSTM(UNITS, **returns), merge_mode=mode), inputs)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, **returns), merge_mode=mode)
    theirs.build(inputs.shape)
    theirs.set_weights([in_gate_order_of_keras(weight) for weight in layer.get_weights()])
    wrapped = keras.layers.Bidirectional(LSTM(UNITS, **returns), merge_mode=mode)
    wrapped.build(inputs.shape)
    wrapped.set_weights(layer.get_weights())
    found = layer(inputs, mask=mask, initial_state=state)
    for twin in (theirs, wrapped):
        assert_same(found, twin(inputs, mask=mask, initial_state=state))


# --- what our layers add ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [LAYERS[name] for name in ("LSTM", "StackedLSTM")])
@each_mask
def test_the_one_output_of_a_sequence_is_that_of_its_last_real_step(normal, make, mask):
    inputs = normal(BATCH, TIME, SIZE)
    every, last = make(return_sequences=True), make()
    randomize(every, inputs)
    last(inputs)
    last.set_weights(every.get_weights())
    outputs = every(inputs, mask=mask)
    real = np.ones((BATCH, TIME), bool) if mask is None else mask
    steps = [np.flatnonzero(row)[-1] for row in real]
    assert_same(last(inputs, mask=mask), tf.stack([outputs[row, step] for row, step in enumerate(steps)]))


@each_mask
def test_the_one_output_of_a_bidirectional_stack_has_each_half_after_all_that_it_reads(normal, mask):
    inputs, half = normal(BATCH, TIME, SIZE), UNITS // 2
    every, last = (StackedLSTM(UNITS, 1, bidirectional_layers=1, return_sequences=each) for each in (True, False))
    randomize(every, inputs)
    last(inputs)
    last.set_weights(every.get_weights())
    forward, backward = every.layers[0].forward_layer, every.layers[0].backward_layer
    expected = tf.concat([forward(inputs, mask=mask), backward(inputs, mask=mask)], axis=-1)
    assert_same(last(inputs, mask=mask), expected)
    assert expected.shape[-1] == 2 * half


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(0), "integer above 0; got 0"),
        (lambda: LSTM(2.5), "integer above 0; got 2.5"),
        (lambda: Bidirectional(keras.layers.LSTM(2)), "needs an nmt.layers.LSTM.*keras.layers.Bidirectional takes"),
        (lambda: Bidirectional(LSTM(2), merge_mode="max"), "merge_mode 'max'; expected one of 'concat'"),
        (lambda: Bidirectional(LSTM(2, go_backwards=True)), "go_backwards=False"),
        (lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2)), "go_backwards=True; got False and False"),
        (
            lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_state=True)),
            "same return_state; got False and True",
        ),
        (lambda: StackedLSTM(2, 0), "at least one layer"),
        (lambda: StackedLSTM(2, 1, bidirectional_layers=2), "layers=1, bidirectional_layers=2"),
        (lambda: StackedLSTM(3, 1, bidirectional_layers=1), "got an odd 3"),
        (lambda: LSTM(2)(np.zeros((1, 2, 3)), initial_state=[np.zeros((1, 2))]), "two tensors.*got 1"),
        (lambda: Bidirectional(LSTM(2))(np.zeros((1, 2, 3)), initial_state=[np.zeros((1, 2))] * 2), "four.*got 2"),
        (lambda: StackedLSTM(2, 2)(np.zeros((1, 2, 3)), initial_state=[[np.zeros((1, 2))] * 2]), "2; got 1"),
        (lambda: LSTM(2)(np.zeros((1, 2))), "expected ndim=3, found ndim=2"),
    ],
)
def test_what_cannot_be_is_refused_with_what_came_and_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
