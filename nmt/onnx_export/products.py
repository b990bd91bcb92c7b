"""Products with weights, and embeddings, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from nmt.onnx_export.graph import Graph, Weights


class Part(NamedTuple):
    """Some of the features that enter a product: float32 [rows, size]."""

    value: ir.Value
    size: int


class Float32:
    """Products of float32."""

    name = "float32"

    def product(
        self, graph: Graph, name: str, parts: Sequence[Part], kernel: np.ndarray, bias: np.ndarray | None = None
    ) -> ir.Value:
        """The parts side by side, times kernel [size, units], plus bias [units]: [rows, units]."""
        entering = graph.op("Concat", *(part.value for part in parts), axis=1) if len(parts) > 1 else parts[0].value
        inputs = [entering, graph.weight(f"{name}.kernel", kernel)]
        if bias is not None:
            inputs.append(graph.weight(f"{name}.bias", bias))
        return graph.op("Gemm", *inputs)

    def lookup(self, graph: Graph, name: str, table: np.ndarray, ids: ir.Value) -> ir.Value:
        """Rows of a table [vocab, size]: [..., size]."""
        return graph.op("Gather", graph.weight(f"{name}.table", table), ids)

    def lstm(
        self, graph: Graph, name: str, inputs: ir.Value, lengths: ir.Value, directions: Sequence[Weights]
    ) -> Sequence[ir.Value]:
        """ONNX's LSTM: outputs [time, directions, batch, units], hidden state and cell [directions, batch, units]."""
        kernel, recurrent, bias = (
            np.stack([onnx_gates(weights[part]) for weights in directions])
            for part in ("kernel", "recurrent_kernel", "bias")
        )
        return graph.ops(
            "LSTM",
            inputs,
            graph.weight(f"{name}.kernel", kernel.transpose(0, 2, 1)),
            graph.weight(f"{name}.recurrent_kernel", recurrent.transpose(0, 2, 1)),
            graph.weight(f"{name}.bias", np.concatenate([bias, np.zeros_like(bias)], axis=1)),
            lengths,
            outputs=3,
            hidden_size=recurrent.shape[1],
            direction="bidirectional" if len(directions) > 1 else "forward",
        )

    def transposed_product(
        self, graph: Graph, name: str, entering: ir.Value, table: np.ndarray, bias: np.ndarray
    ) -> ir.Value:
        """entering [rows, size] times the transpose of a table [columns, size] that `lookup` reads, plus bias."""
        kernel = graph.weight(f"{name}.table", table)
        return graph.op("Gemm", entering, kernel, graph.weight(f"{name}.bias", bias), transB=1)

    def product_of_columns(self, graph: Graph, entering: ir.Value, size: int) -> ir.Value:
        """entering [rows, size] times what `output_columns` gives, which is an input."""
        return graph.op("MatMul", entering, graph.input("kernel", np.float32, [size, "columns"]))

    def output_columns(self, graph: Graph, name: str, table: np.ndarray, columns: ir.Value) -> None:
        """Some rows of a table [columns, size] as the columns of a kernel [size, columns]."""
        graph.output("kernel", graph.op("Transpose", self.lookup(graph, name, table, columns)))


def onnx_gates(weights: np.ndarray) -> np.ndarray:
    """The gates [..., 4 * units] in ONNX's order, i, o, f, g, from that of a run, i, f, o, g."""
    entering, forgetting, leaving, candidate = np.split(weights, 4, axis=-1)
    return np.concatenate([entering, leaving, forgetting, candidate], axis=-1)


PRECISIONS = {"float32": Float32}
