"""The features of confidence in TensorFlow and in NumPy, against plain formulas on random searches."""

import numpy as np
import pytest

from nmt.numpy_search import features as numpy_features
from nmt.search import features
from nmt.search.confidence import FEATURES
from nmt.search.definitions import HARDLY_READ, MANY, STRETCH, UNREAD, Hypotheses
from nmt.text.tokenizer import EOS, PAD

LENGTHS = np.array([[3, 2], [1, 2], [5, 5], [4, 1]], np.int32)
SOURCE_LENGTHS = [4, 2, 9, 5]
ROWS, TIME, SOURCE_TIME = len(LENGTHS), 5, max(SOURCE_LENGTHS)
SOURCE = np.array([[7] * (length - 1) + [EOS] + [PAD] * (SOURCE_TIME - length) for length in SOURCE_LENGTHS], np.int32)


@pytest.fixture(params=[features, numpy_features], ids=["tensorflow", "numpy"])
def quality_features(request):
    return lambda source, found: np.asarray(request.param.quality_features(source, found))


def found(seed):
    """Two hypotheses a row, of which features may only look at the first."""
    random = np.random.default_rng(seed)
    weights = random.random((ROWS, 2, TIME, SOURCE_TIME)) ** 6 * (SOURCE != PAD)[:, np.newaxis, np.newaxis]
    weights /= weights.sum(axis=-1, keepdims=True)
    weights *= (np.arange(TIME) < LENGTHS[:, :, np.newaxis])[..., np.newaxis]
    nothing = np.zeros([ROWS, 2], np.float32)
    log_probabilities = (-5.0 * random.random((ROWS, 2))).astype(np.float32)
    return Hypotheses(
        np.zeros([ROWS, 2, TIME], np.int32), nothing, log_probabilities, LENGTHS, weights.astype(np.float32)
    )


def expected(hypotheses, row):
    length, source_length = LENGTHS[row, 0], np.count_nonzero(SOURCE[row])
    weights = hypotheses.weights[row, 0, :length, :source_length].astype(np.float64)
    pieces = weights[:, :-1]  # without EOS
    read, most = np.minimum(pieces.sum(axis=0), 1.0), pieces.max(axis=0)
    stretch = min(STRETCH, len(read))
    return {
        "probability": np.exp(hypotheses.log_probabilities[row, 0] / length),
        "coverage": np.minimum(weights.sum(axis=0), 1.0).mean(),
        "entropy": -(weights * np.log(weights)).sum(axis=1).mean(),
        "source_length": np.log(source_length),
        "least_read": min(read[start : start + stretch].mean() for start in range(len(read) - stretch + 1)),
        "unread": min((most < UNREAD).sum() / MANY, 1.0),
        "hardly_read": min((read < HARDLY_READ).sum() / MANY, 1.0),
    }


def test_features_are_what_their_names_say_of_the_best_hypothesis(quality_features):
    for seed in range(5):
        hypotheses = found(seed)
        result = quality_features(SOURCE, hypotheses)
        for row in range(len(SOURCE)):
            by_name = expected(hypotheses, row)
            np.testing.assert_allclose(result[row], [by_name[name] for name in FEATURES], rtol=1e-5, atol=1e-6)


def test_padding_changes_nothing(quality_features):
    hypotheses = found(1)
    wider = hypotheses._replace(weights=np.pad(hypotheses.weights, [(0, 0), (0, 0), (0, 3), (0, 2)]))
    np.testing.assert_allclose(
        quality_features(np.pad(SOURCE, [(0, 0), (0, 2)]), wider), quality_features(SOURCE, hypotheses), rtol=1e-6
    )


def test_attention_on_one_piece_alone_has_no_entropy_and_no_rows_have_no_features(quality_features):
    sharp = np.zeros([ROWS, 2, TIME, SOURCE_TIME], np.float32)
    sharp[:, :, :, 0] = 1.0
    result = quality_features(SOURCE, found(0)._replace(weights=sharp))
    np.testing.assert_array_equal(result[:, FEATURES.index("entropy")], 0.0)
    none = Hypotheses(*(field[:0] for field in found(0)._replace(faults=np.zeros([ROWS, 3], bool))))
    assert quality_features(SOURCE[:0], none).shape == (0, len(FEATURES))


def test_a_clause_that_nothing_reads_is_seen_however_long_the_rest_is(quality_features):
    source = np.array([[7] * 40 + [EOS]], np.int32)
    weights = np.zeros([1, 1, 41, 41], np.float32)
    weights[0, 0, range(41), range(41)] = 1.0
    one = np.array([[41]], np.int32)
    read = Hypotheses(np.zeros([1, 1, 41], np.int32), np.zeros([1, 1], np.float32), np.zeros([1, 1]), one, weights)
    left_out = weights.copy()
    left_out[0, 0, 20:24, 20:24] = 0.0
    left_out[0, 0, 20:24, 0] = 1.0
    whole, gap = (
        dict(zip(FEATURES, quality_features(source, read._replace(weights=each))[0], strict=True))
        for each in (weights, left_out)
    )
    assert (whole["least_read"], whole["unread"], whole["hardly_read"]) == (1.0, 0.0, 0.0)
    assert gap["least_read"] == 0.0
    np.testing.assert_allclose([gap["unread"], gap["hardly_read"]], 4 / MANY)
