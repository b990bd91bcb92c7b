"""What a Translator asks of an engine: token ids in, hypotheses out, as NumPy arrays. Imports no TensorFlow."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from nmt.config.search import SearchConfig
from nmt.data.batches import Batch


class SearchResult(NamedTuple):
    """A batch's hypotheses, best first. A row with fewer than n possible ones fills up with length 0, score -inf.

    tokens: int32 [batch, n, time], ending in EOS, PAD after it.
    scores: float32 [batch, n], log-probabilities under the length penalty.
    lengths: int32 [batch, n], EOS included.
    weights: float32 [batch, n, time, source_time], what each token read, 0 on padding; None where not asked for.
    faults: bool [batch, faults], which of faults.FAULTS the best one has; None where options.guard is off.
    features: float32 [batch, features], confidence.FEATURES of the best one; None where there are no weights.
    """

    tokens: np.ndarray
    scores: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray | None
    faults: np.ndarray | None
    features: np.ndarray | None


class Engine(Protocol):
    """A model, or several as an ensemble, with the search that it can run."""

    def search(
        self, source: np.ndarray, options: SearchConfig, *, prefix: np.ndarray, num_symbols: int, with_weights: bool
    ) -> SearchResult:
        """Searches for the options.n_best translations of each row; a row's result never depends on its batch mates.

        Args:
            source: int32 [batch, source_time], each row pieces + EOS, padded with PAD.
            prefix: int32 [batch, prefix_time], how each translation starts, padded with PAD.
            num_symbols: so many ids from FIRST_SYMBOL on are written exactly as often as the source has them.
            with_weights: whether attention weights and features are wanted.

        Raises:
            ValueError: for options that the engine cannot follow.
        """
        ...

    def score(self, batch: Batch) -> np.ndarray:
        """The log-probability of each target token given its source: float32 [batch, time], anything on padding.

        Raises:
            ValueError: where the engine cannot tell.
        """
        ...
