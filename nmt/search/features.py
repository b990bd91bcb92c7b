"""What a search's own numbers tell of how good a translation is: the features that confidence.py weighs.

Each adds to the correlation with sentence chrF on lines that were not fitted on; what did not, such as the least
probable token, the share of unknown pieces or of pieces never read, was left out (docs/architecture.md).
"""

from __future__ import annotations

import tensorflow as tf

from nmt.search.definitions import HARDLY_READ, MANY, STRETCH, UNREAD, Hypotheses
from nmt.text.tokenizer import EOS, PAD


def quality_features(source: tf.Tensor, found: Hypotheses) -> tf.Tensor:
    """The features of each row's best hypothesis, float32 [batch, features], in the order of confidence.FEATURES.

    probability       geometric mean of its tokens' probabilities, EOS included
    coverage          mean over the source of how much each piece was read by all steps together, 1 at most
    entropy           mean over the steps of the entropy of attention, in nats: how undecided the reading was
    source_length     logarithm of the source's length, EOS included
    least_read        coverage of the stretch of STRETCH pieces that was read least: a clause that was left out
    unread            number of pieces that no step gave UNREAD of its attention, MANY at most, as a share of MANY
    hardly_read       likewise, of pieces that all steps together gave less than HARDLY_READ

    Args: source int32 [batch, source_time], pieces + EOS, padded with PAD; found with weights.
    """
    lengths = tf.cast(found.lengths[:, 0], tf.float32)  # [batch]
    assert found.weights is not None
    weights = found.weights[:, 0]  # [batch, time, source_time], 0 on padding
    source_lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.float32)
    read = tf.minimum(tf.reduce_sum(weights, axis=1), 1.0)  # [batch, source_time]
    entropies = -tf.reduce_sum(tf.math.multiply_no_nan(tf.math.log(weights), weights), axis=[1, 2])  # [batch]
    piece = (source != PAD) & (source != EOS)  # [batch, source_time]
    unread = piece & (tf.reduce_max(weights, axis=1) < UNREAD)
    return tf.stack(
        [
            tf.exp(tf.math.divide_no_nan(found.log_probabilities[:, 0], lengths)),
            tf.math.divide_no_nan(tf.reduce_sum(read, axis=1), source_lengths),
            tf.math.divide_no_nan(entropies, lengths),
            tf.math.log(tf.maximum(source_lengths, 1.0)),
            _least_read(read, piece),
            _share_of_many(unread),
            _share_of_many(piece & (read < HARDLY_READ)),
        ],
        axis=1,
    )


def _least_read(read: tf.Tensor, piece: tf.Tensor) -> tf.Tensor:
    """The least mean of STRETCH neighbours, or of all pieces where these are fewer: float32 [batch]; 1 of no pieces.

    Args: read float32 and piece bool, both [batch, source_time]; pieces come first in a row.
    """
    total = tf.cumsum(tf.pad(tf.where(piece, read, 0.0), [[0, 0], [1, STRETCH]]), axis=1)  # [batch, 1 + time + STRETCH]
    count = tf.math.count_nonzero(piece, axis=1, dtype=tf.int32)[:, tf.newaxis]  # [batch, 1]
    size = tf.minimum(count, STRETCH)
    start = tf.range(tf.shape(read)[1] + 1)
    sums = total[:, STRETCH:] - total[:, :-STRETCH]  # [batch, 1 + time]
    sums = tf.where(start <= count - size, sums, float("inf"))
    return tf.where(size > 0, tf.reduce_min(sums, axis=1, keepdims=True) / tf.cast(size, tf.float32), 1.0)[:, 0]


def _share_of_many(pieces: tf.Tensor) -> tf.Tensor:
    return tf.minimum(tf.math.count_nonzero(pieces, axis=1, dtype=tf.float32) / MANY, 1.0)
