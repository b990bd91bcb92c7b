"""The engine of models in this process: one, or several as an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.batches import Batch
from nmt.model.losses import token_log_probabilities
from nmt.model.seq2seq import Seq2Seq
from nmt.search.definitions import draw_noise
from nmt.search.features import quality_features
from nmt.search.guard import guarded_search
from nmt.search.rules import count_symbols, length_limits
from nmt.search.translate_ids import search_once
from nmt.text.tokenizer import PAD
from nmt.translation.engine import SearchResult

_IDS = tf.TensorSpec([None, None], tf.int32)


class ModelEngine:
    """Searches and scores with models that share their vocabularies; several by the mean of their probabilities.

    A batch's search is traced once for each kind of search, for whatever lengths it has; the guard's second search,
    of other options, only when there is a row that needs it.

    Args: lexicon: int32 [source vocabulary, lexicon.LISTED] of the models' training pairs, for options.shortlist only.
    """

    def __init__(self, models: Sequence[Seq2Seq], *, lexicon: np.ndarray | None = None) -> None:
        self.models = list(models)
        self._lexicon = lexicon
        self._searches: dict[tuple[SearchConfig, int, bool], Callable[..., Any]] = {}
        self._token_scores = tf.function(self._batch_scores, input_signature=[_IDS, _IDS, _IDS], autograph=False)

    def search(
        self, source: np.ndarray, options: SearchConfig, *, prefix: np.ndarray, num_symbols: int, with_weights: bool
    ) -> SearchResult:
        """As Engine.search."""
        noise = _noise(source, options, prefix=prefix, num_symbols=num_symbols)

        def search(source, options, prefix):
            return self._traced(options, num_symbols, with_weights)(source, prefix, noise)

        found = guarded_search(search, source, options, prefix=prefix)
        features = None if found.weights is None else quality_features(source, found)
        return SearchResult(
            tokens=found.tokens.numpy(),
            scores=found.scores.numpy(),
            lengths=found.lengths.numpy(),
            weights=None if found.weights is None else found.weights.numpy(),
            faults=None if found.faults is None else found.faults.numpy(),
            features=None if features is None else features.numpy(),
        )

    def score(self, batch: Batch) -> np.ndarray:
        """As Engine.score."""
        return self._token_scores(*batch).numpy()

    def _traced(self, options: SearchConfig, num_symbols: int, with_weights: bool) -> Callable[..., Any]:
        """A function of (source, prefix, noise)."""
        key = options, num_symbols, with_weights
        if key not in self._searches:

            def search(source, prefix, noise):
                return search_once(
                    self.models,
                    source,
                    options,
                    prefix,
                    num_symbols=num_symbols,
                    lexicon=self._lexicon,
                    noise=noise,
                    with_weights=with_weights,
                )

            noise = tf.TensorSpec([None, options.n_best, None], tf.float32)
            self._searches[key] = tf.function(search, input_signature=[_IDS, _IDS, noise], autograph=False)
        return self._searches[key]

    def _batch_scores(self, source, target_in, target_out):
        log_probabilities = [token_log_probabilities(model(source, target_in), target_out) for model in self.models]
        return tf.reduce_logsumexp(tf.stack(log_probabilities), axis=0) - np.log(len(self.models))


def _noise(source: np.ndarray, options: SearchConfig, *, prefix: np.ndarray, num_symbols: int) -> np.ndarray:
    """A draw for each token to be sampled; none where nothing is."""
    if not options.sampling:
        return np.zeros([len(source), options.n_best, 0], np.float32)
    lengths = np.count_nonzero(source != PAD, axis=1).astype(np.int32)
    required = count_symbols(source, num_symbols)
    _, most = length_limits(lengths, options, prefix=prefix, required=required)
    return draw_noise(source, options, time=int(tf.reduce_max(most)))
