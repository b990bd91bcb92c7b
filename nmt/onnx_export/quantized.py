"""Products of int8: a quarter of the bytes, and three times as fast.

Weights are int8 with a scale for each column of a product, or each row of an embedding. What enters a product is
rounded by scales that are known beforehand where they can be: hidden states and attentional vectors come out
of a tanh, contexts are means of what is bounded. Nothing is gained then by looking at the values, and a row's result
does not depend on the rows beside it. Where no bound is known, as of cells, each row has its own scale.

AVX2 without VNNI, as many processors have it, adds up pairs of products in 16 bits and cuts off what does not fit. So
one side of each product has 7 bits only, by which every pair fits and all processors get the same sums: what enters, or
the weights of LSTMs over sequences, for which ONNX Runtime rounds what enters to 8. On Multi30k this costs 0.1% of the
loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from nmt.onnx_export.graph import MICROSOFT, Graph, Weights
from nmt.onnx_export.products import Part, beside, lstm_attributes, lstm_bias, of_directions

STEPS, FEW_STEPS = 127, 63  # to either side of 0, of 8 bits and of 7
LARGE = 30.0  # whose tanh and sigmoid are 1
ZERO = 64  # where 0 is among the 7 bits of what enters a product


class Int8:
    """Products of int8; sums, and all else, are float32."""

    def product(
        self, graph: Graph, name: str, parts: Sequence[Part], kernel: np.ndarray, bias: np.ndarray | None = None
    ) -> ir.Value:
        bounds = np.concatenate([part.bounds for part in parts])
        added = None if bias is None else graph.weight(f"{name}.bias", bias)
        if np.isfinite(bounds).all():
            rounded = [_rounded(graph, part) for part in parts]
            side_by_side = graph.op("Concat", *rounded, axis=1) if len(rounded) > 1 else rounded[0]
            return _integer_product(
                graph, side_by_side, 1.0, *_kernel(graph, name, kernel * bounds[:, np.newaxis]), added
            )
        entering = beside(graph, parts)
        largest = graph.op("ReduceMax", graph.op("Abs", entering), graph.constant([1]), keepdims=1)
        largest = graph.op("Max", largest, graph.constant(np.finfo(np.float32).tiny, np.float32))
        rounded_rows = _round(graph, graph.op("Div", entering, largest), 1.0)
        product = _integer_product(graph, rounded_rows, 1.0, *_kernel(graph, name, kernel), None)
        product = graph.op("Mul", product, largest)
        return product if added is None else graph.op("Add", product, added)

    def lookup(self, graph: Graph, name: str, table: np.ndarray, ids: ir.Value) -> ir.Value:
        rows, scales = _table(graph, name, table)
        chosen = graph.op("Cast", graph.op("Gather", rows, ids), to=ir.DataType.FLOAT)
        of_rows = graph.op("Unsqueeze", scales, graph.constant([-1]))  # once, when ONNX Runtime opens the graph
        return graph.op("Mul", chosen, graph.op("Gather", of_rows, ids))

    def lstm(
        self, graph: Graph, name: str, inputs: Part, lengths: ir.Value, directions: Sequence[Weights]
    ) -> Sequence[ir.Value]:
        units = directions[0]["recurrent_kernel"].shape[0]
        fixed = [with_fixed_scale(weights) for weights in directions]
        kernels, scales = [], []
        for kind in ("kernel", "recurrent_kernel"):
            quantized, scale = quantize(of_directions(fixed, kind), axis=1, steps=FEW_STEPS)
            kernels.append(graph.weight(f"{name}.{kind}", quantized))
            scales.append(graph.weight(f"{name}.{kind}.scale", scale))
        bias = graph.weight(f"{name}.bias", lstm_bias(fixed))
        zero = graph.constant(np.zeros(scale.shape), np.int8)
        batch = graph.op("Shape", inputs.value, start=1, end=2)
        ends = np.array([1, -1]) * inputs.bounds.max()
        steps = graph.op("Concat", graph.op("Shape", inputs.value, start=0, end=2), graph.constant([2]), axis=0)
        widened = graph.op("Concat", inputs.value, graph.op("Expand", graph.constant(ends, np.float32), steps), axis=2)
        shape = graph.op("Concat", graph.constant([len(fixed)]), batch, graph.constant([units + 2]), axis=0)
        hidden, cell = (
            graph.op("Expand", graph.constant([*[0] * units, end, -end], np.float32), shape) for end in (1, LARGE)
        )
        entering = (widened, *kernels, bias, lengths, hidden, cell, None, scales[0], zero, scales[1], zero)
        results = graph.ops("DynamicQuantizeLSTM", *entering, outputs=3, domain=MICROSOFT, **lstm_attributes(fixed))
        own = (graph.constant([0]), graph.constant([units]), graph.constant([-1]))
        return [graph.op("Slice", result, *own) for result in results]

    def transposed_product(
        self, graph: Graph, name: str, entering: Part, table: np.ndarray, bias: np.ndarray
    ) -> ir.Value:
        rows, scales = _table(graph, name, table)
        added = graph.weight(f"{name}.bias", bias)
        kernel = graph.op("Transpose", rows)  # which ONNX Runtime does once, when it opens the graph
        bound = entering.bounds.max()
        return _integer_product(graph, _round(graph, entering.value, bound), bound, kernel, scales, added)

    def output_columns(self, graph: Graph, name: str, table: np.ndarray, bias: np.ndarray, columns: ir.Value) -> None:
        rows, scales = _table(graph, name, table)
        graph.output("kernel", graph.op("Transpose", graph.op("Gather", rows, columns)), np.int8)
        graph.output("scales", graph.op("Gather", scales, columns))
        graph.output("column_bias", graph.op("Gather", graph.weight(f"{name}.bias", bias), columns))

    def column_inputs(self, graph: Graph, size: int) -> Sequence[ir.Value]:
        kernel = graph.input("kernel", np.int8, [size, "columns"])
        return kernel, *(graph.input(each, np.float32, ["columns"]) for each in ("scales", "column_bias"))

    def product_of_columns(self, graph: Graph, entering: Part, columns: Sequence[ir.Value]) -> ir.Value:
        bound = entering.bounds.max()
        return _integer_product(graph, _round(graph, entering.value, bound), bound, *columns)


def with_fixed_scale(weights: Weights) -> dict[str, np.ndarray]:
    """An LSTM's weights with two more inputs, which it does not read, and two more units, which always are 1 and -1.

    ONNX Runtime's LSTM of int8 rounds what enters by the least and the largest element of all rows. These are then the
    same whatever the rows hold, so a row does not depend on the others. The units begin with a LARGE cell and keep it.
    """
    kernel, recurrent, bias = (
        np.pad(gates, [(0, more), (0, 0), (0, 2)]).reshape(len(gates) + more, -1)
        for gates, more in (
            (weights["kernel"].reshape(len(weights["kernel"]), 4, -1), 2),
            (weights["recurrent_kernel"].reshape(len(weights["recurrent_kernel"]), 4, -1), 2),
            (weights["bias"].reshape(1, 4, -1), 0),
        )
    )
    bias = bias.reshape(4, -1)
    bias[:, -2:] = LARGE * np.array([[-1], [1], [1], [0]])  # of the gates i, f, o, g
    return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias.reshape(-1)}


def quantize(weights: np.ndarray, *, axis: int, steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    """int8 weights, and float32 scales without that axis, along which each has one."""
    scales = np.abs(weights).max(axis=axis, keepdims=True).astype(np.float32) / steps
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


def _rounded(graph: Graph, part: Part) -> ir.Value:
    """A part as 7 bits, each feature in steps of its bound: uint8 [rows, size]."""
    if (part.bounds == part.bounds[0]).all():
        return _round(graph, part.value, part.bounds[0])
    return _round(graph, graph.op("Div", part.value, graph.constant(part.bounds, np.float32)), 1.0)


def _round(graph: Graph, values: ir.Value, bound: float) -> ir.Value:
    """Values in steps of their bound: uint8."""
    step, zero = graph.constant(bound / FEW_STEPS, np.float32), graph.constant(ZERO, np.uint8)
    return graph.op("QuantizeLinear", values, step, zero)


def _integer_product(
    graph: Graph, rounded: ir.Value, bound: float, kernel: ir.Value, scales: ir.Value, bias: ir.Value | None
) -> ir.Value:
    """uint8 [rows, size] in steps of a bound, times an int8 kernel and its columns' scales, plus bias: float32."""
    step, zero = graph.constant(bound / FEW_STEPS, np.float32), graph.constant(ZERO, np.uint8)
    inputs = (rounded, kernel, step, scales, zero, None, bias)
    return graph.op("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)
