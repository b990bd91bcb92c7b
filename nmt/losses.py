"""The training loss and the log-probabilities it stands for; softmax in float32."""

from __future__ import annotations

import tensorflow as tf

from nmt.tokenizer import PAD


def token_log_probabilities(logits, targets):
    """log p of each target token: float32 [batch, time], 0 on padding.

    Args: logits float32 [batch, time, vocab]; targets int32 [batch, time], padded with PAD.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
    return tf.where(tf.equal(targets, PAD), 0.0, -losses)


def smoothed_cross_entropy(logits, targets, smoothing: float):
    """Cross-entropy against targets of which `smoothing` is spread evenly over all tokens (Szegedy et al. 2016, 7).

    Args: logits float32 [batch, time, vocab]; targets int32 [batch, time], padded with PAD; smoothing in [0, 1).
    Returns: float32 [batch, time], 0 on padding.
    """
    vocabulary = logits.shape[-1]
    losses = _smoothed_rows(tf.reshape(logits, [-1, vocabulary]), tf.reshape(targets, [-1]), smoothing)
    return tf.where(tf.equal(targets, PAD), 0.0, tf.reshape(losses, tf.shape(targets)))


def _smoothed_rows(logits, targets, smoothing: float):
    """Losses [rows] for logits [rows, vocab]; its gradient needs one softmax and no one-hot matrix."""

    @tf.custom_gradient
    def run(logits):
        normalizers = tf.reduce_logsumexp(logits, axis=-1)  # [rows]
        rows = tf.range(tf.shape(targets)[0])
        index = tf.stack([rows, targets], axis=1)  # [rows, 2]
        expected = (1.0 - smoothing) * tf.gather_nd(logits, index) + smoothing * tf.reduce_mean(logits, axis=-1)

        def gradient(upstream):
            probabilities = tf.exp(logits - normalizers[:, tf.newaxis])
            spread = probabilities - smoothing / logits.shape[-1]
            difference = tf.tensor_scatter_nd_sub(spread, index, tf.fill(tf.shape(rows), 1.0 - smoothing))
            return difference * upstream[:, tf.newaxis]

        return normalizers - expected, gradient

    return run(logits)
