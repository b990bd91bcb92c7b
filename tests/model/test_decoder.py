"""One function serves whole sequences and single steps: what training learns is what search uses."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tiny_model import SOURCE, TARGET_IN, VARIANTS, step_by_step, tiny_model

each_variant = pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
INPUT_FEEDING = VARIANTS["input feeding, all tied"]


def assert_same(found, expected, **tolerance):
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@each_variant
def test_a_whole_sequence_equals_step_by_step(settings):
    model = tiny_model(settings)
    memory, state = model.encode(SOURCE)

    expected = step_by_step(model, TARGET_IN, state, memory)

    assert_same(model.decoder(TARGET_IN, state, memory), expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, INPUT_FEEDING], ids=["default", "input feeding"])
def test_a_sequence_continues_from_its_state_wherever_it_was_cut(settings):
    model = tiny_model(settings)
    memory, state = model.encode(SOURCE)
    logits, final, weights = model.decoder(TARGET_IN, state, memory)

    first, between, first_weights = model.decoder(TARGET_IN[:, :2], state, memory)
    second, end, second_weights = model.decoder(TARGET_IN[:, 2:], between, memory)

    joined = tf.concat([first, second], axis=1), end, tf.concat([first_weights, second_weights], axis=1)
    assert_same(joined, (logits, final, weights), atol=1e-5)


def test_whole_sequences_with_input_feeding_equal_single_steps_in_result_and_gradient():
    # In graphs of any length, as training compiles them.
    model = tiny_model(INPUT_FEEDING)
    asked = np.random.default_rng(0).normal(size=(*TARGET_IN.shape, 11)).astype(np.float32)

    def results_and_gradients(target_in, decode):
        with tf.GradientTape() as tape:
            memory, state = model.encode(SOURCE)
            results = decode(target_in, state, memory)
            loss = tf.reduce_sum(results[0] * asked)
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        return results, [tf.convert_to_tensor(gradient) for gradient in gradients]

    whole = tf.function(
        lambda target_in: results_and_gradients(target_in, model.decoder),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )
    found, gradients = whole(TARGET_IN)
    expected, expected_gradients = results_and_gradients(TARGET_IN, functools.partial(step_by_step, model))

    assert_same(found, expected, atol=1e-5)
    assert_same(gradients, expected_gradients, rtol=1e-3, atol=1e-4)


def test_only_input_feeding_makes_a_step_depend_on_the_attentional_vector_before_it():
    for input_feeding, size in ((False, 0), (True, 6)):
        model = tiny_model({"decoder": {"input_feeding": input_feeding}})
        memory, state = model.encode(SOURCE)
        assert state.feed.shape == (len(SOURCE), size)

        logits, after, _ = model.decoder(TARGET_IN[:, :1], state, memory)
        again, _, _ = model.decoder(TARGET_IN[:, :1], state._replace(feed=state.feed + 1.0), memory)

        assert np.any(again != logits) == input_feeding
        assert np.any(after.feed != state.feed) == input_feeding


def test_the_first_layer_alone_asks_the_attention_and_every_layer_above_sees_its_answer():
    model = tiny_model({"decoder": {"layers": 3}})
    memory, state = model.encode(SOURCE)
    logits, _, weights = model.decoder(TARGET_IN, state, memory)

    for layer in model.decoder.upper.layers:
        context_rows = layer.kernel[model.decoder.first.units :]
        changed = layer.kernel.numpy()
        changed[-context_rows.shape[0] :] = 0.0  # deaf to the context
        original = layer.kernel.numpy()
        layer.kernel.assign(changed)
        other_logits, _, same_weights = model.decoder(TARGET_IN, state, memory)
        layer.kernel.assign(original)

        np.testing.assert_array_equal(same_weights, weights)
        assert np.abs(other_logits - logits).max() > 1e-3


def test_a_token_changes_nothing_before_it():
    model = tiny_model({"decoder": {"layers": 2}})
    memory, state = model.encode(SOURCE)
    changed = TARGET_IN.copy()
    changed[:, 2] = 10

    logits, _, _ = model.decoder(TARGET_IN, state, memory)
    others, _, _ = model.decoder(changed, state, memory)

    np.testing.assert_array_equal(others[:, :2], logits[:, :2])
    assert np.all(np.any(others[:, 2:] != logits[:, 2:], axis=-1))


def test_every_state_starts_from_the_encoders_last_one():
    model = tiny_model({"decoder": {"layers": 2}})
    _, state = model.encode(SOURCE)
    changed = SOURCE.copy()
    changed[:, 0] = 4

    _, other = model.encode(changed)

    for part, other_part in zip(tf.nest.flatten(state.layers), tf.nest.flatten(other.layers), strict=True):
        assert np.all(np.any(part != other_part, axis=-1))
        assert part.shape == (len(SOURCE), 8)
