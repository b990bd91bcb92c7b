"""The losses are their formulas, in value and gradient, and padding weighs nothing."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.losses import summed_loss, token_log_probabilities
from nmt.tokenizer import PAD

ROWS, TIME, VOCAB = 3, 4, 7
TARGETS = np.array([[4, 5, 3, PAD], [6, 3, PAD, PAD], [1, 2, 5, 3]], np.int32)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(scale=3.0, size=(ROWS, TIME, VOCAB)).astype(np.float32)


def log_softmax(logits):
    logits = np.float64(logits)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_log_probabilities_are_the_log_softmax_at_the_targets_and_zero_on_padding(logits):
    expected = np.take_along_axis(log_softmax(logits), TARGETS[..., None], axis=-1)[..., 0] * (TARGETS != PAD)
    np.testing.assert_allclose(token_log_probabilities(logits, TARGETS), expected, atol=1e-5)


@pytest.fixture
def layer():
    """Readouts [tokens, size], an output layer's kernel [vocab, size] and bias [vocab], targets [tokens]."""
    random = np.random.default_rng(1)
    targets = TARGETS[TARGETS != PAD]
    weights = [random.normal(size=shape).astype(np.float32) for shape in ([len(targets), 5], [VOCAB, 5], [VOCAB])]
    return weights, targets


def loss_and_gradients(function, weights):
    weights = [tf.constant(weight) for weight in weights]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = 3.0 * function(*weights)  # so that the gradient from above is not 1
    return [loss, *tape.gradient(loss, weights)]


def plain_loss(weights, targets, smoothing):
    """Cross-entropy with the smoothed targets of Szegedy et al. 2016, section 7, and autodiff's gradients, in float64:
    (1 - smoothing) on the token, smoothing / vocab on every one.
    """
    wanted = (1 - smoothing) * np.eye(VOCAB)[targets] + smoothing / VOCAB

    def function(readouts, kernel, bias):
        logits = tf.matmul(readouts, kernel, transpose_b=True) + bias
        return -tf.reduce_sum(wanted * tf.nn.log_softmax(logits))

    return loss_and_gradients(function, [np.float64(weight) for weight in weights])


def assert_close(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_the_loss_and_its_gradients_are_those_of_the_plain_formula_however_many_rows_a_block_has(
    layer, smoothing, rows, monkeypatch
):
    monkeypatch.setattr("nmt.losses.BLOCK", rows * VOCAB)
    weights, targets = layer
    found = loss_and_gradients(lambda *weights: summed_loss(*weights, targets, smoothing=smoothing), weights)
    assert_close(found, plain_loss(weights, targets, smoothing), atol=1e-4)


def test_bfloat16_products_keep_the_loss_and_its_gradients_close(layer):
    weights, targets = layer
    found = loss_and_gradients(
        lambda *weights: summed_loss(*weights, targets, smoothing=0.1, dtype=tf.bfloat16), weights
    )
    expected = plain_loss(weights, targets, 0.1)
    assert max(np.abs(np.asarray(one) - other).max() for one, other in zip(found, expected, strict=True)) > 0
    assert_close(found, expected, rtol=0.02, atol=0.2)


def test_no_tokens_have_no_loss(layer):
    (_, kernel, bias), _ = layer
    weights = [np.zeros([0, 5], np.float32), kernel, bias]
    found = loss_and_gradients(lambda *weights: summed_loss(*weights, np.zeros([0], np.int32), smoothing=0.1), weights)
    assert not any(np.any(part) for part in found)


def test_logits_of_any_size_give_a_finite_loss():
    logits = np.array([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]], np.float32)
    np.testing.assert_allclose(token_log_probabilities(logits, np.array([[1, 1]])), [[-2e4, 0.0]], rtol=1e-6)
    readouts, kernel = np.ones([1, 1], np.float32), np.array([[1e4], [-1e4], [0.0]], np.float32)
    loss = summed_loss(readouts, kernel, np.zeros(3, np.float32), np.array([1]), smoothing=0.0)
    np.testing.assert_allclose(loss, 2e4, rtol=1e-6)
