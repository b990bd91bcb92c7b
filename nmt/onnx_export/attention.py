"""Attention: a source prepared once, and read by the hypotheses of its beam at each step. See layers/attention.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from nmt.config.model import ModelConfig
from nmt.onnx_export.graph import Graph, Weights
from nmt.onnx_export.products import Part, Products

MASKED = -1e9  # makes a score one that softmax turns into an exact 0


class Memory(NamedTuple):
    """What hypotheses read, float32; of one head without an axis for heads.

    values: [batch, heads, source_time, size].
    keys: [batch, heads, depth, source_time], of the additive score [batch, heads, 1, source_time, depth].
    masking: [batch, 1, 1, source_time], 0 or MASKED.
    """

    values: ir.Value
    keys: ir.Value
    masking: ir.Value


class MemoryShapes(NamedTuple):
    """The shapes of a Memory; a name stands for any size."""

    values: list[int | str]
    keys: list[int | str]
    masking: list[int | str]


class Attention:
    """Attention with a run's weights.

    Args: bounds: float [size], of what is read of each source position: see products.Part.
    """

    def __init__(self, config: ModelConfig, weights: Weights, bounds: np.ndarray) -> None:
        self.heads, self.units, self.score = config.attention.heads, config.units, config.attention.score
        self.depth = self.units // self.heads
        self.bounds = bounds
        # A context is a mean of values. Of those that are projected nothing is known.
        self.context_bounds = np.full(self.units, np.inf) if self.heads > 1 else bounds
        self.weights = dict(weights)
        self.query_kernel = self.weights.get("query_kernel")
        self.key_kernel = self.weights.get("key_kernel")
        if self.score == "scaled":
            self.key_kernel = self.depth**-0.5 * weights["key_kernel"]
            if self.heads == 1:  # q U . W v = q . (W U') v: one product less at each step
                self.key_kernel, self.query_kernel = self.key_kernel @ weights["query_kernel"].T, None

    def shapes(self) -> MemoryShapes:
        """The shapes of a memory."""
        leading: list[int | str] = ["batch", self.heads] if self.heads > 1 else ["batch"]
        keys: list[int | str] = (
            [1, "source_time", self.depth] if self.score == "additive" else [self.depth, "source_time"]
        )
        values: list[int | str] = ["source_time", len(self.context_bounds) // self.heads]
        masking: list[int | str] = ["batch", *(1 for _ in self._inner_axes), "source_time"]
        return MemoryShapes([*leading, *values], [*leading, *keys], masking)

    @property
    def _inner_axes(self) -> list[int]:
        """Where scores have axes between batch and source_time: heads, where there are several, and hypotheses."""
        return [1, 2] if self.heads > 1 else [1]

    def memorize(self, graph: Graph, products: Products, values: ir.Value, real: ir.Value) -> Memory:
        """values float32 [batch, source_time, size], real bool [batch, source_time]."""
        shape = graph.op("Shape", real)
        flat = Part(graph.op("Reshape", values, graph.constant([-1, len(self.bounds)])), self.bounds)
        keys = kept = flat.value
        if self.key_kernel is not None:
            keys = products.product(graph, "attention.keys", [flat], self.key_kernel)
        if self.heads > 1:
            kept = products.product(graph, "attention.values", [flat], self.weights["value_kernel"])
        kept = self._by_head(graph, kept, shape, len(self.context_bounds) // self.heads)
        if self.score == "additive":
            keys = self._by_head(graph, keys, shape, self.depth)
            keys = graph.op("Unsqueeze", keys, graph.constant([-3]))
        else:
            keys = self._by_head(graph, keys, shape, self.depth, transposed=True)
        masking = graph.op(
            "Where", real, graph.constant(0, np.float32), graph.constant(MASKED, np.float32)
        )  # [batch, source_time]
        return Memory(kept, keys, graph.op("Unsqueeze", masking, graph.constant(self._inner_axes)))

    def attend(
        self, graph: Graph, products: Products, hidden: ir.Value, memory: Memory, by_sentence: ir.Value
    ) -> tuple[Part, ir.Value]:
        """What is read, and weights [rows, source_time], of what is asked, hidden [rows, units].

        Args: by_sentence: int64 [2], sentences and hypotheses of each.
        """
        queries = hidden
        if self.query_kernel is not None:
            bias = self.weights.get("bias")
            asking = Part(hidden, np.ones(self.units))
            queries = products.product(graph, "attention.queries", [asking], self.query_kernel, bias)
        queries = self._by_head(graph, queries, by_sentence, self.depth)
        scores = graph.op("Add", self._scores(graph, queries, memory.keys), memory.masking)
        weights = graph.op("Softmax", scores, axis=-1)
        context = graph.op("MatMul", weights, memory.values)
        if self.heads > 1:
            context = graph.op("Transpose", context, perm=[0, 2, 1, 3])
            weights = graph.op("ReduceMean", weights, graph.constant([1]), keepdims=1)
        return (
            Part(graph.op("Reshape", context, graph.constant([-1, len(self.context_bounds)])), self.context_bounds),
            graph.op("Flatten", weights, axis=3 if self.heads > 1 else 2),
        )

    def _scores(self, graph: Graph, queries: ir.Value, keys: ir.Value) -> ir.Value:
        """How well queries [batch, heads, beam, depth] match each key: [batch, heads, beam, source_time]."""
        if self.score != "additive":
            return graph.op("MatMul", queries, keys)
        summed = graph.op("Add", graph.op("Unsqueeze", queries, graph.constant([-2])), keys)
        # [batch, heads, beam, source_time, depth] x [heads, 1, depth, 1]
        kernel = self.weights["score_kernel"][:, np.newaxis, :, np.newaxis]
        product = graph.op(
            "MatMul",
            graph.op("Tanh", summed),
            graph.constant(kernel[0] if self.heads == 1 else kernel, np.float32),
        )
        return graph.op("Squeeze", product, graph.constant([-1]))

    def _by_head(
        self, graph: Graph, values: ir.Value, leading: ir.Value, size: int, *, transposed: bool = False
    ) -> ir.Value:
        """[batch * time, heads * size] -> [batch, heads, time, size], or [.., size, time]; one head has no axis.

        Args: leading: int64 [2], batch and time.
        """
        axes = [self.heads, size] if self.heads > 1 else [size]
        shaped = graph.op("Reshape", values, graph.op("Concat", leading, graph.constant(axes), axis=0))
        if self.heads > 1:
            return graph.op("Transpose", shaped, perm=[0, 2, 3, 1] if transposed else [0, 2, 1, 3])
        return graph.op("Transpose", shaped, perm=[0, 2, 1]) if transposed else shaped
