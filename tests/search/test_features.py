"""The features of confidence, against NumPy on random searches."""

import numpy as np
import tensorflow as tf

from nmt.search.confidence import FEATURES
from nmt.search.features import quality_features
from nmt.search.search import Hypotheses
from nmt.text.tokenizer import EOS, PAD

SOURCE = np.array([[5, 6, 7, EOS], [8, EOS, PAD, PAD], [9, 9, EOS, PAD]], np.int32)
LENGTHS = np.array([[3, 2], [1, 2], [5, 5]], np.int32)


def found(seed):
    """Two hypotheses a row, of which features may only look at the first."""
    random = np.random.default_rng(seed)
    weights = random.random((3, 2, 5, 4)) ** 4 * (SOURCE != PAD)[:, np.newaxis, np.newaxis]
    weights /= weights.sum(axis=-1, keepdims=True)
    weights *= (np.arange(5) < LENGTHS[:, :, np.newaxis])[..., np.newaxis]
    nothing = np.zeros([3, 2], np.float32)
    log_probabilities = (-5.0 * random.random((3, 2))).astype(np.float32)
    return Hypotheses(np.zeros([3, 2, 5], np.int32), nothing, log_probabilities, LENGTHS, weights.astype(np.float32))


def expected(hypotheses, row):
    length, source_length = LENGTHS[row, 0], np.count_nonzero(SOURCE[row])
    weights = hypotheses.weights[row, 0, :length, :source_length].astype(np.float64)
    return {
        "probability": np.exp(hypotheses.log_probabilities[row, 0] / length),
        "coverage": np.minimum(weights.sum(axis=0), 1.0).mean(),
        "entropy": -(weights * np.log(weights)).sum(axis=1).mean(),
        "source_length": np.log(source_length),
    }


def test_features_are_what_their_names_say_of_the_best_hypothesis():
    for seed in range(5):
        hypotheses = found(seed)
        features = quality_features(SOURCE, hypotheses).numpy()
        for row in range(len(SOURCE)):
            by_name = expected(hypotheses, row)
            np.testing.assert_allclose(features[row], [by_name[name] for name in FEATURES], rtol=1e-5, atol=1e-6)


def test_padding_changes_nothing():
    hypotheses = found(1)
    wider = hypotheses._replace(weights=np.pad(hypotheses.weights, [(0, 0), (0, 0), (0, 3), (0, 2)]))
    np.testing.assert_allclose(
        quality_features(np.pad(SOURCE, [(0, 0), (0, 2)]), wider), quality_features(SOURCE, hypotheses), rtol=1e-6
    )


def test_attention_on_one_piece_alone_has_no_entropy_and_no_rows_have_no_features():
    sharp = np.zeros([3, 2, 5, 4], np.float32)
    sharp[:, :, :, 0] = 1.0
    features = quality_features(SOURCE, found(0)._replace(weights=sharp))
    np.testing.assert_array_equal(features[:, FEATURES.index("entropy")], 0.0)
    none = tf.nest.map_structure(lambda field: field[:0], found(0)._replace(faults=np.zeros([3, 3], bool)))
    assert quality_features(SOURCE[:0], none).shape == (0, len(FEATURES))
