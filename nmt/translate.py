"""Translating: the one place where model meets search, and lines of text go in and come out.

`translate_ids` is what validation, the command line, evaluation and the SavedModel all call, as is `Splitter`: long
lines are cut into chunks of pieces at sentence ends (or words), translated, and their translations joined again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nmt.confidence import Calibration
from nmt.config import SearchConfig
from nmt.data import make_batch, token_batches
from nmt.features import quality_features
from nmt.guard import FAULTS, guarded_search
from nmt.losses import log_normalizers, token_log_probabilities
from nmt.model import Seq2Seq
from nmt.search import Hypotheses, beam_search, length_limits, repeat_rows, sample
from nmt.tokenizer import EOS, PAD, UNSPACED, Tokenizer, Tokenizers

SENTENCE_END = re.compile(r"[.!?…؟।]['\"’”»)\]]*$")  # ends a sentence where a new word follows
CLAUSE_END = re.compile(r"[、，,;；]['\"’”»)\]」』]*$")  # ends a clause of a text without spaces
FULL_STOP = re.compile(r"[。！？]['\"’”»)\]」』]*$")  # ends one in any case
WORD_START = "▁"


def translate_ids(
    models: Sequence[Seq2Seq], source, options: SearchConfig, *, prefix=None, noise=None, with_weights=False
) -> Hypotheses:
    """Translates a batch; several models decode as an ensemble, by the mean of their probabilities.

    Args:
        source: int32 [batch, source_time], each row pieces + EOS, padded with PAD.
        options: static; options.sampling draws from the model with `noise`, else beam search; options.guard judges what
            was found (Hypotheses.faults, else None), for which attention weights are kept in any case.
        prefix: int32 [batch, prefix_time] or None: how each translation starts, padded with PAD.
        noise: float32 [batch, n_best, time] in [0, 1), one draw a token, for sampling only.
    """
    if not options.guard:
        return _search(models, source, options, prefix=prefix, noise=noise, with_weights=with_weights)

    def search(source, options, prefix):
        return _search(models, source, options, prefix=prefix, noise=noise, with_weights=True)

    return guarded_search(search, source, options, prefix=prefix)


def _search(
    models: Sequence[Seq2Seq], source, options: SearchConfig, *, prefix, noise, with_weights: bool
) -> Hypotheses:
    """As translate_ids, whatever comes of it."""
    memories, states = zip(*(model.encode(source) for model in models), strict=True)
    memories = repeat_rows(memories, options.n_best if options.sampling else options.beam_size)
    outputs = [model.decoder.output_layer() for model in models]

    def step(tokens, states):
        logits, states, weights = zip(
            *(
                model.decoder(tokens[:, tf.newaxis], state, memory, output)
                for model, state, memory, output in zip(models, states, memories, outputs, strict=True)
            ),
            strict=True,
        )
        logits = tf.stack(logits)[:, :, 0]  # [models, rows, vocab]
        log_probabilities = logits - log_normalizers(logits, tf.nn.softmax(logits))
        if len(models) == 1:
            return log_probabilities[0], states, weights[0][:, 0]
        mean = tf.reduce_logsumexp(log_probabilities, axis=0) - np.log(len(models))
        return mean, states, tf.reduce_mean(tf.stack(weights)[:, :, 0], axis=0)

    shared = {
        "source_lengths": tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32),
        "source_time": tf.shape(source)[1],
        "options": options,
        "prefix": prefix,
        "with_weights": with_weights,
    }
    if options.sampling:
        return sample(step, states, noise=noise, **shared)
    return beam_search(step, states, **shared)


class Splitter:
    """Cuts long lines into chunks of at most `limit` pieces: after a sentence if one ends there, else after a word."""

    def __init__(self, tokenizer: Tokenizer, limit: int):
        self.limit = limit
        pieces = tokenizer.pieces(range(tokenizer.vocabulary_size))
        self.starts_word = np.array([piece.startswith(WORD_START) for piece in pieces])
        self.starts_unspaced = np.array([bool(UNSPACED.match(piece)) for piece in pieces])
        self.ends_sentence = np.array([bool(SENTENCE_END.search(piece)) for piece in pieces])
        self.ends_clause = np.array([bool(CLAUSE_END.search(piece)) for piece in pieces])
        self.full_stop = np.array([bool(FULL_STOP.search(piece)) for piece in pieces])

    def split(self, ids: tf.RaggedTensor) -> tf.RaggedTensor:
        """Chunks of each line: ids int32 [batch, (pieces)] -> [batch, (chunks), (pieces)]; no pieces, no chunks."""
        dense = ids.to_tensor(default_value=PAD)  # [batch, width]
        quality = self._cut_quality(dense)
        lengths = tf.cast(ids.row_lengths(), tf.int32)  # [batch]
        window = tf.range(self.limit)

        def condition(start, sizes):
            return tf.reduce_any(start < lengths)

        def body(start, sizes):
            remaining = lengths - start
            positions = tf.minimum(start[:, tf.newaxis] + window, tf.shape(dense)[1] - 1)  # [batch, limit]
            rank = tf.gather(quality, positions, batch_dims=1) * self.limit + window
            cut = tf.argmax(rank, axis=1, output_type=tf.int32) + 1
            size = tf.where(remaining > self.limit, cut, tf.maximum(remaining, 0))
            return start + size, tf.concat([sizes, size[:, tf.newaxis]], axis=1)

        _, by_line = tf.while_loop(
            condition,
            body,
            (tf.zeros_like(lengths), tf.zeros([tf.shape(lengths)[0], 0], tf.int32)),
            shape_invariants=(lengths.shape, tf.TensorShape([None, None])),
        )  # [batch, chunks]
        real = by_line > 0
        sizes = tf.cast(tf.boolean_mask(by_line, real), tf.int64)
        chunks = tf.RaggedTensor.from_row_lengths(ids.flat_values, sizes, validate=False)
        counts = tf.math.count_nonzero(real, axis=1)
        return tf.RaggedTensor.from_row_lengths(chunks, counts, validate=False)

    def _cut_quality(self, dense):
        """How good a cut after each piece is: 2 = a sentence ends, 1 = a word does, 0 = neither; [batch, width].

        Where there are no spaces the end of a clause counts as that of a word.
        """

        def of_next(of_piece):
            return tf.pad(tf.gather(of_piece, dense)[:, 1:], [[0, 0], [0, 1]])[:, : tf.shape(dense)[1]]

        next_starts, next_unspaced = of_next(self.starts_word), of_next(self.starts_unspaced)
        ends = tf.gather(self.ends_sentence, dense) & (next_starts | next_unspaced)
        words = next_starts | (tf.gather(self.ends_clause, dense) & next_unspaced)
        return tf.where(tf.gather(self.full_stop, dense) | ends, 2, tf.cast(words, tf.int32))


class Hypothesis(NamedTuple):
    """One translation of a line: its pieces, and how much each read each source piece (None where not asked for)."""

    text: str
    score: float
    pieces: tuple[str, ...]
    alignment: np.ndarray | None  # float32 [pieces, source pieces]


class Translation(NamedTuple):
    """What became of a line: its hypotheses, best first, and what is to be thought of the best."""

    n_best: tuple[Hypothesis, ...]
    source_pieces: tuple[str, ...]
    faults: tuple[str, ...] = ()  # of guard.FAULTS, those that some chunk of it has; none where options.guard is off
    confidence: float | None = None  # see confidence.py; None where it is not calibrated
    features: tuple[float, ...] = ()  # confidence.FEATURES, where attention was kept and there are pieces

    @property
    def text(self) -> str:
        return self.n_best[0].text

    @property
    def score(self) -> float:
        return self.n_best[0].score

    @property
    def degenerate(self) -> bool:
        return bool(self.faults)


class _Chunk(NamedTuple):
    """A chunk's own hypotheses, as ids without EOS, best first."""

    ids: list[list[int]]
    scores: list[float]
    weights: list[np.ndarray] | None  # each [target pieces, source pieces]
    faults: np.ndarray | None  # bool [faults]
    features: np.ndarray | None  # float32 [features]
    source_length: int


class Translator:
    """Translates lines with one model, or with several as an ensemble (which must share their tokenizers).

    Args: calibration: of the one model, to give each translation a confidence.
    """

    def __init__(
        self,
        models: Sequence[Seq2Seq],
        tokenizers: Tokenizers,
        options: SearchConfig,
        *,
        with_alignments: bool = False,
        calibration: Calibration | None = None,
    ):
        self.models = list(models)
        self.tokenizers = tokenizers
        self.options = options
        self.with_alignments = with_alignments
        self.calibration = calibration
        self._splitter = Splitter(tokenizers.source, options.max_source_length)
        ids = tf.TensorSpec([None, None], tf.int32)
        noise = tf.TensorSpec([None, options.n_best, None], tf.float32)
        # Lengths vary from batch to batch: one trace serves them all.
        self._search = tf.function(self._batch_search, input_signature=[ids, ids, noise], autograph=False)
        self._token_scores = tf.function(self._batch_scores, input_signature=[ids, ids, ids], autograph=False)

    def translate(self, lines: Sequence[str | bytes], prefixes: Sequence[str] | None = None) -> list[Translation]:
        """Translates each line; one without pieces (empty, blank) becomes the empty translation.

        Args: prefixes: for each line, how its translation starts ("" = free).
        Raises: ValueError where there are not as many prefixes as lines.
        """
        if prefixes is not None and len(prefixes) != len(lines):
            raise ValueError(
                f"{len(lines)} lines, but {len(prefixes)} prefixes: give one for each line, empty where none"
            )
        ids = self.tokenizers.source.encode(lines)
        chunks, owners = self._split(ids)
        starts = [[] for _ in chunks] if prefixes is None else self._starts(prefixes, owners)
        results: dict[int, _Chunk] = {}
        for group in token_batches([len(chunk) + 1 for chunk in chunks], self.options.batch_tokens):
            found = self._translate_batch([chunks[i] for i in group], [starts[i] for i in group])
            results.update(zip(group, found, strict=True))
        by_line: list[list[_Chunk]] = [[] for _ in ids]
        for place, owner in enumerate(owners):
            by_line[owner].append(results[place])
        return [self._join(parts, line_ids) for parts, line_ids in zip(by_line, ids, strict=True)]

    def score(self, sources: Sequence[str | bytes], targets: Sequence[str | bytes]) -> list[np.ndarray]:
        """The log-probability of each piece (EOS last) of each target given its source, nothing cut.

        Raises: ValueError where there are not as many targets as sources.
        """
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources, but {len(targets)} targets: give one for each source")
        source_ids = self.tokenizers.source.encode(sources)
        target_ids = self.tokenizers.target.encode(targets)
        lengths = [(len(a) + 1, len(b) + 1) for a, b in zip(source_ids, target_ids, strict=True)]
        scores: list[np.ndarray] = [np.empty(0)] * len(lengths)
        for group in token_batches(lengths, self.options.batch_tokens):
            batch = make_batch([source_ids[i] for i in group], [target_ids[i] for i in group])
            for i, row in zip(group, self._token_scores(*batch).numpy(), strict=True):
                scores[i] = row[: lengths[i][1]]
        return scores

    def _batch_search(self, source, prefix, noise):
        with_weights = self.with_alignments or self.calibration is not None
        found = translate_ids(self.models, source, self.options, prefix=prefix, noise=noise, with_weights=with_weights)
        return found, None if found.weights is None else quality_features(source, found)

    def _batch_scores(self, source, target_in, target_out):
        log_probabilities = [token_log_probabilities(model(source, target_in), target_out) for model in self.models]
        return tf.reduce_logsumexp(tf.stack(log_probabilities), axis=0) - np.log(len(self.models))

    def _split(self, ids: list[list[int]]) -> tuple[list[list[int]], list[int]]:
        """All chunks of all lines, and the line each belongs to."""
        chunks: list[list[int]] = []
        owners: list[int] = []
        for line, line_ids in enumerate(ids):
            parts = [line_ids] if line_ids else []
            if len(line_ids) > self.options.max_source_length:
                parts = self._splitter.split(tf.ragged.constant([line_ids], dtype=tf.int32))[0].to_list()
            chunks += parts
            owners += [line] * len(parts)
        return chunks, owners

    def _starts(self, prefixes: Sequence[str], owners: list[int]) -> list[list[int]]:
        """The forced start of each chunk: a line's prefix belongs to its first one."""
        ids = self.tokenizers.target.encode(prefixes)
        return [ids[owner] if place == 0 or owners[place - 1] != owner else [] for place, owner in enumerate(owners)]

    def _translate_batch(self, chunks: list[list[int]], starts: list[list[int]]) -> list[_Chunk]:
        source = _padded([[*chunk, EOS] for chunk in chunks])
        found, features = self._search(source, _padded(starts), self._noise(chunks, source, _padded(starts)))
        found = Hypotheses(*(None if part is None else part.numpy() for part in found))
        features = [None] * len(chunks) if features is None else features.numpy()
        return [self._chunk(found, features[row], row, len(chunk)) for row, chunk in enumerate(chunks)]

    def _noise(self, chunks, source, prefix):
        """A draw in [0, 1) for each token to be sampled, of (options.seed, the chunk) alone."""
        options = self.options
        if not options.sampling:
            return np.zeros([len(chunks), options.n_best, 0], np.float32)
        lengths = np.count_nonzero(source != PAD, axis=1).astype(np.int32)
        time = int(tf.reduce_max(length_limits(lengths, options, prefix=prefix)[1]))
        draws = [np.random.default_rng([options.seed, *ids]).random((time, options.n_best)) for ids in chunks]
        return np.stack(draws).transpose(0, 2, 1).astype(np.float32).clip(max=np.nextafter(np.float32(1), 0))

    def _chunk(self, found, features, row: int, source_length: int) -> _Chunk:
        exist = [k for k, length in enumerate(found.lengths[row]) if length]
        ends = {k: found.lengths[row][k] - 1 for k in exist}  # without EOS
        weights = None
        if self.with_alignments:
            weights = [found.weights[row, k, : ends[k], :source_length] for k in exist]
        ids = [found.tokens[row, k, : ends[k]].tolist() for k in exist]
        scores = [float(found.scores[row, k]) for k in exist]
        faults = None if found.faults is None else found.faults[row]
        return _Chunk(ids, scores, weights, faults, features, source_length)

    def _join(self, parts: list[_Chunk], source_ids: list[int]) -> Translation:
        """A line's translation from those of its chunks: the k-th best of it is made of the k-th best of each."""
        count = min((len(part.ids) for part in parts), default=1)
        ids = [[piece for part in parts for piece in part.ids[k]] for k in range(count)]
        texts = self.tokenizers.target.decode(ids)
        hypotheses = []
        for k, (text, pieces) in enumerate(zip(texts, ids, strict=True)):
            alignment = None
            if self.with_alignments:
                alignment = _block_diagonal([part.weights[k] for part in parts if part.weights])
            score = sum(part.scores[k] for part in parts)
            hypotheses.append(Hypothesis(text, score, tuple(self.tokenizers.target.pieces(pieces)), alignment))
        faults = [part.faults for part in parts if part.faults is not None]
        broken = np.any(faults, axis=0) if faults else ()
        features = _line_features(parts)
        return Translation(
            tuple(hypotheses),
            tuple(self.tokenizers.source.pieces(source_ids)),
            tuple(name for name, has in zip(FAULTS, broken, strict=False) if has),
            self._confidence(features),
            features,
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
