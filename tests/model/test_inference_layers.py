"""In another layout, weights give what they give in the layout of training."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.layers.lstm import LSTM
from nmt.layers.lstm_kernel import LSTMState
from nmt.layers.stacked_lstm import StackedLSTM
from nmt.model.inference_layers import FusedLSTM, TransposedLSTM, TransposedStackedLSTM

BATCH, TIME, SIZE, UNITS = 5, 7, 3, 4


@pytest.fixture
def normal():
    random = np.random.default_rng(0)
    return lambda *shape: tf.constant(random.normal(size=shape))


def built(layer, size=SIZE):
    layer.build((None, None, size))
    return layer


def randomized(layer):
    random = np.random.default_rng(1)
    built(layer).set_weights([random.normal(scale=0.5, size=weight.shape) for weight in layer.weights])
    return layer


def convert(layer, source):
    """Gives `layer` the weights of `source`, a layer of the same name."""
    weights = {weight.path: weight.numpy() for weight in source.weights}
    for each in layer._flatten_layers():
        if hasattr(each, "convert_weights"):
            each.convert_weights(weights)
    assert weights.keys() == {weight.path for weight in layer.weights}
    for weight in layer.weights:
        weight.assign(weights[weight.path])
    return layer


def assert_close(found, expected, dtype):
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        tolerance = 1e-12 if dtype == "float64" else 0.02
        np.testing.assert_allclose(
            tf.cast(one, tf.float64), other, rtol=tolerance, atol=tolerance * np.abs(other).max()
        )


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
@pytest.mark.parametrize("time", [TIME, 1], ids=["many steps", "one step"])
@pytest.mark.parametrize("replacing", [TransposedLSTM, FusedLSTM])
def test_a_layer_in_another_layout_gives_what_the_one_it_replaces_gives(normal, replacing, time, dtype):
    inputs, first = normal(BATCH, time, SIZE), LSTMState(normal(BATCH, UNITS), normal(BATCH, UNITS))
    layer = randomized(LSTM(UNITS, dtype=dtype, name="layer"))
    replacement = convert(built(replacing(UNITS, dtype=dtype, name="layer")), layer)
    assert_close(replacement.scan(inputs, first), layer.scan(inputs, first), dtype)


@pytest.mark.parametrize("normalized", [False, True])
def test_a_stack_of_transposed_layers_gives_what_the_stack_it_replaces_gives(normal, normalized):
    inputs, mask = normal(BATCH, TIME, SIZE), normal(BATCH, TIME) > 0
    options = {"bidirectional_layers": 1, "layer_normalization": normalized, "dtype": "float64", "name": "stack"}
    stack = randomized(StackedLSTM(UNITS, 2, **options))
    replacement = convert(built(TransposedStackedLSTM(UNITS, 2, **options)), stack)
    assert_close(replacement.scan(inputs, mask=mask), stack.scan(inputs, mask=mask), "float64")


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_fused_single_step_returns_its_hidden_state_in_the_dtype_of_products(normal, dtype):
    layer = randomized(FusedLSTM(UNITS, dtype=dtype))
    state = LSTMState(tf.zeros([BATCH, UNITS]), tf.zeros([BATCH, UNITS]))
    for time, hidden_dtype in ((1, layer.compute_dtype), (TIME, "float32")):
        outputs, final = layer.scan(tf.cast(normal(BATCH, time, SIZE), tf.float32), state)
        assert outputs.dtype == final.hidden.dtype == hidden_dtype
        assert final.cell.dtype == "float32"


@pytest.mark.parametrize("time", [1, TIME])
@pytest.mark.parametrize("kept", [0, 2, SIZE], ids=["nothing", "some", "all"])
def test_what_inputs_and_bias_add_to_the_gates_can_be_given_to_a_fused_layer(normal, kept, time):
    inputs, first = normal(BATCH, time, SIZE), LSTMState(normal(BATCH, UNITS), normal(BATCH, UNITS))
    layer = randomized(LSTM(UNITS, dtype="float64"))
    kernel, recurrent_kernel, bias = layer.get_weights()
    fused = built(FusedLSTM(UNITS, dtype="float64"), kept)
    fused.set_weights([np.concatenate([kernel[:kept], recurrent_kernel]).T, np.full_like(bias, np.nan)])
    gates = inputs[..., kept:] @ kernel[kept:] + bias
    assert_close(fused.scan(inputs[..., :kept], first, gate_inputs=gates), layer.scan(inputs, first), "float64")
