"""The encoder's graph: source ids -> what a search starts from, the memory and the decoder's first state."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from nmt.config.model import ModelConfig
from nmt.onnx_export.attention import Attention, Memory
from nmt.onnx_export.graph import Graph, Weights, part
from nmt.onnx_export.lstm import State, sequence
from nmt.onnx_export.output import Output
from nmt.onnx_export.products import Part, Products
from nmt.text.tokenizer import PAD


def encoder_graph(config: ModelConfig, weights: Weights, products: Products, output: Output) -> Graph:
    """The graph of Seq2Seq.encode: `source` int32 [batch, source_time] -> memory and state of a row for each sentence.

    Args: weights: by the paths of a run, without "model/".
    """
    graph = Graph("encoder")
    source = graph.input("source", np.int32, ["batch", "source_time"])
    real = graph.op("Not", graph.op("Equal", source, graph.constant(PAD, np.int32)))
    lengths = graph.op("ReduceSum", graph.op("Cast", real, to=ir.DataType.INT32), graph.constant([1]), keepdims=0)
    ids = graph.op("Transpose", source)  # [source_time, batch]
    if config.tied_embeddings == "all":
        embedded = output.embed(graph, ids)
    else:
        embedded = products.lookup(graph, "source_embedding", weights["encoder/source_embedding/embeddings"], ids)
    outputs, final = _stack(graph, config, weights, products, embedded, lengths)
    if config.lexical:
        outputs = graph.op("Concat", outputs, embedded, axis=2)
    values = graph.op("Transpose", outputs, perm=[1, 0, 2])  # [batch, source_time, size]
    attention = Attention(config, part(weights, "decoder/attention/"), value_bounds(config, weights))
    memory = attention.memorize(graph, products, values, real)
    for name, value in zip(Memory._fields, memory, strict=True):
        graph.output(name, value)
    _output_first_state(graph, config, part(weights, "decoder/bridge/"), products, final)
    return graph


def value_bounds(config: ModelConfig, weights: Weights) -> np.ndarray:
    """Bounds of what attention reads of each source position, float [size]: see products.Part."""
    embedded = bounds = _embedding_bounds(weights)
    for _ in range(config.encoder.bidirectional_layers + config.encoder.layers):
        bounds = _layer_bounds(config, bounds)
    return np.concatenate([bounds, embedded]) if config.lexical else bounds


def _embedding_bounds(weights: Weights) -> np.ndarray:
    return np.abs(weights["encoder/source_embedding/embeddings"]).max(axis=0)


def _layer_bounds(config: ModelConfig, bounds: np.ndarray) -> np.ndarray:
    """Of what a layer's outputs are, which is added to its inputs where sizes agree."""
    return np.ones(config.units) + (bounds if len(bounds) == config.units else 0)


def _stack(
    graph: Graph, config: ModelConfig, weights: Weights, products: Products, inputs: ir.Value, lengths: ir.Value
) -> tuple[ir.Value, State]:
    """The recurrent layers, residual where sizes agree: outputs [time, batch, units], and the last layer's state."""
    bounds = _embedding_bounds(weights)
    for place in range(config.encoder.bidirectional_layers + config.encoder.layers):
        prefix = f"encoder/stack/layer_{place}/"
        both = place < config.encoder.bidirectional_layers
        directions = [part(weights, prefix + way) for way in (("forward/", "backward/") if both else ("",))]
        outputs, final = sequence(graph, products, f"encoder.{place}", Part(inputs, bounds), lengths, *directions)
        inputs = graph.op("Add", outputs, inputs) if len(bounds) == config.units else outputs
        bounds = _layer_bounds(config, bounds)
    return inputs, final


def _output_first_state(graph: Graph, config: ModelConfig, bridge: Weights, products: Products, final: State) -> None:
    known, unknown = np.ones(config.units), np.full(config.units, np.inf)  # cells may count up
    parts = [Part(final.hidden, known), Part(final.cell, unknown)]
    bridged = products.product(graph, "bridge", parts, bridge["kernel"], bridge["bias"])
    layers = config.decoder.layers
    sizes = graph.constant([config.units] * 2 * layers)
    values = graph.ops("Split", bridged, sizes, outputs=2 * layers, axis=1)
    for place, name in enumerate(state_names(config)[: 2 * layers]):
        graph.output(name, values[place] if place % 2 else graph.op("Tanh", values[place]))
    if config.decoder.input_feeding:
        batch = graph.op("Shape", final.hidden, start=0, end=1)
        shape = graph.op("Concat", batch, graph.constant([readout_size(config)]), axis=0)
        graph.output("feed", graph.op("ConstantOfShape", shape, value=ir.tensor([0.0], ir.DataType.FLOAT)))


def state_names(config: ModelConfig) -> list[str]:
    """What a step hands to the next: of each of the decoder's layers hidden state and cell, the attentional vector."""
    layers = [f"{part}_{place}" for place in range(config.decoder.layers) for part in State._fields]
    return [*layers, "feed"] if config.decoder.input_feeding else layers


def readout_size(config: ModelConfig) -> int:
    """Of the attentional vector."""
    return config.units if config.tied_embeddings == "none" else config.embedding_size
