"""The graph of one step of the decoder: the last tokens of all hypotheses -> the likeliest next ones."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from nmt.config.model import ModelConfig
from nmt.onnx_export.attention import Attention, Memory
from nmt.onnx_export.encoder import readout_size, state_names, value_bounds
from nmt.onnx_export.graph import Graph, Weights, part
from nmt.onnx_export.lstm import State, step
from nmt.onnx_export.output import Output
from nmt.onnx_export.products import Part, Products


def step_graph(
    config: ModelConfig, weights: Weights, products: Products, output: Output, *, shortlist: bool = False
) -> Graph:
    """A step: tokens int32 [batch, beam], state and memory -> the next state, attention weights and output.

    Args:
        weights: by the paths of a run, without "model/".
        shortlist: the output layer's columns are inputs.
    """
    graph = Graph("shortlist_step" if shortlist else "step")
    tokens = graph.input("tokens", np.int32, ["batch", "beam"])
    sizes = [config.units] * 2 * config.decoder.layers + [readout_size(config)]
    names = state_names(config)
    state = [graph.input(name, np.float32, ["rows", size]) for name, size in zip(names, sizes, strict=False)]
    attention = Attention(config, part(weights, "decoder/attention/"), value_bounds(config, weights))
    shapes = attention.shapes()
    memory = Memory(*(graph.input(name, np.float32, shape) for name, shape in shapes._asdict().items()))
    embedded = output.embed(graph, graph.op("Reshape", tokens, graph.constant([-1])))
    vector_bounds = _vector_bounds(config, weights)
    feed = [Part(state[-1], vector_bounds)] if config.decoder.input_feeding else []
    layers = [State(*state[place : place + 2]) for place in range(0, 2 * config.decoder.layers, 2)]
    entering = [Part(embedded, output.embedding_bounds), *feed]
    first = step(graph, products, "decoder.first", entering, layers[0], part(weights, "decoder/first/"))
    by_sentence = graph.op("Shape", tokens)
    context, attended = attention.attend(graph, products, first.hidden, memory, by_sentence)
    hidden, upper = _upper_layers(graph, config, weights, products, first.hidden, context, layers[1:])
    vectors = Part(_readout(graph, config, weights, products, hidden, context), vector_bounds)
    new = [value for layer in (first, *upper) for value in layer]
    for name, value in zip(names, [*new, vectors.value], strict=False):
        graph.output(f"next_{name}", value)
    graph.output("weights", attended)
    if shortlist:
        output.write_of_columns(graph, vectors, by_sentence)
    else:
        output.write(graph, vectors)
    return graph


def _upper_layers(
    graph: Graph,
    config: ModelConfig,
    weights: Weights,
    products: Products,
    hidden: ir.Value,
    context: Part,
    states: list[State],
) -> tuple[Part, list[State]]:
    """The layers above the first, each of which reads the context and adds to what it reads."""
    new = []
    outputs = Part(hidden, np.ones(config.units))
    for place, state in enumerate(states):
        own = part(weights, f"decoder/upper/layer_{place}/")
        entering = [outputs, context]
        new.append(step(graph, products, f"decoder.upper_{place}", entering, state, own))
        outputs = Part(graph.op("Add", new[-1].hidden, outputs.value), outputs.bounds + 1)
    return outputs, new


def _readout(
    graph: Graph, config: ModelConfig, weights: Weights, products: Products, hidden: Part, context: Part
) -> ir.Value:
    """The attentional vector (Luong et al. 2015, eq. 5), and what the lexical path adds to it: [rows, size]."""
    own = part(weights, "decoder/readout/")
    parts = [hidden, context]
    vector = graph.op("Tanh", products.product(graph, "readout", parts, own["kernel"], own["bias"]))
    if not config.lexical:
        return vector
    words = graph.op("Slice", context.value, *map(graph.constant, ([config.units], [context.size], [1])))
    kernel = weights["decoder/lexical/kernel"]
    of_words = Part(words, context.bounds[config.units :])
    return graph.op("Add", vector, products.product(graph, "lexical", [of_words], kernel))


def _vector_bounds(config: ModelConfig, weights: Weights) -> np.ndarray:
    """Bounds of the attentional vector, a tanh; what the lexical path adds is a mean over embeddings' products."""
    bounds = np.ones(readout_size(config))
    if config.lexical:
        words = weights["encoder/source_embedding/embeddings"] @ weights["decoder/lexical/kernel"]
        bounds += np.abs(words).max(axis=0)
    return bounds
