"""The losses are their formulas, in value and gradient, and padding weighs nothing."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.model.losses import log_normalizers, summed_loss, token_log_probabilities
from nmt.text.tokenizer import PAD

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


@pytest.mark.parametrize("vocab", [1, 7, 64, 131, 132, 4000])  # one block or many, filled up or not
@pytest.mark.parametrize("rows", [0, 3])
def test_normalizers_are_the_log_sum_exp_of_logits_of_any_size(rows, vocab):
    logits = np.random.default_rng(0).normal(scale=30.0, size=(rows, vocab)).astype(np.float32)
    largest = logits.max(axis=1, keepdims=True)
    expected = largest + np.log(np.exp(np.float64(logits) - largest).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_normalizers(logits, tf.nn.softmax(logits)), expected, rtol=1e-6)


@pytest.fixture
def layer():
    """Readouts [2, tokens, size], an output layer's kernel [vocab, size] and bias [vocab], targets [tokens]."""
    random = np.random.default_rng(1)
    targets = TARGETS[TARGETS != PAD]
    weights = [random.normal(size=shape).astype(np.float32) for shape in ([2, len(targets), 5], [VOCAB, 5], [VOCAB])]
    return weights, targets


def one_pass(layer):
    (readouts, *weights), targets = layer
    return [readouts[:1], *weights], targets


def loss_and_gradients(function, weights):
    weights = [tf.constant(weight) for weight in weights]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = 3.0 * function(*weights)  # so that the gradient from above is not 1
    return [loss, *tape.gradient(loss, weights)]


def plain_loss(weights, targets, smoothing, consistency=0.0):
    """Cross-entropy with the smoothed targets of Szegedy et al. 2016, section 7: (1 - smoothing) on the token,
    smoothing / vocab on every one. With it the divergence of Liang et al. 2021, eq. 2 and 4. Autodiff's gradients, in
    float64.
    """
    wanted = (1 - smoothing) * np.eye(VOCAB)[targets] + smoothing / VOCAB

    def function(readouts, kernel, bias):
        logs = tf.nn.log_softmax(tf.einsum("pts,vs->ptv", readouts, kernel) + bias)
        loss = -tf.reduce_sum(wanted * logs)
        if consistency:
            first, second = tf.unstack(logs)
            loss += consistency * 0.5 * tf.reduce_sum(tf.exp(first) * (first - second))
            loss += consistency * 0.5 * tf.reduce_sum(tf.exp(second) * (second - first))
        return loss

    return loss_and_gradients(function, [np.float64(weight) for weight in weights])


def assert_close(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_the_loss_and_its_gradients_are_those_of_the_plain_formula_however_many_rows_a_block_has(
    layer, smoothing, rows, monkeypatch
):
    monkeypatch.setattr("nmt.model.losses.BLOCK", rows * VOCAB)
    weights, targets = one_pass(layer)
    found = loss_and_gradients(lambda *weights: summed_loss(*weights, targets, smoothing=smoothing), weights)
    assert_close(found, plain_loss(weights, targets, smoothing), atol=1e-4)


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("consistency", [0.5, 5.0])
def test_two_passes_sum_their_losses_and_how_far_their_distributions_are_apart(layer, consistency, rows, monkeypatch):
    monkeypatch.setattr("nmt.model.losses.BLOCK", 2 * rows * VOCAB)
    weights, targets = layer
    found = loss_and_gradients(
        lambda *weights: summed_loss(*weights, targets, smoothing=0.1, consistency=consistency), weights
    )
    assert_close(found, plain_loss(weights, targets, 0.1, consistency), rtol=1e-5, atol=1e-4)


def test_equal_passes_have_twice_the_loss_of_one_and_nothing_for_consistency(layer):
    (readouts, *weights), targets = one_pass(layer)
    one = summed_loss(readouts, *weights, targets, smoothing=0.1)
    two = summed_loss(np.repeat(readouts, 2, axis=0), *weights, targets, smoothing=0.1, consistency=5.0)
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)


def test_bfloat16_products_keep_the_loss_and_its_gradients_close(layer):
    weights, targets = one_pass(layer)
    found = loss_and_gradients(
        lambda *weights: summed_loss(*weights, targets, smoothing=0.1, dtype=tf.bfloat16), weights
    )
    expected = plain_loss(weights, targets, 0.1)
    assert max(np.abs(np.asarray(one) - other).max() for one, other in zip(found, expected, strict=True)) > 0
    assert_close(found, expected, rtol=0.02, atol=0.2)


@pytest.mark.parametrize(("passes", "consistency"), [(1, 0.0), (2, 5.0)])
def test_no_tokens_have_no_loss(layer, passes, consistency):
    (_, kernel, bias), _ = layer
    weights = [np.zeros([passes, 0, 5], np.float32), kernel, bias]
    options = {"smoothing": 0.1, "consistency": consistency}
    found = loss_and_gradients(lambda *weights: summed_loss(*weights, np.zeros([0], np.int32), **options), weights)
    assert not any(np.any(part) for part in found)


def test_logits_of_any_size_give_a_finite_loss():
    logits = np.array([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]], np.float32)
    np.testing.assert_allclose(token_log_probabilities(logits, np.array([[1, 1]])), [[-2e4, 0.0]], rtol=1e-6)
    readouts, kernel = np.ones([1, 1, 1], np.float32), np.array([[1e4], [-1e4], [0.0]], np.float32)
    loss = summed_loss(readouts, kernel, np.zeros(3, np.float32), np.array([1], np.int32), smoothing=0.0)
    np.testing.assert_allclose(loss, 2e4, rtol=1e-6)
