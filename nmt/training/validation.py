"""How good weights are on the validation pairs: teacher-forced loss, and translations by the real search."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nmt.config.settings import Config
from nmt.model.seq2seq import build_model
from nmt.runs.run import assign_weights
from nmt.text.files import read_pairs
from nmt.text.metrics import bleu_tokenize, score
from nmt.text.protection import Protection
from nmt.text.tokenizer import Tokenizers
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator


class Validator:
    """Validates with a model of its own, in float32 and outside of any strategy: training is never touched."""

    def __init__(self, config: Config, tokenizers: Tokenizers) -> None:
        self._model = build_model(
            config,
            source_vocabulary=tokenizers.source.vocabulary_size,
            target_vocabulary=tokenizers.target.vocabulary_size,
        )
        beam = {"beam_size": config.training.validation_beam_size, "n_best": 1, "sampling": False, "shortlist": 0}
        search, protection = config.search.model_copy(update=beam), Protection.of(config, tokenizers)
        self._translator = Translator(ModelEngine([self._model]), tokenizers, search, protection=protection)
        pairs = list(read_pairs(config.data.validation))
        self._sources = [source for source, _ in pairs]
        self._references = [target for _, target in pairs]
        self._tokenize = bleu_tokenize(config)

    def __call__(self, weights: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Scores weights (by variable path) by what training.metric may name.

        Returns: loss, the mean negative log-probability of a target token, without label smoothing; perplexity, its
            exponential; bleu and chrf of the translations, 0..100.
        """
        assign_weights(self._model, weights)
        loss = -float(
            np.mean(np.concatenate(self._translator.score(self._sources, self._references)), dtype=np.float64)
        )
        hypotheses = [translation.text for translation in self._translator.translate(self._sources)]
        scores = score(hypotheses, self._references, tokenize=self._tokenize, with_ter=False)
        return {
            "loss": loss,
            "perplexity": float(np.exp(min(loss, 700.0))),
            "bleu": scores.bleu.value,
            "chrf": scores.chrf.value,
        }
