"""The features of confidence in NumPy: those of search/features.py, which says what they mean."""

from __future__ import annotations

import numpy as np

from nmt.search.definitions import HARDLY_READ, MANY, STRETCH, UNREAD, Hypotheses
from nmt.text.tokenizer import EOS, PAD


def quality_features(source: np.ndarray, found: Hypotheses) -> np.ndarray:
    """The features of each row's best hypothesis, float32 [batch, features], in the order of confidence.FEATURES.

    Args: source int32 [batch, source_time], pieces + EOS, padded with PAD; found with weights.
    """
    lengths = np.maximum(found.lengths[:, 0], 1)
    weights = found.weights[:, 0]  # [batch, time, source_time], 0 on padding
    source_lengths = np.maximum(np.count_nonzero(source != PAD, axis=1), 1)
    read = np.minimum(weights.sum(axis=1), 1.0)  # [batch, source_time]
    logarithms = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    piece = (source != PAD) & (source != EOS)  # [batch, source_time]
    return np.stack(
        [
            np.exp(found.log_probabilities[:, 0] / lengths),
            read.sum(axis=1) / source_lengths,
            -(logarithms * weights).sum(axis=(1, 2)) / lengths,
            np.log(source_lengths),
            _least_read(read, piece),
            _share_of_many(piece & (weights.max(axis=1) < np.float32(UNREAD))),
            _share_of_many(piece & (read < np.float32(HARDLY_READ))),
        ],
        axis=1,
        dtype=np.float32,
        casting="same_kind",
    )


def _least_read(read: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """The least mean of STRETCH neighbours, or of all pieces where these are fewer: float32 [batch]; 1 of no pieces.

    Args: read float32 and piece bool, both [batch, source_time]; pieces come first in a row.
    """
    batch, time = read.shape
    total = np.zeros([batch, 1 + time + STRETCH], np.float32)
    total[:, 1 : 1 + time] = np.where(piece, read, 0.0)
    total = total.cumsum(axis=1)
    count = np.count_nonzero(piece, axis=1)[:, np.newaxis]  # [batch, 1]
    size = np.minimum(count, STRETCH)
    sums = total[:, STRETCH:] - total[:, :-STRETCH]  # [batch, 1 + time]
    sums = np.where(np.arange(sums.shape[1]) <= count - size, sums, np.inf)
    return np.where(size > 0, sums.min(axis=1, keepdims=True) / np.maximum(size, 1), 1.0)[:, 0]


def _share_of_many(pieces: np.ndarray) -> np.ndarray:
    return np.minimum(np.count_nonzero(pieces, axis=1) / MANY, 1.0)
