"""Products of int8: a quarter of the bytes, and three times as fast.

Weights are int8 with a scale for each column of a product, or each row of an embedding. What enters a product is
rounded to 8 bits by scales that are known beforehand where they can be: hidden states and attentional vectors come out
of a tanh, contexts are means of what is bounded. Nothing is gained then by looking at the values, and a row's result
does not depend on the rows beside it. Where no bound is known, as of cells, each row has its own scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from nmt.onnx_export.graph import MICROSOFT, Graph, Weights
from nmt.onnx_export.products import Part, beside, lstm_attributes, lstm_bias, of_directions

STEPS = 127  # of 8 bits, to either side
ZERO = 128  # which of them is 0


class Int8:
    """Products of int8; sums, and all else, are float32."""

    def product(
        self, graph: Graph, name: str, parts: Sequence[Part], kernel: np.ndarray, bias: np.ndarray | None = None
    ) -> ir.Value:
        entering, bounds = beside(graph, parts), np.concatenate([part.bounds for part in parts])
        added = None if bias is None else graph.weight(f"{name}.bias", bias)
        if np.isfinite(bounds).all():
            scaled, bound = _evenly_bounded(graph, entering, bounds)
            kernel = kernel * (bounds / bound)[:, np.newaxis]
            return self._bounded_product(graph, scaled, bound, *_kernel(graph, name, kernel), added)
        largest = graph.op("ReduceMax", graph.op("Abs", entering), graph.constant([1]), keepdims=1)
        largest = graph.op("Max", largest, graph.constant(np.finfo(np.float32).tiny, np.float32))
        scaled = graph.op("Div", entering, largest)
        product = self._bounded_product(graph, scaled, 1.0, *_kernel(graph, name, kernel), None)
        product = graph.op("Mul", product, largest)
        return product if added is None else graph.op("Add", product, added)

    def lookup(self, graph: Graph, name: str, table: np.ndarray, ids: ir.Value) -> ir.Value:
        rows, scales = _table(graph, name, table)
        chosen = graph.op("Cast", graph.op("Gather", rows, ids), to=ir.DataType.FLOAT)
        scale = graph.op("Gather", scales, ids)
        return graph.op("Mul", chosen, graph.op("Unsqueeze", scale, graph.constant([-1])))

    def lstm(
        self, graph: Graph, name: str, inputs: ir.Value, lengths: ir.Value, directions: Sequence[Weights]
    ) -> Sequence[ir.Value]:
        kernels, scales = [], []
        for kind in ("kernel", "recurrent_kernel"):
            quantized, scale = quantize(of_directions(directions, kind), axis=1)
            kernels.append(graph.weight(f"{name}.{kind}", quantized))
            scales.append(graph.weight(f"{name}.{kind}.scale", scale))
        bias = graph.weight(f"{name}.bias", lstm_bias(directions))
        zero = graph.constant(np.zeros(scale.shape), np.int8)
        entering = (inputs, *kernels, bias, lengths, None, None, None, scales[0], zero, scales[1], zero)
        attributes = lstm_attributes(directions)
        return graph.ops("DynamicQuantizeLSTM", *entering, outputs=3, domain=MICROSOFT, **attributes)

    def transposed_product(
        self, graph: Graph, name: str, entering: Part, table: np.ndarray, bias: np.ndarray
    ) -> ir.Value:
        rows, scales = _table(graph, name, table)
        added = graph.weight(f"{name}.bias", bias)
        kernel = graph.op("Transpose", rows)  # which ONNX Runtime does once, when it opens the graph
        return self._bounded_product(graph, entering.value, entering.bounds.max(), kernel, scales, added)

    def output_columns(self, graph: Graph, name: str, table: np.ndarray, columns: ir.Value) -> None:
        rows, scales = _table(graph, name, table)
        graph.output("kernel", graph.op("Transpose", graph.op("Gather", rows, columns)), np.int8)
        graph.output("scales", graph.op("Gather", scales, columns))

    def product_of_columns(self, graph: Graph, entering: Part) -> ir.Value:
        kernel = graph.input("kernel", np.int8, [entering.size, "columns"])
        scales = graph.input("scales", np.float32, ["columns"])
        return self._bounded_product(graph, entering.value, entering.bounds.max(), kernel, scales, None)

    def _bounded_product(
        self,
        graph: Graph,
        entering: ir.Value,
        bound: float,
        kernel: ir.Value,
        scales: ir.Value,
        bias: ir.Value | None,
    ) -> ir.Value:
        """Entering float32 [rows, size], none of it beyond the bound, times an int8 kernel and its columns' scales."""
        step, zero = graph.constant(bound / STEPS, np.float32), graph.constant(ZERO, np.uint8)
        rounded = graph.op("QuantizeLinear", entering, step, zero)
        inputs = (rounded, kernel, step, scales, zero, None, bias)
        return graph.op("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)


def quantize(weights: np.ndarray, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 weights, and float32 scales without that axis, along which each has one."""
    scales = np.abs(weights).max(axis=axis, keepdims=True).astype(np.float32) / STEPS
    scales = np.where(scales > 0, scales, np.float32(1))
    return np.round(weights / scales).astype(np.int8), scales.squeeze(axis)


def _kernel(graph: Graph, name: str, kernel: np.ndarray) -> tuple[ir.Value, ir.Value]:
    """A kernel [size, units], and the scales of its columns [units]."""
    quantized, scales = quantize(kernel, axis=0)
    return graph.weight(f"{name}.kernel", quantized), graph.weight(f"{name}.scales", scales)


def _table(graph: Graph, name: str, table: np.ndarray) -> tuple[ir.Value, ir.Value]:
    """A table [vocab, size], and the scales of its rows [vocab]."""
    quantized, scales = quantize(table, axis=1)
    return graph.weight(f"{name}.table", quantized), graph.weight(f"{name}.row_scales", scales)


def _evenly_bounded(graph: Graph, entering: ir.Value, bounds: np.ndarray) -> tuple[ir.Value, float]:
    """The features with one bound for all, and that bound."""
    if (bounds == bounds[0]).all():
        return entering, float(bounds[0])
    return graph.op("Div", entering, graph.constant(bounds, np.float32)), 1.0
