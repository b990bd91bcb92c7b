"""The engine of an ONNX export: its graphs with the search in NumPy."""

from __future__ import annotations

from functools import partial

import numpy as np

from nmt.config.search import SearchConfig
from nmt.data.batches import Batch
from nmt.numpy_search.features import quality_features
from nmt.numpy_search.guard import find_faults, guarded_search
from nmt.numpy_search.plain_steps import PlainSteps
from nmt.numpy_search.rules import count_symbols, length_limits
from nmt.numpy_search.sampling import sample
from nmt.numpy_search.search import beam_search
from nmt.numpy_search.shortlist import make_columns
from nmt.numpy_search.step import Arrays, StepScores
from nmt.onnx_engine.sessions import OnnxModel
from nmt.search.definitions import Hypotheses, draw_noise
from nmt.text.tokenizer import PAD
from nmt.translation.engine import SearchResult

_FEW = 16  # sentences: with more, a step takes so long that several steps at once gain nothing


class OnnxEngine:
    """Searches and scores with an export. Several threads may do so at once.

    Args: lexicon: int32 [source vocabulary, lexicon.LISTED] of the run's training pairs, for options.shortlist only.
    """

    def __init__(self, model: OnnxModel, *, lexicon: np.ndarray | None = None) -> None:
        self.model = model
        self._lexicon = lexicon

    def search(
        self, source: np.ndarray, options: SearchConfig, *, prefix: np.ndarray, num_symbols: int, with_weights: bool
    ) -> SearchResult:
        """As Engine.search."""
        if options.shortlist and self._lexicon is None:
            raise ValueError(
                f"search.shortlist is {options.shortlist}, but {self.model.directory} has no lexicon: set it to 0, or "
                "train with search.shortlist and export again"
            )
        once = partial(self._search_once, num_symbols=num_symbols, with_weights=with_weights)
        found = guarded_search(once, source, options, prefix=prefix)
        return SearchResult(
            tokens=found.tokens,
            scores=found.scores,
            lengths=found.lengths,
            weights=found.weights,
            faults=found.faults,
            features=None if found.weights is None else quality_features(source, found),
        )

    def score(self, batch: Batch) -> np.ndarray:
        """As Engine.score."""
        memory, state = self.model.encode(batch.source)
        log_probabilities = np.empty(batch.target_out.shape, np.float32)
        for time, (written, following) in enumerate(zip(batch.target_in.T, batch.target_out.T, strict=True)):
            scores, state, _ = self.model.step(written[:, np.newaxis], state, memory, num_best=None)
            log_probabilities[:, time] = scores.first[np.arange(len(following)), following]
        return log_probabilities

    def _search_once(
        self, source: np.ndarray, options: SearchConfig, prefix: np.ndarray, *, num_symbols: int, with_weights: bool
    ) -> Hypotheses:
        """One search, whatever it finds."""
        memory, state = self.model.encode(source)
        columns = None
        if options.shortlist:
            assert self._lexicon is not None
            memory, columns = self.model.gather(
                memory,
                make_columns(
                    source,
                    self._lexicon,
                    size=options.shortlist,
                    vocabulary=self.model.vocabulary,
                    first_ids=self.model.first_ids,
                    num_symbols=num_symbols,
                    prefix=prefix,
                ),
            )
        keep_weights = with_weights or options.guard

        def step(
            tokens: np.ndarray, state: Arrays, memory: Arrays, num_best: int | None
        ) -> tuple[StepScores, Arrays, np.ndarray | None]:
            read = keep_weights or options.coverage_penalty > 0
            return self.model.step(tokens, state, memory, num_best=num_best, columns=columns, with_weights=read)

        plain_steps: PlainSteps | None = None
        if len(source) <= _FEW and not self.model.ranks_all(2 * options.beam_size, memory, columns):
            plain_steps = partial(self.model.plain_steps, columns=columns)
        lengths = np.count_nonzero(source != PAD, axis=1)
        required = count_symbols(source, num_symbols) if num_symbols else None
        search = partial(beam_search, plain_steps=plain_steps)
        if options.sampling:
            _, most = length_limits(lengths, options, prefix=prefix, required=required)
            search = partial(sample, noise=draw_noise(source, options, time=int(most.max(initial=0))))
        found = search(
            step,
            state,
            memory,
            source_lengths=np.where(lengths > 1, lengths, 0),  # of an EOS alone nothing is to be translated
            source_time=source.shape[1],
            options=options,
            prefix=prefix,
            required=required,
            with_weights=keep_weights,
        )
        return found._replace(faults=find_faults(source, found, options, prefix=prefix)) if options.guard else found
