"""What a search's own numbers tell of how good a translation is: the features that confidence.py weighs.

Each adds to the correlation with sentence chrF on lines that were not fitted on; what did not, such as the least
probable token, the share of unknown pieces or of pieces never read, was left out (docs/architecture.md).
"""

from __future__ import annotations

import tensorflow as tf

from nmt.search.search import Hypotheses
from nmt.text.tokenizer import PAD


def quality_features(source: tf.Tensor, found: Hypotheses) -> tf.Tensor:
    """The features of each row's best hypothesis, float32 [batch, 4], in the order of confidence.FEATURES.

    probability       geometric mean of its tokens' probabilities, EOS included
    coverage          mean over the source of how much each piece was read by all steps together, 1 at most
    entropy           mean over the steps of the entropy of attention, in nats: how undecided the reading was
    source_length     logarithm of the source's length, EOS included

    Args: source int32 [batch, source_time], pieces + EOS, padded with PAD; found with weights.
    """
    lengths = tf.cast(found.lengths[:, 0], tf.float32)  # [batch]
    assert found.weights is not None
    weights = found.weights[:, 0]  # [batch, time, source_time], 0 on padding
    source_lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.float32)
    read = tf.minimum(tf.reduce_sum(weights, axis=1), 1.0)  # [batch, source_time]
    entropies = -tf.reduce_sum(tf.math.multiply_no_nan(tf.math.log(weights), weights), axis=[1, 2])  # [batch]
    return tf.stack(
        [
            tf.exp(tf.math.divide_no_nan(found.log_probabilities[:, 0], lengths)),
            tf.math.divide_no_nan(tf.reduce_sum(read, axis=1), source_lengths),
            tf.math.divide_no_nan(entropies, lengths),
            tf.math.log(tf.maximum(source_lengths, 1.0)),
        ],
        axis=1,
    )
