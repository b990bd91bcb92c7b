"""A run becomes SavedModels that stock TensorFlow Serving loads.

DIR/<version>/       the text endpoint: plain text in, plain text out
DIR/ids/<version>/   the ids endpoint: no SentencePiece ops, for servers or clients that bring their own tokenizer
DIR/models.config, DIR/batching.config, DIR/README.md   how to serve them

A version is written under a name that is no number, which the server passes over, and then renamed. What is saved is a
module that owns nothing but the weights, the named tokenizers and the signatures: one that tracks a Keras model loads
in Python and then fails in TensorFlow Serving (keras issues 19274, 20095).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from string import Template
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from nmt.config.export import ExportConfig
from nmt.config.search import SearchConfig
from nmt.config.settings import Config
from nmt.exports.blocks import in_blocks
from nmt.exports.files import CONFIG_FILES
from nmt.exports.signatures import MISSING
from nmt.model.precision import choose_precision
from nmt.model.precomputed import Precomputed
from nmt.model.seq2seq import Seq2Seq
from nmt.runs.run import Run
from nmt.search.confidence import Calibration
from nmt.search.features import quality_features
from nmt.search.search import Hypotheses
from nmt.search.translate_ids import translate_ids
from nmt.text.protection import Protection
from nmt.text.splitter import Splitter
from nmt.text.target_text import shown_in_graph
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD, Tokenizers

MAX_ALIGNED_PIECES = 1000  # of a line in `align`, whose answer grows with the square of it
WARMUP_LINES = (["."], [". " * 10] * 8)


def export(
    run: Run, directory: str | os.PathLike[str], *, weights: str | int = "best", config: Config | None = None
) -> Path:
    """Writes the next version of a run's endpoints and what is needed to serve them.

    Args:
        weights: which of the run's, as in Run.load_model.
        config: the run's with other settings of search and export; None = as the run has them.

    Returns: the new version's directory; that of the ids endpoint where tensorflow-text is not installed.

    Raises:
        ValueError: for settings of search that no endpoint has.
    """
    config = config or run.config
    search = config.search
    if (search.n_best, search.sampling) != (run.config.search.n_best, run.config.search.sampling):
        raise ValueError(
            "search.n_best and search.sampling do nothing here: an export searches for the best translation, and its "
            "signature `nbest` gives export.n_best of them"
        )
    directory = Path(directory)
    (directory / "ids").mkdir(parents=True, exist_ok=True)  # TensorFlow would say in its own way what is in the way
    model = run.load_model(weights, choose_precision(search.precision), shortlist=search.shortlist > 0)
    version = _next_version(directory)
    calibration = run.calibration() if weights == "best" else None
    if calibration is None:
        print(f"no confidence: it is that of a run's best weights, after `nmt calibrate {run.path}`", file=sys.stderr)
    # A variable, as a constant would be in the graph once for each signature.
    lexicon = tf.Variable(run.lexicon(), trainable=False) if search.shortlist else None
    find = BlockSearch(model, num_symbols=run.protection.num_symbols, lexicon=lexicon)
    ids = IdsEndpoint(find, search)
    written = _save(ids, {"serving_default": ids.translate}, directory / "ids" / version)
    if importlib.util.find_spec("tensorflow_text"):
        text = TextEndpoint(
            find,
            run.tokenizers,
            search=search,
            settings=config.export,
            protection=run.protection,
            calibration=calibration,
        )
        signatures = {"serving_default": text.translate, "nbest": text.nbest, "align": text.align}
        written = _save(text, signatures, directory / version)
    else:
        print("tensorflow-text is not installed: wrote the ids endpoint only", file=sys.stderr)
    for name, template in CONFIG_FILES.items():
        values = {
            "name": config.export.name,
            "max_batch": config.export.max_batch,
            "directory": directory.resolve(),
            "protected": _describe(run.protection),
        }
        (directory / name).write_text(Template(template).substitute(values), encoding="utf-8")
    return written


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
            options = _without_n_best(search)
            found = in_blocks(
                lambda block: find(block, options, with_weights=False), source, budget=search.batch_tokens
            )
            best = {"tokens": found.tokens[:, 0], "score": found.scores[:, 0], "length": found.lengths[:, 0]}
            return best if found.faults is None else {**best, "degenerate": tf.reduce_any(found.faults, axis=1)}

        self.translate = translate


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
    ):
        import tensorflow_text  # where it is missing only this endpoint is

        self.find = find
        self.options = _without_n_best(search)
        self.settings = settings
        self.protection = protection
        self.calibration = calibration
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
        self.translate, self.nbest, self.align = (
            tf.function(function, input_signature=[text], autograph=False)
            for function in (self._translate, self._nbest, self._align)
        )

    def _translate(self, text):
        """translation string [batch], score float32 [batch], truncated bool [batch]; where the search is guarded,
        degenerate bool [batch]; where the run is calibrated, confidence float32 [batch]."""
        chunks, spans, found, judgement = self._search(text, self.options, limit=self.settings.max_line_pieces)
        ids, scores = _rejoin(chunks, found, 0)
        return {"translation": self._detokenize(ids, spans), "score": scores, **judgement}

    def _nbest(self, text):
        """As `translate`, but translation and score [batch, n], best first."""
        count = self.settings.n_best
        options = self.options.model_copy(update={"n_best": count, "beam_size": max(count, self.options.beam_size)})
        chunks, spans, found, judgement = self._search(text, options, limit=self.settings.max_line_pieces)
        ids, scores = zip(*(_rejoin(chunks, found, place) for place in range(count)), strict=True)
        translations = tf.stack([self._detokenize(row, spans) for row in ids], axis=1)  # [batch, n]
        return {"translation": translations, "score": tf.stack(scores, axis=1), **judgement}

    def _align(self, text):
        """As `translate`, with source_pieces and target_pieces string [batch, ...] (padded with "") and alignment
        float32 [batch, target pieces, source pieces]: how much each target piece read each source piece."""
        limit = min(MAX_ALIGNED_PIECES, self.settings.max_line_pieces)
        chunks, spans, found, judgement = self._search(text, self.options, limit=limit, with_weights=True)
        ids, scores = _rejoin(chunks, found, 0)
        source_ids = chunks.merge_dims(1, 2)
        source_pieces, target_pieces = (
            self.protection.reveal_parts_in_graph(shown_in_graph(tokenizer.id_to_string(ids).to_tensor()), spans)
            for tokenizer, ids in ((self.source, source_ids), (self.target, ids))
        )
        return {
            "translation": self._detokenize(ids, spans),
            "score": scores,
            **judgement,
            "source_pieces": source_pieces,
            "target_pieces": target_pieces,
            "alignment": _join_weights(chunks, found, source_ids, ids),
        }

    def _search(self, text, options: SearchConfig, *, limit: int, with_weights=False):
        """Chunks [batch, (chunks), (pieces)] of each line, its protected spans [batch, most], what was found for each
        chunk, and what is to be thought of each line: the outputs truncated, degenerate and confidence."""
        text, spans = self.protection.hide_in_graph(text)
        ids = self.source.tokenize(text)  # [batch, (pieces)]
        truncated = ids.row_lengths() > limit
        chunks = self.splitter.split_in_graph(ids[:, :limit])
        ends = tf.fill([chunks.values.nrows(), 1], EOS)
        source = tf.concat([chunks.values, tf.RaggedTensor.from_tensor(ends)], axis=1).to_tensor(PAD)

        def search(source):
            found = self.find(source, options, with_weights=with_weights or self.calibration is not None)
            features = None if self.calibration is None else quality_features(source, found)
            return found if with_weights else found._replace(weights=None), features

        found, features = in_blocks(search, source, budget=options.batch_tokens)
        judgement = {"truncated": truncated}
        if found.faults is not None:
            judgement["degenerate"] = _any_chunk(chunks, tf.reduce_any(found.faults, axis=1))
        if self.calibration is not None:
            judgement["confidence"] = _confidence(chunks, features, self.calibration)
        return chunks, spans, found, judgement

    def _detokenize(self, ids, spans):
        return self.protection.reveal_in_graph(self.target.detokenize(ids), spans)


def _describe(protection: Protection) -> str:
    """What the README says of protected spans."""
    if not protection.kinds:
        return "Nothing is protected: the model writes every word and number by itself."
    first, last = FIRST_SYMBOL, FIRST_SYMBOL + protection.num_symbols - 1
    return (
        f"Come through unharmed, exactly once: {', '.join(protection.kinds)}.\n"
        f"For the ids endpoint the ids {first} to {last} are symbols, each written as often as the source has it; "
        f"{last + 1} joins a word to one."
    )


def _without_n_best(search: SearchConfig) -> SearchConfig:
    """The search of a server: deterministic, one translation a line."""
    return search.model_copy(update={"n_best": 1, "sampling": False})


def _rejoin(chunks, found: Hypotheses, place: int):
    """Each line's hypothesis made of its chunks' own in that place: ids [batch, (pieces)] and scores [batch]."""
    counts = chunks.row_lengths()  # [batch]
    lines = chunks.value_rowids()
    lengths = found.lengths[:, place]
    missing = tf.math.unsorted_segment_max(tf.cast(tf.equal(lengths, 0), tf.int32), lines, tf.shape(counts)[0]) > 0
    if place:  # no pieces: the empty translation is the only one
        missing |= tf.equal(counts, 0)
    written = tf.where(tf.gather(missing, lines), 0, tf.maximum(lengths - 1, 0))  # without EOS
    tokens = tf.RaggedTensor.from_tensor(found.tokens[:, place], lengths=written)
    ids = tf.RaggedTensor.from_row_lengths(tokens, counts, validate=False).merge_dims(1, 2)
    scores = tf.math.unsorted_segment_sum(found.scores[:, place], lines, tf.shape(counts)[0])
    return ids, tf.where(missing, MISSING, scores)


def _any_chunk(chunks, flags):
    """Which lines have a chunk with its flag set: bool [batch], of flags bool [chunks]."""
    return tf.math.unsorted_segment_sum(tf.cast(flags, tf.int32), chunks.value_rowids(), chunks.nrows()) > 0


def _confidence(chunks, features, calibration: Calibration):
    """Each line's confidence, as Translator has it: float32 [batch], of features float32 [chunks, features]."""
    lengths = tf.cast(chunks.values.row_lengths(), tf.float32)  # [chunks]
    lines, batch = chunks.value_rowids(), chunks.nrows()
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
    line = tf.gather(tf.cast(chunks.value_rowids(), tf.int32), chunk)
    shape = [source_ids.nrows(), target_ids.bounding_shape(axis=1), source_ids.bounding_shape(axis=1)]
    index = tf.stack([line, row, column], axis=1)
    return tf.scatter_nd(index, tf.boolean_mask(weights, real), tf.cast(tf.stack(shape), tf.int32))


def _offsets(chunks, lengths):
    """Where each chunk starts in its line, given the chunks' lengths."""
    starts = tf.cumsum(lengths, exclusive=True)
    first_of_line = tf.gather(chunks.row_splits, chunks.value_rowids())
    return starts - tf.gather(starts, first_of_line)


def _next_version(directory: Path) -> str:
    present = [path for parent in (directory, directory / "ids") if parent.is_dir() for path in parent.iterdir()]
    return str(max((int(path.name) for path in present if path.name.isdecimal()), default=0) + 1)


def _save(endpoint: IdsEndpoint | TextEndpoint, signatures, final: Path) -> Path:
    """Writes one SavedModel aside, with its warm-up requests, then gives it its name."""
    aside = final.parent / f".writing-{final.name}"
    shutil.rmtree(aside, ignore_errors=True)
    module = tf.Module()
    module.weights = endpoint.weights
    for name, value in {**endpoint.tracked, **signatures}.items():
        setattr(module, name, value)
    # Nobody trains an export: without this the gradient of every LSTM would be traced and saved, too.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(aside), signatures=signatures, options=options)
    _write_warmup(endpoint, signatures, aside / "assets.extra" / "tf_serving_warmup_requests")
    os.rename(aside, final)
    return final


def _write_warmup(endpoint: IdsEndpoint | TextEndpoint, signatures, path: Path) -> None:
    """The requests a server runs before it calls the version ready: the first call of a graph takes seconds."""
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, function in signatures.items():
            name = function.input_signature[0].name
            for value in endpoint.warmup:
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = signature
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
                writer.write(log.SerializeToString())
