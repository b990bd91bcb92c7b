"""The text work of translating: lines of text go in and come out, whichever engine maps ids to hypotheses.

Lines are cut into sentences, spans protected, capitals put into normal case, sentences tokenized and long ones cut into
chunks (`Splitter`), batches of chunks translated by the engine, their translations joined and judged. An exported
SavedModel does the same in its graph (exports/writer.py).
Imports no TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import NamedTuple

import numpy as np

from nmt.config.search import SearchConfig
from nmt.data.batches import make_batch, token_batches
from nmt.search.confidence import Calibration
from nmt.search.faults import FAULTS
from nmt.text.capitals import Capitals
from nmt.text.glossary import Glossary
from nmt.text.invisible import BLANK
from nmt.text.protection import Protection
from nmt.text.sentences import SentenceSplitter, joined
from nmt.text.splitter import Splitter
from nmt.text.terms import term_source, term_target
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD, Tokenizer, Tokenizers
from nmt.translation.engine import Engine, SearchResult
from nmt.translation.translation import Hypothesis, Translation

_SMALLEST_BUDGET = 256  # tokens: smaller batches are not worth a thread


class _Chunk(NamedTuple):
    """A chunk's own hypotheses, as ids without EOS, best first."""

    ids: list[list[int]]
    scores: list[float]
    weights: list[np.ndarray] | None  # each [target pieces, source pieces]
    faults: np.ndarray | None  # bool [faults]
    features: np.ndarray | None  # float32 [features]
    source_length: int


class _Sentence(NamedTuple):
    """What is tokenized on its own: a sentence of a line, or the whole line."""

    hidden: str  # with symbols for its spans
    spans: list[str]
    in_capitals: bool
    copied: str | None  # its translation where it has nothing but spans: there is nothing to translate
    ids: list[int]  # of the source
    prefix: str = ""  # how its translation starts


class _Line(NamedTuple):
    """A line's sentences, and what separates them, white space and emoji: one fewer."""

    sentences: list[_Sentence]
    spaces: list[str]
    truncated: bool = False  # its last pieces were left out


class Translator:
    """Translates lines with an engine's model or models.

    Args:
        options: how to search.
        protection: what comes through as it is, as in the models' training.
        alignments: whether translations have their attention.
        calibration: of the one model, to give each translation a confidence.
        sentences: cuts lines that are longer than those of the training; None = lines stay whole.
        capitals: puts sentences in capitals into normal case and their translations into capitals; None = as they are.
        max_line_pieces: what a line has beyond so many is not translated; None = everything is.
        threads: how many searches the engine runs side by side; more than 1 only for one that takes it.
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
        sentences: SentenceSplitter | None = None,
        capitals: Capitals | None = None,
        max_line_pieces: int | None = None,
        threads: int = 1,
    ) -> None:
        self.engine = engine
        self.tokenizers = tokenizers
        self.options = options
        self.protection = protection or Protection()
        self.alignments = alignments
        self.calibration = calibration
        self.sentences = sentences
        self.capitals = capitals
        self.max_line_pieces = max_line_pieces
        self.threads = threads
        self._tag = tokenizers.source.tag_ids(options.tag)
        self._splitter = Splitter(tokenizers.source, options.max_source_length)

    def translate(self, lines: Sequence[str | bytes], prefixes: Sequence[str] | None = None) -> list[Translation]:
        """Translates each line; one of only protected spans is copied, a blank one becomes the empty translation.

        Args: prefixes: for each line, how its translation starts, character for character ("" = free).
        Raises: ValueError where there are not as many prefixes as lines.
        """
        if prefixes is not None and len(prefixes) != len(lines):
            raise ValueError(
                f"{len(lines)} lines, but {len(prefixes)} prefixes: give one for each line, empty where none"
            )
        analyzed = self._analyze(lines)
        if prefixes is not None:
            analyzed = list(map(_with_prefix, analyzed, prefixes))
        return list(map(self._join, analyzed, self._search(analyzed)))

    def translate_with(self, glossaries: Sequence[Glossary], lines: Sequence[str | bytes]) -> list[Translation]:
        """Translates each line with a glossary of its own in place of the translator's."""
        translators = list(map(self._with_glossary, glossaries))
        analyzed = [one._analyze([line])[0] for one, line in zip(translators, lines, strict=True)]
        found = self._search(analyzed)
        return [one._join(line, parts) for one, line, parts in zip(translators, analyzed, found, strict=True)]

    def score(self, sources: Sequence[str | bytes], targets: Sequence[str | bytes]) -> list[np.ndarray]:
        """The log-probability of each piece (EOS last) of each target given its source, nothing cut.

        Raises: ValueError where there are not as many targets as sources.
        """
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources, but {len(targets)} targets: give one for each source")
        texts, spans = self._hide(sources)
        source_ids = [[*self._tag, *ids] for ids in self.tokenizers.source.encode(texts)]
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

    def _with_glossary(self, glossary: Glossary) -> Translator:
        translator = copy(self)
        translator.protection = Protection(self.protection.kinds, glossary)
        translator.sentences = self.sentences and self.sentences.protecting(translator.protection)
        return translator

    def _search(self, lines: list[_Line]) -> list[list[list[_Chunk]]]:
        """What is found for each chunk of each sentence of each line."""
        sentences = [sentence for line in lines for sentence in line.sentences]
        chunks, owners = self._split([sentence.ids for sentence in sentences])
        starts = self._starts(sentences, chunks, owners)
        groups = self._groups([len(chunk) + 1 for chunk in chunks])

        def translate(group: list[int]) -> list[_Chunk]:
            return self._translate_batch([chunks[i] for i in group], [starts[i] for i in group])

        if self.threads == 1 or len(groups) == 1:
            found = list(map(translate, groups))
        else:
            with ThreadPoolExecutor(self.threads) as threads:
                found = list(threads.map(translate, reversed(groups)))[::-1]  # the longest first
        results: dict[int, _Chunk] = {}
        for group, of_group in zip(groups, found, strict=True):
            results.update(zip(group, of_group, strict=True))
        by_sentence: list[list[_Chunk]] = [[] for _ in sentences]
        for place, owner in enumerate(owners):
            by_sentence[owner].append(results[place])
        parts = iter(by_sentence)
        return [[next(parts) for _ in line.sentences] for line in lines]

    def _groups(self, lengths: list[int]) -> list[list[int]]:
        """What is searched together; where there are few chunks, each thread has some of them."""
        budget = self.options.batch_tokens
        if self.threads > 1:
            budget = min(budget, max(_SMALLEST_BUDGET, -(-sum(lengths) // self.threads)))
        return token_batches(lengths, budget)

    def _hide(self, lines: Sequence[str | bytes]) -> tuple[list[str | bytes], list[list[str]]]:
        """Each line with symbols for its spans, and these."""
        hidden = [self.protection.hide(line) for line in lines]
        return [text for text, _ in hidden], [spans for _, spans in hidden]

    def _analyze(self, lines: Sequence[str | bytes]) -> list[_Line]:
        """Each line's sentences, tokenized."""
        cut = [self._cut(line) for line in lines]
        originals = [text for of_line, _ in cut for text in of_line]
        hidden, spans = self._hide(originals)
        as_text = list(map(_as_text, hidden))
        capitals = [self.capitals is not None and self.capitals.found(text) for text in as_text]
        texts = [self._normal_case(text) if found else text for text, found in zip(hidden, capitals, strict=True)]
        copied = list(map(self.protection.copied, map(_as_text, originals), as_text, spans))
        to_translate = [text if copy is None else "" for text, copy in zip(texts, copied, strict=True)]
        ids = self.tokenizers.source.encode(to_translate)
        sentences = map(_Sentence, as_text, spans, capitals, copied, ids)
        return [self._limited(_Line([next(sentences) for _ in of_line], spaces)) for of_line, spaces in cut]

    def _limited(self, line: _Line) -> _Line:
        """The line without the pieces that are too many."""
        rest = self.max_line_pieces
        if rest is None or sum(len(sentence.ids) for sentence in line.sentences) <= rest:
            return line
        sentences = []
        for sentence in line.sentences:
            sentences.append(sentence._replace(ids=sentence.ids[:rest]))
            rest -= len(sentences[-1].ids)
        return _Line(sentences, line.spaces, truncated=True)

    def _normal_case(self, text: str | bytes) -> str | bytes:
        assert self.capitals
        return _like(self.capitals.to_normal_case(_as_text(text)), text)

    def _cut(self, line: str | bytes) -> tuple[list[str | bytes], list[str]]:
        """A line's sentences, and what separates them."""
        if self.sentences is None:
            return [line], []
        texts, spaces = self.sentences.split(_as_text(line))
        return [_like(text, line) for text in texts], spaces

    def _split(self, ids: list[list[int]]) -> tuple[list[list[int]], list[int]]:
        """All chunks of all sentences, and the sentence each belongs to."""
        chunks: list[list[int]] = []
        owners: list[int] = []
        for sentence, sentence_ids in enumerate(ids):
            parts = [sentence_ids] if sentence_ids else []
            if len(sentence_ids) > self.options.max_source_length:
                parts = self._splitter.split(sentence_ids)
            chunks += parts
            owners += [sentence] * len(parts)
        return chunks, owners

    def _starts(self, sentences: list[_Sentence], chunks: list[list[int]], owners: list[int]) -> list[list[int]]:
        """The forced start of each chunk: a sentence's prefix belongs to its first one, and knows the spans of that."""
        starts: list[list[int]] = []
        for chunk, owner in zip(chunks, owners, strict=True):
            first = not starts or owners[len(starts) - 1] != owner
            starts.append(self._start(sentences[owner], chunk) if first and sentences[owner].prefix else [])
        return starts

    def _start(self, sentence: _Sentence, chunk: list[int]) -> list[int]:
        hidden = self.protection.hide_known(sentence.prefix, sentence.spans[: self._num_spans(chunk)])
        return self.tokenizers.target.encode([hidden])[0]

    def _num_spans(self, ids: list[int]) -> int:
        return sum(FIRST_SYMBOL <= id_ < FIRST_SYMBOL + self.protection.num_symbols for id_ in ids)

    def _translate_batch(self, chunks: list[list[int]], starts: list[list[int]]) -> list[_Chunk]:
        found = self.engine.search(
            _padded([[*self._tag, *chunk, EOS] for chunk in chunks]),
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
            pieces = slice(len(self._tag), len(self._tag) + source_length)
            weights = [found.weights[row, k, : ends[k], pieces] for k in exist]
        ids = [found.tokens[row, k, : ends[k]].tolist() for k in exist]
        scores = [float(found.scores[row, k]) for k in exist]
        faults = None if found.faults is None else found.faults[row]
        features = None if found.features is None else found.features[row]
        return _Chunk(ids, scores, weights, faults, features, source_length)

    def _join(self, line: _Line, by_sentence: list[list[_Chunk]]) -> Translation:
        """A line's translation from those of its chunks: the k-th best of it is made of the k-th best of each."""
        parts = [part for parts in by_sentence for part in parts]
        count = min((len(part.ids) for part in parts), default=1)
        hypotheses = []
        for k in range(count):
            ids = [[piece for part in of_sentence for piece in part.ids[k]] for of_sentence in by_sentence]
            alignment = None
            if self.alignments:
                alignment = _block_diagonal([part.weights[k] for part in parts if part.weights])
            text = self._text(line, ids)
            if not parts and re.fullmatch(BLANK, text):
                text = ""
            pieces = self._pieces(self.tokenizers.target, line, ids, term_target)
            hypotheses.append(Hypothesis(text, sum(part.scores[k] for part in parts), pieces, alignment))
        faults = [part.faults for part in parts if part.faults is not None]
        broken = np.any(faults, axis=0) if faults else np.zeros(len(FAULTS), bool)
        features = _line_features(parts)
        return Translation(
            n_best=tuple(hypotheses),
            source_pieces=self._pieces(
                self.tokenizers.source, line, [sentence.ids for sentence in line.sentences], term_source
            ),
            degenerate=bool(broken.any()),
            truncated=line.truncated,
            faults=tuple(name for name, has in zip(FAULTS, broken, strict=True) if has),
            confidence=self._confidence(features),
            features=features,
        )

    def _text(self, line: _Line, ids: list[list[int]]) -> str:
        """A line's translation, of the ids of that of each sentence."""
        texts = [
            self._sentence_text(sentence, text)
            for sentence, text in zip(line.sentences, self.tokenizers.target.decode(ids), strict=True)
        ]
        return joined(texts, line.spaces)

    def _sentence_text(self, sentence: _Sentence, translation: str) -> str:
        """A sentence's translation as its reader sees it, of the text of its ids."""
        if sentence.copied is not None:
            return sentence.copied
        text = self._shown(sentence, translation)
        if not sentence.prefix:
            return text
        # The ids of the prefix may lack some of its characters, which no piece has, and the white space at its ends.
        start = self._start(sentence, self._split([sentence.ids])[0][0])
        begun = self._shown(sentence, self.tokenizers.target.decode([start])[0])
        rest = text.removeprefix(begun)
        return sentence.prefix + (rest.lstrip(" ") if sentence.prefix[-1].isspace() else rest)

    def _shown(self, sentence: _Sentence, translation: str) -> str:
        if self.capitals and sentence.in_capitals:
            translation = self.capitals.to_capitals(translation)
        return self.protection.reveal(translation, sentence.spans, sentence.hidden)

    def _pieces(
        self, tokenizer: Tokenizer, line: _Line, ids: list[list[int]], side: Callable[[str], str]
    ) -> tuple[str, ...]:
        """The pieces of all sentences, spans for symbols, terms as they are on that side."""
        by_sentence = zip(line.sentences, map(tokenizer.pieces, ids), strict=True)
        return tuple(
            piece
            for sentence, pieces in by_sentence
            for piece in self.protection.reveal_parts(pieces, list(map(side, sentence.spans)))
        )

    def _confidence(self, features: tuple[float, ...]) -> float | None:
        """Of a line without pieces it is 1: there is nothing to get wrong."""
        if self.calibration is None:
            return None
        return float(self.calibration.confidence(np.array(features))) if features else 1.0


def _with_prefix(line: _Line, prefix: str) -> _Line:
    """The line with a prefix on its first sentence that is translated."""
    sentences = list(line.sentences)
    first = next((place for place, sentence in enumerate(sentences) if sentence.ids), None)
    if first is not None:
        sentences[first] = sentences[first]._replace(prefix=prefix)
    return line._replace(sentences=sentences)


def _line_features(parts: list[_Chunk]) -> tuple[float, ...]:
    """The mean over a line's chunks, weighted by their pieces."""
    known = [part for part in parts if part.features is not None]
    if not known:
        return ()
    lengths = [part.source_length for part in known]
    return tuple(np.average([part.features for part in known], axis=0, weights=lengths).tolist())


def _as_text(line: str | bytes) -> str:
    return line.decode("utf-8", "surrogateescape") if isinstance(line, bytes) else line


def _like(text: str, line: str | bytes) -> str | bytes:
    """The text as bytes where the line that it comes from is bytes: the inverse of `_as_text`."""
    return text.encode("utf-8", "surrogateescape") if isinstance(line, bytes) else text


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
