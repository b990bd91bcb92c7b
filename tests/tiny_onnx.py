"""The tiny models as ONNX exports."""

from nmt.config.model import ModelConfig
from nmt.model.seq2seq import Seq2Seq
from nmt.onnx_engine.files import write_manifest
from nmt.onnx_engine.layout import Layout
from nmt.onnx_export.writer import write_graphs


def write_tiny_onnx(folder, model: Seq2Seq, settings=None, *, precision="float32", first_ids=4):
    """Writes the graphs of a tiny_model with these settings into an empty folder."""
    config = ModelConfig(**{"embedding_size": 6, "units": 8, **(settings or {})})
    weights = {weight.path.removeprefix(f"{model.name}/"): weight.numpy() for weight in model.weights}
    vocabulary = model.decoder.vocabulary
    write_graphs(folder, config, weights, Layout(vocabulary, first_ids), precision=precision)
    write_manifest(folder, precision=precision, vocabulary=vocabulary, first_ids=first_ids)
    return folder
