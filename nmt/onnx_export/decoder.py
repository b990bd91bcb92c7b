"""The graph of one step of the decoder: the last tokens of all hypotheses -> the likeliest next ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from nmt.config.model import ModelConfig
from nmt.onnx_export.attention import Attention, Memory
from nmt.onnx_export.encoder import readout_size, state_names, value_bounds
from nmt.onnx_export.graph import Graph, Weights, part
from nmt.onnx_export.lstm import State
from nmt.onnx_export.lstm import step as lstm_step
from nmt.onnx_export.output import Columns, EveryColumn, Output, SomeColumns, log_probabilities
from nmt.onnx_export.products import Part, Products


class Step(NamedTuple):
    """The next state, attention weights float32 [rows, source_time], and what enters the output layer."""

    state: list[ir.Value]
    weights: ir.Value
    vectors: Part


class Decoder:
    """Makes the nodes of a step, in whichever graph.

    Args: weights: by the paths of a run, without "model/".
    """

    def __init__(self, config: ModelConfig, weights: Weights, products: Products, output: Output) -> None:
        self._config, self._weights, self._products, self._output = config, weights, products, output
        self.state_names = state_names(config)
        self._attention = Attention(config, part(weights, "decoder/attention/"), value_bounds(config, weights))
        self._vector_bounds = _vector_bounds(config, weights)

    def state_inputs(self, graph: Graph, *, prefix: str = "") -> list[ir.Value]:
        """The state of all hypotheses, as inputs of the graph, whose names have this prefix."""
        sizes = [self._config.units] * 2 * self._config.decoder.layers + [readout_size(self._config)]
        return [
            graph.input(f"{prefix}{name}", np.float32, ["rows", size])
            for name, size in zip(self.state_names, sizes, strict=False)
        ]

    def memory_inputs(self, graph: Graph) -> Memory:
        """What hypotheses read, as inputs of the graph."""
        shapes = self._attention.shapes()._asdict()
        return Memory(*(graph.input(name, np.float32, shape) for name, shape in shapes.items()))

    def step(
        self, graph: Graph, tokens: ir.Value, state: list[ir.Value], memory: Memory, by_sentence: ir.Value
    ) -> Step:
        """Reads the last tokens int32 [batch, beam]; by_sentence is their shape."""
        config, weights, products = self._config, self._weights, self._products
        embedded = self._output.embed(graph, graph.op("Reshape", tokens, graph.constant([-1])))
        feed = [Part(state[-1], self._vector_bounds)] if config.decoder.input_feeding else []
        layers = [State(*state[place : place + 2]) for place in range(0, 2 * config.decoder.layers, 2)]
        entering = [Part(embedded, self._output.embedding_bounds), *feed]
        first = lstm_step(graph, products, "decoder.first", entering, layers[0], part(weights, "decoder/first/"))
        context, attended = self._attention.attend(graph, products, first.hidden, memory, by_sentence)
        hidden, upper = _upper_layers(graph, config, weights, products, first.hidden, context, layers[1:])
        vectors = Part(_readout(graph, config, weights, products, hidden, context), self._vector_bounds)
        new = [value for layer in (first, *upper) for value in layer]
        return Step([*new, vectors.value][: len(state)], attended, vectors)


def step_graph(decoder: Decoder, output: Output, *, shortlist: bool = False) -> Graph:
    """A step: tokens int32 [batch, beam], state and memory -> the next state, attention weights, the likeliest tokens,
    `num_best` int64 [1] beside the first ones, or with a num_best of 0 the `log_probabilities` of all.

    Args: shortlist: the output layer's columns are inputs.
    """
    graph = Graph("shortlist_step" if shortlist else "step")
    tokens = graph.input("tokens", np.int32, ["batch", "beam"])
    state, memory = decoder.state_inputs(graph), decoder.memory_inputs(graph)
    by_sentence = graph.op("Shape", tokens)
    step = decoder.step(graph, tokens, state, memory, by_sentence)
    for name, value in zip(decoder.state_names, step.state, strict=True):
        graph.output(f"next_{name}", value)
    graph.output("weights", step.weights)
    columns: Columns = SomeColumns(output, graph, by_sentence) if shortlist else EveryColumn(output)
    logits = columns.logits(graph, step.vectors)
    num_best = graph.input("num_best", np.int64, [1])
    every = graph.op("Equal", num_best, graph.constant([0]))
    graph.output("log_probabilities", log_probabilities(graph, logits, every))
    scores = columns.best(graph, logits, num_best)
    graph.output("first", scores.first)
    graph.output("best_tokens", scores.tokens, np.int32)
    graph.output("best", scores.best)
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
        new.append(lstm_step(graph, products, f"decoder.upper_{place}", entering, state, own))
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
