"""A run becomes a directory that ONNX Runtime translates with: see onnx_engine/files.py. Imports no TensorFlow."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

import numpy as np
import onnx_ir as ir

from nmt.config.file import dump_config
from nmt.config.model import ModelConfig
from nmt.config.settings import Config
from nmt.full_disk import naming
from nmt.onnx_engine.files import WEIGHTS, Precision, is_onnx_export, write_manifest
from nmt.onnx_engine.layout import Layout
from nmt.onnx_export.decoder import Decoder, step_graph
from nmt.onnx_export.encoder import encoder_graph
from nmt.onnx_export.graph import Graph
from nmt.onnx_export.output import Output
from nmt.onnx_export.products import Float32
from nmt.onnx_export.quantized import Int8
from nmt.onnx_export.readme import README
from nmt.onnx_export.search import search_graph
from nmt.runs.files import save_arrays, write_text
from nmt.runs.run import ABBREVIATIONS, Run
from nmt.text.glossary import Glossary
from nmt.text.sentences import abbreviations_of
from nmt.text.tokenizer import FIRST_SYMBOL, SYMBOLS

_SHARED_BYTES = 1024  # a weight of more lies in WEIGHTS, where all graphs read it


def export(
    run: Run,
    directory: str | os.PathLike[str],
    *,
    weights: str | int = "best",
    config: Config | None = None,
    glossary: Glossary | None = None,
) -> Path:
    """Writes a run's directory for ONNX Runtime.

    Args:
        directory: new, empty, or an earlier ONNX export, which is replaced.
        weights: which of the run's, as in Run.load_weights.
        config: the run's with other settings of search and export; None = as the run has them.
        glossary: the terms that translations have; None = the run's own.

    Returns: the directory.

    Raises:
        ValueError: for a directory with other files in it, or as Run.translation_protection and Run.load_weights.
    """
    directory, config = Path(directory), config or run.config
    run.translation_protection(glossary)
    if directory.exists() and not is_onnx_export(directory) and any(directory.iterdir()):
        raise ValueError(f"{directory} holds other files than an ONNX export: choose a new directory")
    arrays = {name.removeprefix("model/"): array for name, array in run.load_weights(weights).items()}
    symbols = len(SYMBOLS) if all(tokenizer.has_symbols for tokenizer in run.tokenizers) else 0
    first_ids = FIRST_SYMBOL + symbols
    vocabulary = run.tokenizers.target.vocabulary_size
    precision = config.export.onnx_precision
    aside = directory.with_name(f".writing-{directory.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with naming(directory):
            aside.mkdir(parents=True)
            write_graphs(aside, config.model, arrays, Layout(vocabulary, first_ids), precision=precision)
            _write_run(aside, run, weights=weights, config=config, glossary=glossary)
            write_manifest(aside, precision=precision, vocabulary=vocabulary, first_ids=first_ids)
            (aside / "README.md").write_text(
                Template(README).substitute(name=config.export.name, precision=precision), encoding="utf-8"
            )
        if directory.exists():
            shutil.rmtree(directory)
        aside.rename(directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return directory


def write_graphs(
    directory: Path, config: ModelConfig, weights: Mapping[str, np.ndarray], layout: Layout, *, precision: Precision
) -> None:
    """Writes the graphs of a model, and their weights.

    Args:
        weights: by the paths of a run, without "model/".
        precision: of weights and products.
    """
    products = Int8() if precision == "int8" else Float32()
    output = Output(config, weights, products, layout)
    decoder = Decoder(config, weights, products, output)
    graphs = [encoder_graph(config, weights, products, output), output.columns_graph()]
    for shortlist in (False, True):
        graphs += [make(decoder, output, shortlist=shortlist) for make in (step_graph, search_graph)]
    _share_weights(directory, graphs)
    for graph in graphs:
        ir.save(graph.model(), directory / f"{graph.name}.onnx")


def _share_weights(directory: Path, graphs: list[Graph]) -> None:
    """Moves the large weights into one file, each once."""
    tensors = {name: tensor for graph in graphs for name, tensor in graph.weights.items()}
    large = {name: tensor for name, tensor in tensors.items() if tensor.nbytes > _SHARED_BYTES}
    shared = ir.external_data.convert_tensors_to_external(list(large.values()), directory, WEIGHTS)
    moved = dict(zip(large, shared, strict=True))
    for graph in graphs:
        graph.replace_weights(moved)


def _write_run(directory: Path, run: Run, *, weights: str | int, config: Config, glossary: Glossary | None) -> None:
    """Writes what translating takes of a run beside its weights, as runs have it, so that Run.open reads it."""
    write_text(directory / ABBREVIATIONS, "\n".join(abbreviations_of(config.source_language)) + "\n")
    (directory / "tokenizer").mkdir()
    run.tokenizers.save(directory / "tokenizer")
    exported = Run(directory, config, run.tokenizers)
    calibration = run.calibration(weights)
    if calibration is None:
        print(f"no confidence: it is that of a run's best weights, after `nmt calibrate {run.path}`", file=sys.stderr)
    else:
        exported.save_calibration(calibration)
    if habits := run.habits():
        exported.save_habits(habits)
    if terms := run.glossary() if glossary is None else glossary:
        write_text(directory / "glossary.tsv", terms.as_file())
    if config.search.shortlist or run.has_lexicon:
        save_arrays(directory / "lexicon.npz", {"lexicon": run.lexicon()}, {})
    write_text(directory / "config.yaml", dump_config(config))
