"""The output layer: attentional vectors -> the likeliest next tokens. The order of its columns: onnx_engine/layout.py.

Probabilities are those of a softmax over all columns. ONNX Runtime's log-softmax takes four times as long, and ranking
all columns longer still: so the largest of each block of columns chooses the blocks in which the best ones are.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import onnx_ir as ir

from nmt.config.model import ModelConfig
from nmt.onnx_engine.layout import BLOCK, Layout
from nmt.onnx_export.graph import Graph, Weights
from nmt.onnx_export.products import Part, Products

END = 2**31 - 1
NEGLIGIBLE = 80.0  # so far below the largest logit, an exponential changes no sum in float32, and is no denormal
BELOW = 1000.0  # what a probability that is 0 in float32 says: its logit less this


class Output:
    """The target's embedding and the output layer, which are one matrix if they are tied."""

    def __init__(self, config: ModelConfig, weights: Weights, products: Products, layout: Layout) -> None:
        self.products, self.layout = products, layout
        self.tied = config.tied_embeddings != "none"
        paths = {"all": "encoder/source_embedding", "target": "decoder/target_embedding"}
        self.embedding = weights[f"{paths.get(config.tied_embeddings, 'decoder/target_embedding')}/embeddings"]
        self.kernel = self.embedding if self.tied else weights["decoder/output_kernel"]  # [vocab, size]
        self.embedding_bounds = np.full(self.embedding.shape[1], np.abs(self.embedding).max())
        self.bias = layout.lay_out(weights["decoder/output_bias"], -np.inf)

    def embed(self, graph: Graph, tokens: ir.Value) -> ir.Value:
        """The vectors of tokens int32 [...]: float32 [..., size]."""
        if not self.tied:
            return self.products.lookup(graph, "target_embedding", self.embedding, tokens)
        columns = graph.op("Gather", graph.constant(self.layout.columns, np.int32), tokens)
        return self.products.lookup(graph, "output", self.layout.lay_out(self.kernel), columns)

    def columns_graph(self) -> Graph:
        """What `SomeColumns` takes, of columns int32 [columns]."""
        graph = Graph("shortlist_columns")
        columns = graph.input("columns", np.int32, ["columns"])
        self.products.output_columns(graph, "output", self.layout.lay_out(self.kernel), self.bias, columns)
        return graph


class Scores(NamedTuple):
    """Log-probabilities float32 of the `first` tokens [rows, first_ids], and of the `best` others [rows, num_best];
    these are `tokens` int32.
    """

    first: ir.Value
    tokens: ir.Value
    best: ir.Value


class Columns(Protocol):
    """What a step chooses from."""

    def logits(self, graph: Graph, vectors: Part) -> ir.Value:
        """Of attentional vectors [rows, size]: [rows, columns]."""

    def best(self, graph: Graph, logits: ir.Value, num_best: ir.Value) -> Scores:
        """The likeliest of them, `num_best` int64 [1] beside the first ones."""


class EveryColumn:
    """All columns of the output layer."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def logits(self, graph: Graph, vectors: Part) -> ir.Value:
        output = self._output
        kernel = output.layout.lay_out(output.kernel)
        return output.products.transposed_product(graph, "output", vectors, kernel, output.bias)

    def best(self, graph: Graph, logits: ir.Value, num_best: ir.Value) -> Scores:
        probabilities, first_ids = graph.op("Softmax", logits, axis=-1), self._output.layout.first_ids
        first, least = (slice_columns(graph, values, 0, first_ids) for values in (probabilities, logits))
        least = graph.op("Sub", least, graph.constant(BELOW, np.float32))
        first = graph.op("Max", graph.op("Log", first), least)
        blocks = graph.op("Reshape", probabilities, graph.constant([0, -1, BLOCK]))
        maxima = graph.op("ReduceMax", blocks, graph.constant([2]), keepdims=0)
        others = slice_columns(graph, maxima, 1, END)
        several = graph.op("Min", num_best, graph.op("Shape", others, start=1))
        _, places = graph.ops("TopK", others, several, outputs=2, axis=1, sorted=0)
        places = graph.op("Add", places, graph.constant(1))
        chosen = graph.op("GatherND", blocks, graph.op("Unsqueeze", places, graph.constant([2])), batch_dims=1)
        flat = graph.constant([0, -1])
        best, ranks = graph.ops("TopK", graph.op("Reshape", chosen, flat), num_best, outputs=2, axis=1)
        of_blocks = graph.constant(self._output.layout.tokens.reshape(-1, BLOCK), np.int32)
        of_chosen = graph.op("Reshape", graph.op("Gather", of_blocks, places), flat)
        return Scores(first, graph.op("GatherElements", of_chosen, ranks, axis=1), graph.op("Log", best))


class SomeColumns:
    """Columns that are inputs of the graph, with their tokens, `column_tokens` int32 [columns]. Of these, a sentence
    uses its `own` columns int32 [batch, 1, width], which are so few that blocks gain nothing.
    """

    def __init__(self, output: Output, graph: Graph, by_sentence: ir.Value) -> None:
        self._output = output
        self._inputs = output.products.column_inputs(graph, output.kernel.shape[1])
        own = graph.input("own", np.int32, ["batch", 1, "width"])
        by_hypothesis = graph.op("Concat", by_sentence, graph.op("Shape", own, start=2), axis=0)
        self._own = graph.op("Flatten", graph.op("Expand", own, by_hypothesis), axis=2)  # [rows, width]
        self._tokens = graph.input("column_tokens", np.int32, ["columns"])

    def logits(self, graph: Graph, vectors: Part) -> ir.Value:
        of_columns = self._output.products.product_of_columns(graph, vectors, self._inputs)
        return graph.op("GatherElements", of_columns, self._own, axis=1)

    def best(self, graph: Graph, logits: ir.Value, num_best: ir.Value) -> Scores:
        axis, first_ids = graph.constant([1]), self._output.layout.first_ids
        largest = graph.op("ReduceMax", logits, axis)
        # Softmax takes ten times as long where logits are -inf.
        finite = graph.op("Max", logits, graph.op("Sub", largest, graph.constant(NEGLIGIBLE, np.float32)))
        likeliest = graph.op("ReduceMax", graph.op("Softmax", finite, axis=-1), axis)
        normalizer = graph.op("Sub", largest, graph.op("Log", likeliest))
        first = graph.op("Sub", slice_columns(graph, logits, 0, first_ids), normalizer)
        best, ranks = graph.ops("TopK", slice_columns(graph, logits, first_ids, END), num_best, outputs=2, axis=1)
        places = graph.op("GatherElements", self._own, graph.op("Add", ranks, graph.constant(first_ids)), axis=1)
        return Scores(first, graph.op("Gather", self._tokens, places), graph.op("Sub", best, normalizer))


def slice_columns(graph: Graph, values: ir.Value, start: int, end: int) -> ir.Value:
    """Values [rows, columns], those from `start` to `end`."""
    return graph.op("Slice", values, *(graph.constant([value]) for value in (start, end, 1)))


def log_probabilities(graph: Graph, logits: ir.Value, wanted: ir.Value) -> ir.Value:
    """Of all columns if they are wanted: ONNX Runtime runs what leads to no output, too."""
    all_, none = Graph("all", within=graph), Graph("none", within=graph)
    all_.output("log_probabilities_of_all", all_.op("LogSoftmax", logits, axis=-1))
    none.output("log_probabilities_of_none", none.op("Identity", graph.constant(np.empty([0, 0]), np.float32)))
    return graph.op("If", wanted, then_branch=all_.body(), else_branch=none.body())
