"""Products with weights, and embeddings: what a precision has to do, and how float32 does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx_ir as ir

from nmt.onnx_export.graph import Graph, Weights


class Part(NamedTuple):
    """Some of the features that enter a product.

    value: float32 [rows, size].
    bounds: float [size], what the magnitude of each never exceeds; inf where nothing is known.
    """

    value: ir.Value
    bounds: np.ndarray

    @property
    def size(self) -> int:
        """The number of features."""
        return len(self.bounds)


class Products(Protocol):
    """What a precision makes: nodes in a graph, and the weights that they read."""

    def product(
        self, graph: Graph, name: str, parts: Sequence[Part], kernel: np.ndarray, bias: np.ndarray | None = None
    ) -> ir.Value:
        """The parts side by side, times kernel [size, units], plus bias [units]: [rows, units]."""

    def lookup(self, graph: Graph, name: str, table: np.ndarray, ids: ir.Value) -> ir.Value:
        """Rows of a table [vocab, size] by ids int32 [...]: float32 [..., size]."""

    def lstm(
        self, graph: Graph, name: str, inputs: Part, lengths: ir.Value, directions: Sequence[Weights]
    ) -> Sequence[ir.Value]:
        """An LSTM over inputs [time, batch, size].

        Returns: outputs [time, directions, batch, units], hidden state and cell [directions, batch, units].
        """

    def transposed_product(
        self, graph: Graph, name: str, entering: Part, table: np.ndarray, bias: np.ndarray
    ) -> ir.Value:
        """Entering [rows, size] times the transpose of a table [columns, size] that `lookup` reads, plus bias."""

    def output_columns(self, graph: Graph, name: str, table: np.ndarray, bias: np.ndarray, columns: ir.Value) -> None:
        """Writes some rows of such a table and bias as outputs of the graph, for `product_of_columns`."""

    def column_inputs(self, graph: Graph, size: int) -> Sequence[ir.Value]:
        """What `output_columns` gives, of a table [columns, size], as inputs of the graph."""

    def product_of_columns(self, graph: Graph, entering: Part, columns: Sequence[ir.Value]) -> ir.Value:
        """Entering [rows, size] times such inputs: [rows, columns]."""


class Float32:
    """Products of float32."""

    def product(
        self, graph: Graph, name: str, parts: Sequence[Part], kernel: np.ndarray, bias: np.ndarray | None = None
    ) -> ir.Value:
        inputs = [beside(graph, parts), graph.weight(f"{name}.kernel", kernel)]
        if bias is not None:
            inputs.append(graph.weight(f"{name}.bias", bias))
        return graph.op("Gemm", *inputs)

    def lookup(self, graph: Graph, name: str, table: np.ndarray, ids: ir.Value) -> ir.Value:
        return graph.op("Gather", graph.weight(f"{name}.table", table), ids)

    def lstm(
        self, graph: Graph, name: str, inputs: Part, lengths: ir.Value, directions: Sequence[Weights]
    ) -> Sequence[ir.Value]:
        kernel, recurrent = (
            graph.weight(f"{name}.{kind}", of_directions(directions, kind).transpose(0, 2, 1))
            for kind in ("kernel", "recurrent_kernel")
        )
        bias = graph.weight(f"{name}.bias", lstm_bias(directions))
        return graph.ops(
            "LSTM", inputs.value, kernel, recurrent, bias, lengths, outputs=3, **lstm_attributes(directions)
        )

    def transposed_product(
        self, graph: Graph, name: str, entering: Part, table: np.ndarray, bias: np.ndarray
    ) -> ir.Value:
        kernel = graph.weight(f"{name}.table", table)
        return graph.op("Gemm", entering.value, kernel, graph.weight(f"{name}.bias", bias), transB=1)

    def output_columns(self, graph: Graph, name: str, table: np.ndarray, bias: np.ndarray, columns: ir.Value) -> None:
        graph.output("kernel", graph.op("Transpose", self.lookup(graph, name, table, columns)))
        graph.output("column_bias", graph.op("Gather", graph.weight(f"{name}.bias", bias), columns))

    def column_inputs(self, graph: Graph, size: int) -> Sequence[ir.Value]:
        kernel = graph.input("kernel", np.float32, [size, "columns"])
        return kernel, graph.input("column_bias", np.float32, ["columns"])

    def product_of_columns(self, graph: Graph, entering: Part, columns: Sequence[ir.Value]) -> ir.Value:
        return graph.op("Gemm", entering.value, *columns)


def beside(graph: Graph, parts: Sequence[Part]) -> ir.Value:
    """The parts side by side: [rows, size]."""
    return graph.op("Concat", *(part.value for part in parts), axis=1) if len(parts) > 1 else parts[0].value


def of_directions(directions: Sequence[Weights], kind: str) -> np.ndarray:
    """A weight [..., 4 * units] of all directions, gates in ONNX's order (i, o, f, g): [directions, ..., 4 * units]."""
    gates = [np.split(weights[kind], 4, axis=-1) for weights in directions]
    return np.stack(
        [
            np.concatenate([entering, leaving, forgetting, candidate], axis=-1)
            for entering, forgetting, leaving, candidate in gates
        ]
    )


def lstm_bias(directions: Sequence[Weights]) -> np.ndarray:
    """ONNX's bias, one half for the inputs and one for the hidden state: [directions, 8 * units]."""
    bias = of_directions(directions, "bias")
    return np.concatenate([bias, np.zeros_like(bias)], axis=1)


def lstm_attributes(directions: Sequence[Weights]) -> dict[str, Any]:
    """What ONNX's LSTM is told beside its weights."""
    units = directions[0]["recurrent_kernel"].shape[0]
    return {"hidden_size": units, "direction": "bidirectional" if len(directions) > 1 else "forward"}
