"""The output layer: attentional vectors -> the likeliest next tokens. The order of its columns: onnx_engine/layout.py.

Probabilities are those of a softmax over all columns. ONNX Runtime's log-softmax takes four times as long, and ranking
all columns longer still: so the largest of each block of columns chooses the blocks in which the best ones are.
"""

from __future__ import annotations

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

    def write(self, graph: Graph, vectors: Part) -> None:
        """Adds what comes of the attentional vectors [rows, size], the best of all tokens."""
        kernel = self.layout.lay_out(self.kernel)
        logits = self.products.transposed_product(graph, "output", vectors, kernel, self.bias)
        _write_best(graph, logits, graph.constant(self.layout.tokens, np.int32), self.layout.first_ids)

    def write_of_columns(self, graph: Graph, vectors: Part, by_sentence: ir.Value) -> None:
        """Adds what comes of the attentional vectors [rows, size], the best of the tokens of some columns.

        The columns' part of the layer is an input, with their tokens. Of these, a sentence uses its `own` columns
        [batch, 1, width].

        Args: by_sentence: int64 [2], sentences and hypotheses of each.
        """
        logits = self.products.product_of_columns(graph, vectors)
        own = graph.input("own", np.int32, ["batch", 1, "width"])
        by_hypothesis = graph.op("Concat", by_sentence, graph.op("Shape", own, start=2), axis=0)
        own = graph.op("Flatten", graph.op("Expand", own, by_hypothesis), axis=2)
        tokens = graph.input("column_tokens", np.int32, ["columns"])
        _write_best_of_own(graph, logits, own, tokens, self.layout.first_ids)

    def columns_graph(self) -> Graph:
        """What `write_of_columns` takes, of columns int32 [columns]."""
        graph = Graph("shortlist_columns")
        columns = graph.input("columns", np.int32, ["columns"])
        self.products.output_columns(graph, "output", self.layout.lay_out(self.kernel), self.bias, columns)
        return graph


def _write_best(graph: Graph, logits: ir.Value, tokens: ir.Value, first_ids: int) -> None:
    """Of logits [rows, columns]: those of the `first` tokens, the `best` other `tokens`; with a num_best of 0 the
    `log_probabilities` of all.
    """
    num_best = graph.input("num_best", np.int64, [1])
    graph.output("log_probabilities", _of_all(graph, logits, graph.op("Equal", num_best, graph.constant([0]))))
    probabilities = graph.op("Softmax", logits, axis=-1)
    first, least = (_columns(graph, values, 0, first_ids) for values in (probabilities, logits))
    least = graph.op("Sub", least, graph.constant(BELOW, np.float32))
    graph.output("first", graph.op("Max", graph.op("Log", first), least))
    blocks = graph.op("Reshape", probabilities, graph.constant([0, -1, BLOCK]))
    maxima = graph.op("ReduceMax", blocks, graph.constant([2]), keepdims=0)
    others = _columns(graph, maxima, 1, END)
    several = graph.op("Min", num_best, graph.op("Shape", others, start=1))
    _, places = graph.ops("TopK", others, several, outputs=2, axis=1, sorted=0)
    places = graph.op("Add", places, graph.constant(1))
    chosen = graph.op("GatherND", blocks, graph.op("Unsqueeze", places, graph.constant([2])), batch_dims=1)
    flat = graph.constant([0, -1])
    best, ranks = graph.ops("TopK", graph.op("Reshape", chosen, flat), num_best, outputs=2, axis=1)
    of_blocks = graph.op("Reshape", tokens, graph.constant([-1, BLOCK]))
    of_chosen = graph.op("Reshape", graph.op("Gather", of_blocks, places), flat)
    graph.output("best_tokens", graph.op("GatherElements", of_chosen, ranks, axis=1), np.int32)
    graph.output("best", graph.op("Log", best))


def _write_best_of_own(graph: Graph, all_logits: ir.Value, own: ir.Value, tokens: ir.Value, first_ids: int) -> None:
    """As `_write_best`, of the columns int32 [rows, width] that each row has of its own. They are so few that blocks
    gain nothing.
    """
    num_best = graph.input("num_best", np.int64, [1])
    logits = graph.op("GatherElements", all_logits, own, axis=1)
    graph.output("log_probabilities", _of_all(graph, logits, graph.op("Equal", num_best, graph.constant([0]))))
    axis = graph.constant([1])
    largest = graph.op("ReduceMax", logits, axis)
    # Softmax takes ten times as long where logits are -inf.
    finite = graph.op("Max", logits, graph.op("Sub", largest, graph.constant(NEGLIGIBLE, np.float32)))
    likeliest = graph.op("ReduceMax", graph.op("Softmax", finite, axis=-1), axis)
    normalizer = graph.op("Sub", largest, graph.op("Log", likeliest))
    graph.output("first", graph.op("Sub", _columns(graph, logits, 0, first_ids), normalizer))
    best, ranks = graph.ops("TopK", _columns(graph, logits, first_ids, END), num_best, outputs=2, axis=1)
    places = graph.op("GatherElements", own, graph.op("Add", ranks, graph.constant(first_ids)), axis=1)
    graph.output("best_tokens", graph.op("Gather", tokens, places), np.int32)
    graph.output("best", graph.op("Sub", best, normalizer))


def _columns(graph: Graph, values: ir.Value, start: int, end: int) -> ir.Value:
    return graph.op("Slice", values, *(graph.constant([value]) for value in (start, end, 1)))


def _of_all(graph: Graph, logits: ir.Value, wanted: ir.Value) -> ir.Value:
    """The log-probabilities of all columns if they are wanted: ONNX Runtime runs what leads to no output, too."""
    all_, none = Graph("all", within=graph), Graph("none", within=graph)
    all_.output("log_probabilities_of_all", all_.op("LogSoftmax", logits, axis=-1))
    none.output("log_probabilities_of_none", none.op("Identity", graph.constant(np.empty([0, 0]), np.float32)))
    return graph.op("If", wanted, then_branch=all_.body(), else_branch=none.body())
