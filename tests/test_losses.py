"""The losses are their formulas, in value and gradient, and padding weighs nothing."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.losses import smoothed_cross_entropy, token_log_probabilities
from nmt.tokenizer import PAD

ROWS, TIME, VOCAB = 3, 4, 7
TARGETS = np.array([[4, 5, 3, PAD], [6, 3, PAD, PAD], [1, 2, 5, 3]], np.int32)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(scale=3.0, size=(ROWS, TIME, VOCAB)).astype(np.float32)


def log_softmax(logits):
    logits = np.float64(logits)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def smoothed_targets(smoothing):
    """Szegedy et al. 2016, section 7: (1 - smoothing) on the token, smoothing / vocab on every one."""
    return (1 - smoothing) * np.eye(VOCAB)[TARGETS] + smoothing / VOCAB


def test_log_probabilities_are_the_log_softmax_at_the_targets_and_zero_on_padding(logits):
    expected = np.take_along_axis(log_softmax(logits), TARGETS[..., None], axis=-1)[..., 0] * (TARGETS != PAD)
    np.testing.assert_allclose(token_log_probabilities(logits, TARGETS), expected, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_the_loss_is_the_cross_entropy_with_the_smoothed_targets(logits, smoothing):
    expected = -(smoothed_targets(smoothing) * log_softmax(logits)).sum(axis=-1) * (TARGETS != PAD)
    np.testing.assert_allclose(smoothed_cross_entropy(logits, TARGETS, smoothing), expected, atol=1e-5)


def test_without_smoothing_the_loss_is_the_negative_log_probability(logits):
    expected = -token_log_probabilities(logits, TARGETS)
    np.testing.assert_allclose(smoothed_cross_entropy(logits, TARGETS, 0.0), expected, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_its_gradient_is_autodiffs_of_the_plain_formula_and_zero_on_padding(logits, smoothing):
    asked = np.random.default_rng(1).normal(size=(ROWS, TIME))

    def gradient(logits, loss):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = tf.reduce_sum(loss(logits) * tf.cast(asked, logits.dtype))
        return tape.gradient(total, logits).numpy()

    def plain(logits):
        losses = -tf.reduce_sum(smoothed_targets(smoothing) * tf.nn.log_softmax(logits), axis=-1)
        return losses * tf.cast(TARGETS != PAD, tf.float64)

    found = gradient(tf.constant(logits), lambda logits: smoothed_cross_entropy(logits, TARGETS, smoothing))
    expected = gradient(tf.constant(logits, tf.float64), plain)

    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.any(found[TARGETS == PAD])


def test_logits_of_any_size_give_a_finite_loss():
    logits = np.array([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]], np.float32)
    targets = np.array([[1, 1]], np.int32)
    np.testing.assert_allclose(smoothed_cross_entropy(logits, targets, 0.0), [[2e4, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(token_log_probabilities(logits, targets), [[-2e4, 0.0]], rtol=1e-6)
