"""Translating: the one place where model meets search, and lines of text go in and come out.

Validation, the command line and evaluation translate by a `Translator`, the SavedModel by `translate_ids`: both guard
the same search, of which a Translator traces the first and the second apart. Both cut long lines with `Splitter`,
into chunks of pieces at sentence ends (or words), translated, and their translations joined again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.batches import make_batch, token_batches
from nmt.model.losses import log_normalizers, token_log_probabilities
from nmt.model.seq2seq import Seq2Seq
from nmt.search.confidence import Calibration
from nmt.search.features import quality_features
from nmt.search.guard import FAULTS, find_faults, guarded_search
from nmt.search.search import Hypotheses, TokenScores, beam_search, count_symbols, length_limits, sample
from nmt.search.shortlist import make_shortlist
from nmt.text.protection import Protection
from nmt.text.splitter import Splitter
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD, Tokenizers
from nmt.translation.translation import Hypothesis, Translation

_IDS = tf.TensorSpec([None, None], tf.int32)


def translate_ids(
    models: Sequence[Seq2Seq],
    source,
    options: SearchConfig,
    *,
    num_symbols: int = 0,
    lexicon=None,
    prefix=None,
    noise=None,
    with_weights=False,
) -> Hypotheses:
    """Translates a batch; several models decode as an ensemble, by the mean of their probabilities.

    Args:
        source: int32 [batch, source_time], each row pieces + EOS, padded with PAD.
        options: static; options.sampling draws from the model with `noise`, else beam search; options.guard judges what
            was found (Hypotheses.faults, else None), for which attention weights are kept in any case.
        num_symbols: so many ids from FIRST_SYMBOL on are written exactly as often as the source has them.
        lexicon: int32 [source vocabulary, lexicon.LISTED], for options.shortlist only.
        prefix: int32 [batch, prefix_time] or None: how each translation starts, padded with PAD.
        noise: float32 [batch, n_best, time] in [0, 1), one draw a token, for sampling only.
    """

    settings = {"num_symbols": num_symbols, "lexicon": lexicon, "noise": noise, "with_weights": with_weights}
    return guarded_search(partial(_search, models, **settings), source, options, prefix=prefix)


def _search(
    models: Sequence[Seq2Seq],
    source,
    options: SearchConfig,
    prefix,
    *,
    num_symbols: int,
    lexicon,
    noise,
    with_weights: bool,
) -> Hypotheses:
    """As translate_ids, of one search, whatever comes of it."""
    memories, states = zip(*(model.encode(source) for model in models), strict=True)
    shortlist = None
    if options.shortlist:
        vocabulary = models[0].decoder.vocabulary
        shortlist = make_shortlist(
            source, lexicon, size=options.shortlist, vocabulary=vocabulary, num_symbols=num_symbols, prefix=prefix
        )
        prefix = None if prefix is None else shortlist.columns(prefix)
    outputs = [model.decoder.output_layer(*(shortlist or ())) for model in models]
    # What a row may choose from is read with it, as rows leave the search.
    biases = tuple(output.bias for output in outputs) if shortlist else ()  # [batch, columns]

    def step(tokens, states, read):
        memories, biases = read
        layers, beam = outputs, tokens.shape[1]
        tokens = tf.reshape(tokens, [-1, 1])
        if shortlist:
            tokens = tf.gather(shortlist.ids, tokens)
            layers = [output._replace(bias=bias) for output, bias in zip(outputs, biases, strict=True)]
        of_models, after, read_by_each = [], [], []
        for model, state, memory, layer in zip(models, states, memories, layers, strict=True):
            logits, state, weights = model.decoder(tokens, state, memory, layer, beam=beam)
            logits = tf.squeeze(logits, axis=1)  # [rows, vocab], or columns of the shortlist; a slice would be a copy
            of_models.append(TokenScores(logits, log_normalizers(logits, tf.nn.softmax(logits))))
            after.append(state)
            read_by_each.append(tf.squeeze(weights, axis=1))  # [rows, source_time]
        if len(models) == 1:
            return of_models[0], tuple(after), read_by_each[0]
        each = [tf.cast(logits, tf.float32) - normalizers for logits, normalizers in of_models]
        summed = tf.reduce_logsumexp(each, axis=0)
        scores = TokenScores(summed, tf.fill([tf.shape(summed)[0], 1], float(np.log(len(models)))))
        return scores, tuple(after), tf.reduce_mean(read_by_each, axis=0)

    lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32)  # [batch]
    shared = {
        "source_lengths": tf.where(lengths > 1, lengths, 0),  # of an EOS alone nothing is to be translated
        "source_time": tf.shape(source)[1],
        "options": options,
        "prefix": prefix,
        "required": count_symbols(source, num_symbols) if num_symbols else None,
        "with_weights": with_weights or options.guard,
    }
    if options.sampling:
        found = sample(step, states, (memories, biases), noise=noise, **shared)
    else:
        found = beam_search(step, states, (memories, biases), **shared)
    found = found._replace(tokens=tf.gather(shortlist.ids, found.tokens)) if shortlist else found
    return found._replace(faults=find_faults(source, found, options, prefix=prefix)) if options.guard else found


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

    Args:
        protection: what comes through as it is, as in the models' training.
        calibration: of the one model, to give each translation a confidence.
        lexicon: of the models' training pairs, for options.shortlist only; see translate_ids.
    """

    def __init__(
        self,
        models: Sequence[Seq2Seq],
        tokenizers: Tokenizers,
        options: SearchConfig,
        *,
        protection: Protection | None = None,
        with_alignments: bool = False,
        calibration: Calibration | None = None,
        lexicon: np.ndarray | None = None,
    ):
        self.models = list(models)
        self.tokenizers = tokenizers
        self.options = options
        self.protection = protection or Protection()
        self.with_alignments = with_alignments
        self.calibration = calibration
        self._lexicon = lexicon
        self._splitter = Splitter(tokenizers.source, options.max_source_length)
        self._searches: dict[SearchConfig, Any] = {}
        self._token_scores = tf.function(self._batch_scores, input_signature=[_IDS, _IDS, _IDS], autograph=False)

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
            for i, row in zip(group, self._token_scores(*batch).numpy(), strict=True):
                scores[i] = row[: lengths[i][1]]
        return scores

    def _search_under(self, options: SearchConfig):
        """A batch's search, a function of (source, prefix, noise), traced once for whatever lengths they have."""
        if options not in self._searches:

            def search(source, prefix, noise):
                return _search(
                    self.models,
                    source,
                    options,
                    prefix,
                    num_symbols=self.protection.num_symbols,
                    lexicon=self._lexicon,
                    noise=noise,
                    with_weights=self.with_alignments or self.calibration is not None,
                )

            noise = tf.TensorSpec([None, options.n_best, None], tf.float32)
            self._searches[options] = tf.function(search, input_signature=[_IDS, _IDS, noise], autograph=False)
        return self._searches[options]

    def _batch_scores(self, source, target_in, target_out):
        log_probabilities = [token_log_probabilities(model(source, target_in), target_out) for model in self.models]
        return tf.reduce_logsumexp(tf.stack(log_probabilities), axis=0) - np.log(len(self.models))

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
                parts = self._splitter.split(tf.ragged.constant([line_ids], dtype=tf.int32))[0].to_list()
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
        source, prefix = _padded([[*chunk, EOS] for chunk in chunks]), _padded(starts)
        noise = self._noise(chunks, source, prefix)

        def search(source, options, prefix):
            return self._search_under(options)(source, prefix, noise)

        found = guarded_search(search, source, self.options, prefix=prefix)
        features = [None] * len(chunks) if found.weights is None else quality_features(source, found).numpy()
        found = Hypotheses(*(None if part is None else part.numpy() for part in found))
        return [self._chunk(found, features[row], row, len(chunk)) for row, chunk in enumerate(chunks)]

    def _noise(self, chunks, source, prefix):
        """A draw in [0, 1) for each token to be sampled, of (options.seed, the chunk) alone."""
        options = self.options
        if not options.sampling:
            return np.zeros([len(chunks), options.n_best, 0], np.float32)
        lengths = np.count_nonzero(source != PAD, axis=1).astype(np.int32)
        required = count_symbols(source, self.protection.num_symbols)
        time = int(tf.reduce_max(length_limits(lengths, options, prefix=prefix, required=required)[1]))
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

    def _join(self, parts: list[_Chunk], source_ids: list[int], spans: list[str]) -> Translation:
        """A line's translation from those of its chunks: the k-th best of it is made of the k-th best of each."""
        count = min((len(part.ids) for part in parts), default=1)
        ids = [[piece for part in parts for piece in part.ids[k]] for k in range(count)]
        texts = [self.protection.reveal(text, spans) for text in self.tokenizers.target.decode(ids)]
        hypotheses = []
        for k, (text, pieces) in enumerate(zip(texts, ids, strict=True)):
            alignment = None
            if self.with_alignments:
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
