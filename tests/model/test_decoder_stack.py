"""The decoder's upper layers: LSTMs that read the context beside what comes from below."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.layers.lstm import LSTM
from nmt.layers.lstm_kernel import LSTMState
from nmt.model.decoder_stack import DecoderStack

ROWS, TIME, UNITS, SIZE = 3, 5, 4, 2


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_a_decoder_stack_is_its_layers_on_inputs_and_context_each_added_to_its_inputs(layers):
    random = np.random.default_rng(0)
    inputs, context = random.normal(size=(ROWS, TIME, UNITS)), random.normal(size=(ROWS, TIME, SIZE))
    states = [LSTMState(*random.normal(size=(2, ROWS, UNITS))) for _ in range(layers)]
    stack = DecoderStack([LSTM(UNITS, dtype="float64") for _ in states], dropout=0.5, dtype="float64")
    stack.build(inputs.shape, context.shape)

    outputs, final_states = stack(inputs, context, states)

    expected = inputs
    for layer, state, final in zip(stack.layers, states, final_states, strict=True):
        above, expected_state = layer.scan(tf.concat([expected, context], axis=-1), state)
        np.testing.assert_allclose(final, expected_state, atol=1e-12)
        expected = expected + above
    np.testing.assert_allclose(outputs, expected, atol=1e-12)
    # Dropout acts in training, on the inputs of every layer but the first.
    trained, _ = stack(inputs, context, states, training=True)
    assert np.any(trained != outputs) == (layers > 1)
