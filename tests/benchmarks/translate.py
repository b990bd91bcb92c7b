"""Translating with the whole model (see reference.py): sentences a second, against other systems.

    python tests/benchmarks/translate.py [--beam-size 5] [--rows 64] [--opennmt-tf PYTHON] [--joey-nmt PYTHON]

Every sentence has --length pieces and every translation is made to have as many, so that all do the same steps.
With --columns ours also translates with a lexical shortlist: COLUMNS of the 8,000 pieces are what a batch may write,
and each source piece lists LISTED of them. What real text has, docs/performance.md says.
"onnx" is our export for ONNX Runtime, which a process without TensorFlow translates with.
CTranslate2, which runs no recurrent models, translates with a Transformer-Tiny of 4 + 4 layers of 128; it is
a contender where it is installed (pip install -e '.[bench]'). The files in peers/ say how to make
the environments of the other two.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import reference
from bench import add_systems, answer_repetitions, arguments, compare_systems

from nmt.config.search import SearchConfig
from nmt.text.tokenizer import FIRST_SYMBOL

PIECES = 1792  # a repetition; of single sentences an eighth
LISTED = 20  # translations of a source piece


def sources(rows: int, length: int) -> np.ndarray:
    count = max(rows, (PIECES if rows > 1 else PIECES // 8) // length)
    return np.random.default_rng(0).integers(4, reference.VOCABULARY, size=(count, length)).astype(np.int32)


def make_lexicon(columns: int) -> np.ndarray:
    """A lexicon (see nmt.search.lexicon) that lists but `columns` different pieces."""
    random = np.random.default_rng(1)
    pieces = random.choice(np.arange(4, reference.VOCABULARY), size=columns, replace=False)
    return random.choice(pieces, size=(reference.VOCABULARY, 100)).astype(np.int32)


def search_options(ids: np.ndarray, beam_size: int, columns: int) -> SearchConfig:
    """For translations neither shorter nor longer than the source with its EOS; ratios count from the source's pieces.

    Random weights write nothing that the guard would not search for again; what it reads is kept as it is for it.
    """
    length = ids.shape[1]
    lengths = {"min_length_ratio": 1.0, "max_length_ratio": (length - 1) / length, "max_length_extra": 1}
    return SearchConfig(beam_size=beam_size, shortlist=LISTED if columns else 0, guard=False, **lengths)


def contend_nmt(precision, ids, *, beam_size, rows, columns=0):
    """Ours; `columns`: of a shortlist, 0 = without."""
    from nmt.startup import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from nmt.model.seq2seq import build_model
    from nmt.search.translate_ids import translate_ids

    model = build_model(
        reference.config(),
        source_vocabulary=reference.VOCABULARY,
        target_vocabulary=reference.VOCABULARY,
        precision=precision,
        trainable=False,
        shortlist=columns > 0,
    )
    for made in model.precomputed:
        made.fill()
    options = search_options(ids, beam_size, columns)
    lexicon = tf.constant(make_lexicon(columns)) if columns else None
    search = tf.function(
        lambda source: translate_ids([model], source, options, lexicon=lexicon, with_weights=True),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
        autograph=False,
    )

    def repetition():
        for start in range(0, len(ids), rows):
            found = search(ids[start : start + rows])
            assert int(tf.reduce_max(found.lengths)) == ids.shape[1] == int(tf.reduce_min(found.lengths))
        return len(ids)

    answer_repetitions(repetition)


def contend_onnx(precision, ids, *, beam_size, rows, columns=0):
    """Our ONNX export; `columns`: of a shortlist, 0 = without."""
    from nmt.onnx_engine.engine import OnnxEngine
    from nmt.onnx_engine.sessions import OnnxModel

    with tempfile.TemporaryDirectory() as path:
        # In a process of its own, as it takes TensorFlow to make the weights.
        writer = multiprocessing.get_context("spawn").Process(target=write_onnx, args=(path, precision))
        writer.start()
        writer.join()
        engine = OnnxEngine(OnnxModel(path), lexicon=make_lexicon(columns) if columns else None)
        options = search_options(ids, beam_size, columns)

        def repetition():
            for start in range(0, len(ids), rows):
                some = ids[start : start + rows]
                free = np.zeros([len(some), 0], np.int32)
                found = engine.search(some, options, prefix=free, num_symbols=0, with_weights=True)
                assert found.lengths.max() == ids.shape[1] == found.lengths.min()
            return len(ids)

        answer_repetitions(repetition)


def write_onnx(directory: str, precision: str) -> None:
    """Writes the graphs of a model with random weights."""
    from nmt.startup import import_tensorflow

    import_tensorflow()
    from nmt.model.seq2seq import build_model
    from nmt.onnx_engine.files import write_manifest
    from nmt.onnx_engine.layout import Layout
    from nmt.onnx_export.writer import write_graphs

    size, config = reference.VOCABULARY, reference.config()
    model = build_model(config, source_vocabulary=size, target_vocabulary=size, precision="float32")
    weights = {weight.path.removeprefix(f"{model.name}/"): weight.numpy() for weight in model.weights}
    write_graphs(Path(directory), config.model, weights, Layout(size, FIRST_SYMBOL), precision=precision)
    write_manifest(Path(directory), precision=precision, vocabulary=size, first_ids=FIRST_SYMBOL)


def contend_products(precision, ids, *, beam_size, rows):
    """Makes only the matrix products of such a search, with the steps of a batch at once."""
    positions = rows * ids.shape[1]
    shapes = reference.products(source=positions, target=beam_size * positions, tokens=beam_size * positions)
    batch = reference.multiply(shapes, precision, backward=False)

    def repetition():
        for _ in range(0, len(ids), rows):
            batch()
        return len(ids)

    answer_repetitions(repetition)


def contend_ctranslate2(compute_type, ids, *, beam_size, rows):
    import ctranslate2
    from ctranslate2.specs import transformer_spec

    random = np.random.default_rng(0)
    spec = transformer_spec.TransformerSpec.from_config((4, 4), 4)
    fill(spec, random, size=128, inner=256)
    words = ["<unk>", "<s>", "</s>", *(f"w{number}" for number in range(3, reference.VOCABULARY))]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.validate()
    spec.optimize()
    with tempfile.TemporaryDirectory() as path:
        spec.save(path)
        translator = ctranslate2.Translator(path, compute_type=compute_type, inter_threads=1)
    sentences = [[words[number] for number in row] for row in ids]

    def repetition():
        for start in range(0, len(sentences), rows):
            translator.translate_batch(
                sentences[start : start + rows],
                beam_size=beam_size,
                min_decoding_length=ids.shape[1],
                max_decoding_length=ids.shape[1],
            )
        return len(sentences)

    answer_repetitions(repetition)


def fill(spec, random, *, size, inner):
    """Gives every weight of a Transformer its shape and random values."""

    def normal(*shape):
        return random.normal(scale=0.1, size=shape).astype(np.float32)

    def norm(layer):
        layer.gamma, layer.beta = np.ones(size, np.float32), np.zeros(size, np.float32)

    def linear(layer, inputs, outputs):
        layer.weight, layer.bias = normal(outputs, inputs), normal(outputs)

    def attention(layer, outputs):
        norm(layer.layer_norm)
        for part, factor in zip(layer.linear, outputs, strict=True):
            linear(part, size, factor * size)

    def half(stack, crosses):
        embeddings = stack.embeddings[0] if isinstance(stack.embeddings, list) else stack.embeddings
        embeddings.weight = normal(reference.VOCABULARY, size)
        stack.position_encodings.encodings = normal(500, size)
        norm(stack.layer_norm)
        for layer in stack.layer:
            attention(layer.self_attention, (3, 1))
            if crosses:
                attention(layer.attention, (1, 2, 1))
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, size, inner)
            linear(layer.ffn.linear_1, inner, size)

    half(spec.encoder, crosses=False)
    half(spec.decoder, crosses=True)
    linear(spec.decoder.projection, size, reference.VOCABULARY)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    add_systems(parser)
    parser.add_argument("--beam-size", type=int, default=5, help="hypotheses (5)")
    parser.add_argument("--rows", type=int, default=64, help="sentences a batch (64)")
    parser.add_argument("--length", type=int, default=14, help="pieces of a sentence and of its translation (14)")
    parser.add_argument("--columns", type=int, default=0, help="pieces of a shortlist, a batch (0: without)")
    options = parser.parse_args()
    ids = sources(options.rows, options.length)
    work = {"beam_size": options.beam_size, "rows": options.rows}
    if options.contender:
        system, precision = options.contender.split()
        contend = {
            "nmt": contend_nmt,
            "shortlist": partial(contend_nmt, columns=options.columns),
            "onnx": contend_onnx,
            "onnx-shortlist": partial(contend_onnx, columns=options.columns),
            "matmul": contend_products,
            "CTranslate2": contend_ctranslate2,
        }[system]
        contend(precision, ids, **work)
        return
    flags = [part for name, size in work.items() for part in (f"--{name.replace('_', '-')}", size)]
    shortlists = [f"shortlist {precision}" for precision in options.precisions if options.columns]
    exports = ["onnx", "onnx-shortlist"] if options.columns else ["onnx"]
    exports = [f"{system} {precision}" for system in exports for precision in ("float32", "int8")]
    compare_systems(
        options,
        __file__,
        title=f"Translating, beam {options.beam_size}, batch {options.rows}, {options.length} pieces",
        unit="sentences/s",
        arrays={
            "source": ids,
            "vocabulary": reference.VOCABULARY,
            "fewest": options.length,
            "most": options.length,
        },
        flags=[*flags, "--length", options.length, "--columns", options.columns],
        peer_flags=flags,
        others=(*shortlists, *exports, "CTranslate2 float32", "CTranslate2 int8"),
    )


if __name__ == "__main__":
    main()
