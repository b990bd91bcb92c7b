"""What an export computes: the signatures of its text endpoint and of its ids endpoint, as graphs."""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config.export import ExportConfig
from nmt.config.search import SearchConfig
from nmt.exports.blocks import in_blocks
from nmt.exports.byte_limit import cut_in_graph
from nmt.exports.signatures import MAX_ALIGNED_PIECES, MISSING, best_search, n_best_search
from nmt.model.precomputed import Precomputed
from nmt.model.seq2seq import Seq2Seq
from nmt.search.confidence import Calibration
from nmt.search.definitions import Hypotheses
from nmt.search.features import quality_features
from nmt.search.translate_ids import translate_ids
from nmt.text.capitals import Capitals
from nmt.text.glossary import RequestGlossaries
from nmt.text.invisible import BLANK
from nmt.text.protection import Protection
from nmt.text.ragged import rows_of
from nmt.text.sentences import SentenceSplitter
from nmt.text.splitter import Splitter
from nmt.text.target_text import shown_in_graph
from nmt.text.terms import term_source_in_graph, term_target_in_graph
from nmt.text.tokenizer import EOS, PAD, Tokenizers

WARMUP_LINES = (["."], [". " * 10] * 8)


class BlockSearch:
    """translate_ids of a block, traced once for all signatures that search alike: that is most of what they are.

    Args: num_symbols, lexicon: as in translate_ids.
    """

    def __init__(self, model: Seq2Seq, *, num_symbols: int, lexicon: tf.Variable | None):
        self.model = model
        self.num_symbols = num_symbols
        self.lexicon = lexicon
        self._traced: dict[tuple[SearchConfig, bool], Any] = {}

    def __call__(self, source, options: SearchConfig, *, with_weights: bool) -> Hypotheses:
        """Hypotheses of source int32 [rows, source_time], with attention weights where they are asked for."""
        key = options, with_weights or options.guard  # a guarded search keeps them in any case
        if key not in self._traced:

            def search(source):
                return translate_ids(
                    [self.model],
                    source,
                    options,
                    num_symbols=self.num_symbols,
                    lexicon=self.lexicon,
                    with_weights=key[1],
                )

            self._traced[key] = tf.function(
                search, input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False
            )
        found = self._traced[key](source)
        return found if with_weights else found._replace(weights=None)

    def variables(self) -> list[tf.Variable | Precomputed]:
        """All that its graphs read and a SavedModel must hold."""
        weights = [*(variable.value for variable in self.model.trainable_variables), *self.model.precomputed]
        return weights if self.lexicon is None else [*weights, self.lexicon]


class IdsEndpoint:
    """Token ids in, token ids out."""

    def __init__(self, find: BlockSearch, search: SearchConfig):
        self.tracked: dict[str, Any] = {}
        self.weights = find.variables()
        self.warmup = [tf.fill([len(lines), 1 + len(lines[0])], EOS) for lines in WARMUP_LINES]

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name="source")], autograph=False)
        def translate(source):
            """source: each row pieces + EOS, padded with PAD = 0."""
            options = best_search(search)
            found = in_blocks(
                lambda block: find(block, options, with_weights=False), source, budget=search.batch_tokens
            )
            best = {"tokens": found.tokens[:, 0], "score": found.scores[:, 0], "length": found.lengths[:, 0]}
            return best if found.faults is None else {**best, "degenerate": tf.reduce_any(found.faults, axis=1)}

        self.signatures = {"serving_default": translate}


class TextEndpoint:
    """Lines in, translations out: the same splitting, search and joining as Translator, inside the graph."""

    def __init__(
        self,
        find: BlockSearch,
        tokenizers: Tokenizers,
        *,
        search: SearchConfig,
        settings: ExportConfig,
        protection: Protection,
        calibration: Calibration | None,
        sentences: SentenceSplitter | None,
        capitals: Capitals | None,
        glossary_ignore_case: bool,
    ):
        import tensorflow_text  # where it is missing only this endpoint is

        self.find = find
        self.options = best_search(search)
        self.settings = settings
        self.protection = protection
        self.calibration = calibration
        self.sentences = sentences
        self.capitals = capitals
        self.glossary_ignore_case = glossary_ignore_case
        self.tag = tokenizers.source.tag_ids(search.tag)
        self.splitter = Splitter(tokenizers.source, search.max_source_length)
        # A name each: TensorFlow Text would call both resources the same, and one would serve for the other.
        self.source, self.target = (
            tensorflow_text.SentencepieceTokenizer(model=tokenizer.model, out_type=tf.int32, name=f"{side}_tokenizer")
            for side, tokenizer in tokenizers._asdict().items()
        )
        self.tracked = {"source_tokenizer": self.source, "target_tokenizer": self.target}
        self.weights = find.variables()
        self.warmup = [tf.constant(lines) for lines in WARMUP_LINES]
        text = tf.TensorSpec([None], tf.string, name="text")
        functions = {"serving_default": self._translate, "nbest": self._nbest, "align": self._align}
        self.signatures = {
            name: tf.function(function, input_signature=[text], autograph=False) for name, function in functions.items()
        }
        if protection.kinds:
            glossary = tf.TensorSpec([None], tf.string, name="glossary")
            self.signatures["glossary"] = tf.function(
                self._translate_with_glossary, input_signature=[text, glossary], autograph=False
            )

    def _translate(self, text):
        """translation string [batch], score float32 [batch], truncated bool [batch]; where the search is guarded,
        degenerate bool [batch]; where the run is calibrated, confidence float32 [batch]."""
        lines, found, judgement = self._search(text, self.options, limit=self.settings.max_line_pieces)
        ids, scores, exist = _rejoin(lines, found, 0)
        return {"translation": self._text(lines, ids, exist), "score": scores, **judgement}

    def _translate_with_glossary(self, text, glossary):
        """As `translate`, with a glossary for each line instead of the export's: string [batch], like a file's text.

        `translate` cannot have it as an optional input: its requests could be no plain lists of lines over REST, and be
        in no batch, where all inputs have one row a line.
        """
        endpoint = copy(self)
        glossaries = RequestGlossaries(glossary, ignore_case=self.glossary_ignore_case)
        endpoint.protection = Protection(self.protection.kinds, glossaries)
        endpoint.sentences = self.sentences and self.sentences.protecting(endpoint.protection)
        return endpoint._translate(text)

    def _nbest(self, text):
        """As `translate`, but translation and score [batch, n], best first."""
        count = self.settings.n_best
        options = n_best_search(self.options, count)
        lines, found, judgement = self._search(text, options, limit=self.settings.max_line_pieces)
        ids, scores, exist = zip(*(_rejoin(lines, found, place) for place in range(count)), strict=True)
        translations = [self._text(lines, *each) for each in zip(ids, exist, strict=True)]
        return {"translation": tf.stack(translations, axis=1), "score": tf.stack(scores, axis=1), **judgement}

    def _align(self, text):
        """As `translate`, with source_pieces and target_pieces string [batch, ...] (padded with "") and alignment
        float32 [batch, target pieces, source pieces]: how much each target piece read each source piece."""
        limit = min(MAX_ALIGNED_PIECES, self.settings.max_line_pieces)
        lines, found, judgement = self._search(text, self.options, limit=limit, with_weights=True)
        ids, scores, exist = _rejoin(lines, found, 0)
        source_ids = lines.chunks.merge_dims(1, 2)
        source_pieces = self._pieces(lines, self.source.id_to_string(source_ids), term_source_in_graph)
        target_pieces = self._pieces(lines, self.target.id_to_string(ids), term_target_in_graph)
        return {
            "translation": self._text(lines, ids, exist),
            "score": scores,
            **judgement,
            "source_pieces": source_pieces.to_tensor(""),
            "target_pieces": target_pieces.to_tensor(""),
            "alignment": _join_weights(lines.by_line, found, source_pieces, target_pieces),
        }

    def _search(self, text, options: SearchConfig, *, limit: int, with_weights=False):
        """The lines as they are translated, what was found for each chunk, and what is to be thought of each line: the
        outputs truncated, degenerate and confidence."""
        lines, truncated = self._read(text, limit)
        chunks = lines.chunks.values
        parts = [chunks, tf.RaggedTensor.from_tensor(tf.fill([chunks.nrows(), 1], EOS))]
        if self.tag:
            parts.insert(0, tf.RaggedTensor.from_tensor(tf.tile([self.tag], [chunks.nrows(), 1])))
        source = tf.concat(parts, axis=1).to_tensor(PAD)

        def search(source):
            found = self.find(source, options, with_weights=with_weights or self.calibration is not None)
            features = None if self.calibration is None else quality_features(source, found)
            return found if with_weights else found._replace(weights=None), features

        found, features = in_blocks(search, source, budget=options.batch_tokens)
        judgement = {"truncated": truncated}
        if found.weights is not None and self.tag:
            found = found._replace(weights=found.weights[..., len(self.tag) :])
        if found.faults is not None:
            judgement["degenerate"] = _any_chunk(lines.by_line, tf.reduce_any(found.faults, axis=1))
        if self.calibration is not None:
            judgement["confidence"] = _confidence(lines.by_line, features, self.calibration)
        return lines, found, judgement

    def _read(self, text, limit: int) -> tuple[_Lines, tf.Tensor]:
        """Lines string [batch] in chunks of pieces; whether their ends were cut, beyond `limit` pieces or the limit of
        bytes: bool [batch]."""
        text, truncated = cut_in_graph(text, self.settings.max_line_bytes)
        sentences, spaces = self._cut(text)
        hidden, spans = self.protection.hide_in_graph(sentences.values, rows_of(sentences))
        in_capitals = tf.fill([tf.size(hidden)], False)
        source = hidden
        if self.capitals:
            in_capitals = self.capitals.found_in_graph(hidden)
            source = tf.where(in_capitals, self.capitals.to_normal_case_in_graph(hidden), hidden)
        copied, copies = self.protection.copied_in_graph(sentences.values, hidden, spans)
        ids = self.source.tokenize(tf.where(copied, "", source))  # [sentences, (pieces)]
        lengths, line, batch = ids.row_lengths(), rows_of(sentences), sentences.nrows()
        before = tf.cumsum(lengths, exclusive=True)
        before -= tf.gather(before, tf.gather(sentences.row_splits, line))  # pieces of the same line
        kept = tf.clip_by_value(limit - before, 0, lengths)
        is_kept = tf.ragged.range(lengths).flat_values < tf.gather(kept, rows_of(ids))
        ids = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(ids.flat_values, is_kept), kept, validate=False)
        chunks = self.splitter.split_in_graph(ids)
        counts = tf.math.unsorted_segment_sum(chunks.row_lengths(), line, batch)
        by_line = tf.RaggedTensor.from_row_lengths(chunks.values, counts, validate=False)
        truncated |= tf.math.unsorted_segment_sum(lengths, line, batch) > limit
        return _Lines(chunks, by_line, sentences, spaces, hidden, spans, in_capitals, copied, copies), truncated

    def _cut(self, text):
        """Sentences of each line and the white space behind each: string [batch, (sentences)]."""
        if self.sentences:
            return self.sentences.split_in_graph(text)
        ones = tf.ones_like(text, tf.int64)
        return tuple(tf.RaggedTensor.from_row_lengths(each, ones) for each in (text, tf.fill(tf.shape(text), "")))

    def _text(self, lines: _Lines, ids, exist):
        """Translations string [batch], of the ids of that of each sentence; "" where there is none, bool [batch]."""
        texts = self.target.detokenize(ids)  # [sentences]
        if self.capitals:
            texts = tf.where(lines.in_capitals, self.capitals.to_capitals_in_graph(texts), texts)
        texts = self.protection.reveal_in_graph(texts, lines.spans, lines.hidden)
        texts = tf.where(lines.copied, lines.copies, texts) + lines.spaces.values
        joined = tf.strings.unsorted_segment_join(texts, rows_of(lines.sentences), lines.sentences.nrows())  # [batch]
        exist &= (lines.by_line.row_lengths() > 0) | ~tf.strings.regex_full_match(joined, BLANK)
        return tf.where(exist, joined, "")

    def _pieces(self, lines: _Lines, pieces, side):
        """Each line's pieces [batch, (pieces)] of those of its sentences, spans for symbols, terms as on that side."""
        spans = lines.spans.with_flat_values(side(lines.spans.flat_values))
        shown = pieces.with_flat_values(shown_in_graph(pieces.flat_values))
        revealed = self.protection.reveal_parts_in_graph(shown, spans)
        return lines.sentences.with_values(revealed).merge_dims(1, 2)


class _Lines(NamedTuple):
    """A batch of lines as it is translated: lines of sentences of chunks of pieces."""

    chunks: tf.RaggedTensor  # int32 [sentences, (chunks), (pieces)]
    by_line: tf.RaggedTensor  # the same chunks: [batch, (chunks), (pieces)]
    sentences: tf.RaggedTensor  # string [batch, (sentences)]
    spaces: tf.RaggedTensor  # string [batch, (sentences)]: white space and emoji behind each
    hidden: tf.Tensor  # string [sentences]: with symbols for their spans
    spans: tf.RaggedTensor  # string [sentences, (spans)]: what is protected
    in_capitals: tf.Tensor  # bool [sentences]
    copied: tf.Tensor  # bool [sentences]: nothing but spans
    copies: tf.Tensor  # string [sentences]: the translations of those


def _rejoin(lines: _Lines, found: Hypotheses, place: int):
    """Each line's hypothesis made of its chunks' own in that place.

    Returns: ids of each sentence [sentences, (pieces)]; scores [batch]; whether there is one, bool [batch].
    """
    counts = lines.by_line.row_lengths()  # [batch]
    line = rows_of(lines.by_line)
    lengths = found.lengths[:, place]
    missing = tf.math.unsorted_segment_max(tf.cast(tf.equal(lengths, 0), tf.int32), line, tf.shape(counts)[0]) > 0
    if place:  # no pieces: the empty translation is the only one
        missing |= tf.equal(counts, 0)
    written = tf.where(tf.gather(missing, line), 0, tf.maximum(lengths - 1, 0))  # without EOS
    tokens = tf.RaggedTensor.from_tensor(found.tokens[:, place], lengths=written)
    ids = tf.RaggedTensor.from_row_splits(tokens, lines.chunks.row_splits, validate=False).merge_dims(1, 2)
    scores = tf.math.unsorted_segment_sum(found.scores[:, place], line, tf.shape(counts)[0])
    return ids, tf.where(missing, MISSING, scores), ~missing


def _any_chunk(chunks, flags):
    """Which lines have a chunk with its flag set: bool [batch], of flags bool [chunks]."""
    return tf.math.unsorted_segment_sum(tf.cast(flags, tf.int32), rows_of(chunks), chunks.nrows()) > 0


def _confidence(chunks, features, calibration: Calibration):
    """Each line's confidence, as Translator has it: float32 [batch], of features float32 [chunks, features]."""
    lengths = tf.cast(chunks.values.row_lengths(), tf.float32)  # [chunks]
    lines, batch = rows_of(chunks), chunks.nrows()
    total = tf.math.unsorted_segment_sum(lengths, lines, batch)  # [batch]
    summed = tf.math.unsorted_segment_sum(lengths[:, tf.newaxis] * features, lines, batch)
    mean = tf.math.divide_no_nan(summed, total[:, tf.newaxis])  # [batch, features]
    confidence = tf.sigmoid(calibration.intercept + tf.linalg.matvec(mean, calibration.coefficients))
    return tf.where(total > 0.0, confidence, 1.0)  # no pieces: nothing to get wrong


def _join_weights(chunks, found: Hypotheses, source_ids, target_ids):
    """The chunks' attention put along each line's diagonal: [batch, target pieces, source pieces]."""
    source_lengths = tf.cast(chunks.values.row_lengths(), tf.int32)  # [chunks]
    target_lengths = tf.maximum(found.lengths[:, 0] - 1, 0)
    assert found.weights is not None
    weights = found.weights[:, 0]  # [chunks, time, source_time]
    real = (
        tf.sequence_mask(target_lengths, tf.shape(weights)[1])[:, :, tf.newaxis]
        & tf.sequence_mask(source_lengths, tf.shape(weights)[2])[:, tf.newaxis, :]
    )
    chunk, row, column = tf.unstack(tf.cast(tf.where(real), tf.int32), num=3, axis=1)
    row += tf.gather(_offsets(chunks, target_lengths), chunk)
    column += tf.gather(_offsets(chunks, source_lengths), chunk)
    line = tf.gather(tf.cast(rows_of(chunks), tf.int32), chunk)
    shape = [source_ids.nrows(), target_ids.bounding_shape(axis=1), source_ids.bounding_shape(axis=1)]
    index = tf.stack([line, row, column], axis=1)
    return tf.scatter_nd(index, tf.boolean_mask(weights, real), tf.cast(tf.stack(shape), tf.int32))


def _offsets(chunks, lengths):
    """Where each chunk starts in its line, given the chunks' lengths."""
    starts = tf.cumsum(lengths, exclusive=True)
    first_of_line = tf.gather(chunks.row_splits, rows_of(chunks))
    return starts - tf.gather(starts, first_of_line)
