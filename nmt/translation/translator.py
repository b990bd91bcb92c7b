"""The text work of translating: lines of text go in and come out, whichever engine maps ids to hypotheses.

Spans are protected, lines tokenized and long ones cut into chunks (`Splitter`), batches of chunks translated by the
engine, their translations joined and judged. An exported SavedModel does the same in its graph (exports/writer.py).
Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt.config.search import SearchConfig
from nmt.data.batches import make_batch, token_batches
from nmt.search.confidence import Calibration
from nmt.search.faults import FAULTS
from nmt.text.protection import Protection
from nmt.text.splitter import Splitter
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD, Tokenizers
from nmt.translation.engine import Engine, SearchResult
from nmt.translation.translation import Hypothesis, Translation


class _Chunk(NamedTuple):
    """A chunk's own hypotheses, as ids without EOS, best first."""

    ids: list[list[int]]
    scores: list[float]
    weights: list[np.ndarray] | None  # each [target pieces, source pieces]
    faults: np.ndarray | None  # bool [faults]
    features: np.ndarray | None  # float32 [features]
    source_length: int


class Translator:
    """Translates lines with an engine's model or models.

    Args:
        options: how to search.
        protection: what comes through as it is, as in the models' training.
        alignments: whether translations have their attention.
        calibration: of the one model, to give each translation a confidence.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizers: Tokenizers,
        options: SearchConfig,
        *,
        protection: Protection | None = None,
        alignments: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        self.engine = engine
        self.tokenizers = tokenizers
        self.options = options
        self.protection = protection or Protection()
        self.alignments = alignments
        self.calibration = calibration
        self._splitter = Splitter(tokenizers.source, options.max_source_length)

    def translate(self, lines: Sequence[str | bytes], prefixes: Sequence[str] | None = None) -> list[Translation]:
        """Translates each line; one without pieces (empty, blank) becomes the empty translation.

        Args: prefixes: for each line, how its translation starts ("" = free).
        Raises: ValueError where there are not as many prefixes as lines.
        """
        if prefixes is not None and len(prefixes) != len(lines):
            raise ValueError(
                f"{len(lines)} lines, but {len(prefixes)} prefixes: give one for each line, empty where none"
            )
        texts, spans = self._hide(lines)
        ids = self.tokenizers.source.encode(texts)
        chunks, owners = self._split(ids)
        starts = [[] for _ in chunks] if prefixes is None else self._starts(prefixes, chunks, owners, spans)
        results: dict[int, _Chunk] = {}
        for group in token_batches([len(chunk) + 1 for chunk in chunks], self.options.batch_tokens):
            found = self._translate_batch([chunks[i] for i in group], [starts[i] for i in group])
            results.update(zip(group, found, strict=True))
        by_line: list[list[_Chunk]] = [[] for _ in ids]
        for place, owner in enumerate(owners):
            by_line[owner].append(results[place])
        return [self._join(*line) for line in zip(by_line, ids, spans, strict=True)]

    def score(self, sources: Sequence[str | bytes], targets: Sequence[str | bytes]) -> list[np.ndarray]:
        """The log-probability of each piece (EOS last) of each target given its source, nothing cut.

        Raises: ValueError where there are not as many targets as sources.
        """
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources, but {len(targets)} targets: give one for each source")
        texts, spans = self._hide(sources)
        source_ids = self.tokenizers.source.encode(texts)
        target_ids = self.tokenizers.target.encode(list(map(self.protection.hide_known, targets, spans)))
        lengths = [(len(a) + 1, len(b) + 1) for a, b in zip(source_ids, target_ids, strict=True)]
        scores: list[np.ndarray] = [np.empty(0)] * len(lengths)
        for group in token_batches(lengths, self.options.batch_tokens):
            batch = make_batch([source_ids[i] for i in group], [target_ids[i] for i in group])
            for i, row in zip(group, self.engine.score(batch), strict=True):
                scores[i] = row[: lengths[i][1]]
        return scores

    def __enter__(self) -> Translator:
        """As an Endpoint; there is nothing to close."""
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def _hide(self, lines: Sequence[str | bytes]) -> tuple[list[str | bytes], list[list[str]]]:
        """Each line with symbols for its spans, and these."""
        hidden = [self.protection.hide(line) for line in lines]
        return [text for text, _ in hidden], [spans for _, spans in hidden]

    def _split(self, ids: list[list[int]]) -> tuple[list[list[int]], list[int]]:
        """All chunks of all lines, and the line each belongs to."""
        chunks: list[list[int]] = []
        owners: list[int] = []
        for line, line_ids in enumerate(ids):
            parts = [line_ids] if line_ids else []
            if len(line_ids) > self.options.max_source_length:
                parts = self._splitter.split(line_ids)
            chunks += parts
            owners += [line] * len(parts)
        return chunks, owners

    def _starts(
        self, prefixes: Sequence[str], chunks: list[list[int]], owners: list[int], spans: list[list[str]]
    ) -> list[list[int]]:
        """The forced start of each chunk: a line's prefix belongs to its first one, and knows the spans of that."""
        first = [place == 0 or owners[place - 1] != owner for place, owner in enumerate(owners)]
        texts = [
            self.protection.hide_known(prefixes[owner], spans[owner][: self._num_spans(chunk)]) if is_first else ""
            for chunk, owner, is_first in zip(chunks, owners, first, strict=True)
        ]
        return self.tokenizers.target.encode(texts)

    def _num_spans(self, ids: list[int]) -> int:
        return sum(FIRST_SYMBOL <= id_ < FIRST_SYMBOL + self.protection.num_symbols for id_ in ids)

    def _translate_batch(self, chunks: list[list[int]], starts: list[list[int]]) -> list[_Chunk]:
        found = self.engine.search(
            _padded([[*chunk, EOS] for chunk in chunks]),
            self.options,
            prefix=_padded(starts),
            num_symbols=self.protection.num_symbols,
            with_weights=self.alignments or self.calibration is not None,
        )
        return [self._chunk(found, row, len(chunk)) for row, chunk in enumerate(chunks)]

    def _chunk(self, found: SearchResult, row: int, source_length: int) -> _Chunk:
        exist = [k for k, length in enumerate(found.lengths[row]) if length]
        ends = {k: found.lengths[row][k] - 1 for k in exist}  # without EOS
        weights = None
        if self.alignments:
            assert found.weights is not None
            weights = [found.weights[row, k, : ends[k], :source_length] for k in exist]
        ids = [found.tokens[row, k, : ends[k]].tolist() for k in exist]
        scores = [float(found.scores[row, k]) for k in exist]
        faults = None if found.faults is None else found.faults[row]
        features = None if found.features is None else found.features[row]
        return _Chunk(ids, scores, weights, faults, features, source_length)

    def _join(self, parts: list[_Chunk], source_ids: list[int], spans: list[str]) -> Translation:
        """A line's translation from those of its chunks: the k-th best of it is made of the k-th best of each."""
        count = min((len(part.ids) for part in parts), default=1)
        ids = [[piece for part in parts for piece in part.ids[k]] for k in range(count)]
        texts = [self.protection.reveal(text, spans) for text in self.tokenizers.target.decode(ids)]
        hypotheses = []
        for k, (text, pieces) in enumerate(zip(texts, ids, strict=True)):
            alignment = None
            if self.alignments:
                alignment = _block_diagonal([part.weights[k] for part in parts if part.weights])
            score = sum(part.scores[k] for part in parts)
            shown = self.protection.reveal_parts(self.tokenizers.target.pieces(pieces), spans)
            hypotheses.append(Hypothesis(text, score, tuple(shown), alignment))
        faults = [part.faults for part in parts if part.faults is not None]
        broken = np.any(faults, axis=0) if faults else np.zeros(len(FAULTS), bool)
        features = _line_features(parts)
        return Translation(
            n_best=tuple(hypotheses),
            source_pieces=tuple(self.protection.reveal_parts(self.tokenizers.source.pieces(source_ids), spans)),
            degenerate=bool(broken.any()),
            faults=tuple(name for name, has in zip(FAULTS, broken, strict=True) if has),
            confidence=self._confidence(features),
            features=features,
        )

    def _confidence(self, features: tuple[float, ...]) -> float | None:
        """Of a line without pieces it is 1: there is nothing to get wrong."""
        if self.calibration is None:
            return None
        return float(self.calibration.confidence(np.array(features))) if features else 1.0


def _line_features(parts: list[_Chunk]) -> tuple[float, ...]:
    """The mean over a line's chunks, weighted by their pieces."""
    known = [part for part in parts if part.features is not None]
    if not known:
        return ()
    lengths = [part.source_length for part in known]
    return tuple(np.average([part.features for part in known], axis=0, weights=lengths).tolist())


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    padded = np.full((len(rows), max(map(len, rows), default=0)), PAD, np.int32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


def _block_diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Chunks read their own part of the source only."""
    joined = np.zeros([sum(block.shape[axis] for block in blocks) for axis in (0, 1)], np.float32)
    row = column = 0
    for block in blocks:
        joined[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return joined
