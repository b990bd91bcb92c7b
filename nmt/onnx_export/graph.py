"""A graph in the making: an onnx_ir tape, and weights that several graphs share."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

OPSETS = {"": 18, "com.microsoft": 1}
IR_VERSION = 9
MICROSOFT = "com.microsoft"  # operators that ONNX Runtime adds, in its builds for browsers, too

_DTYPES = {
    np.float32: ir.DataType.FLOAT,
    np.int32: ir.DataType.INT32,
    np.int64: ir.DataType.INT64,
    np.int8: ir.DataType.INT8,
    np.uint8: ir.DataType.UINT8,
    np.bool_: ir.DataType.BOOL,
}


class Graph:
    """Nodes as they are added, with inputs, outputs and weights.

    Weights are large and lie beside the graph in a file; several graphs that name a weight the same share it. Constants
    are small and lie in it.
    """

    def __init__(self, name: str, *, within: Graph | None = None) -> None:
        self.name = name
        self.weights: dict[str, ir.TensorProtocol] = {} if within is None else within.weights
        self._initializers: dict[str, ir.Value] = {} if within is None else within._initializers
        self._constants: dict[tuple, ir.Value] = {} if within is None else within._constants
        self._numbers: itertools.count = itertools.count() if within is None else within._numbers
        self._tape = ir.tape.Tape()
        self._inputs: list[ir.Value] = []
        self._outputs: list[ir.Value] = []

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> ir.Value:
        """What is fed at each run; a name in `shape` stands for any size."""
        value = ir.Value(name=name, type=ir.TensorType(_DTYPES[dtype]), shape=ir.Shape(shape))
        self._inputs.append(value)
        return value

    def output(self, name: str, value: ir.Value, dtype: type[np.generic] = np.float32) -> None:
        """Names what a run returns."""
        value.name, value.type = name, ir.TensorType(_DTYPES[dtype])
        self._outputs.append(value)

    def op(self, operator: str, *inputs: ir.Value | None, domain: str = "", **attributes: Any) -> ir.Value:
        """Adds a node with one output."""
        return self.ops(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, operator: str, *inputs: ir.Value | None, outputs: int, domain: str = "", **attributes: Any
    ) -> Sequence[ir.Value]:
        """Adds a node with several outputs."""
        values = self._tape.op_multi_out(operator, inputs, attributes, num_outputs=outputs, domain=domain)
        for value in values:
            value.name = f"{operator}_{next(self._numbers)}"
        return values

    def weight(self, name: str, array: np.ndarray) -> ir.Value:
        """A weight by its name."""
        if name not in self.weights:
            self.weights[name] = ir.tensor(np.ascontiguousarray(array), name=name)
            self._initializers[name] = self._initializer(name, self.weights[name])
        return self._initializers[name]

    def replace_weights(self, tensors: Mapping[str, ir.TensorProtocol]) -> None:
        """Lets the weights of these names be other tensors, as those that lie in a file."""
        for name in self.weights.keys() & tensors.keys():
            self.weights[name] = self._initializers[name].const_value = tensors[name]

    def constant(self, values: Any, dtype: type[np.generic] = np.int64) -> ir.Value:
        """A constant; the same one again for the same values."""
        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{next(self._numbers)}"
            self._constants[key] = self._initializer(name, ir.tensor(array, name=name))
        return self._constants[key]

    def body(self) -> ir.Graph:
        """The graph as the body of a loop."""
        return ir.Graph(self._inputs, self._outputs, nodes=self._tape.nodes, name=self.name)

    def model(self) -> ir.Model:
        """The graph as a model."""
        graph = ir.Graph(
            self._inputs,
            self._outputs,
            nodes=self._tape.nodes,
            initializers=[*self._initializers.values(), *self._constants.values()],
            opset_imports=OPSETS,
            name=self.name,
        )
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="nmt")

    def _initializer(self, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        return ir.Value(
            name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.numpy().shape), const_value=tensor
        )


Weights = Mapping[str, np.ndarray]


def part(weights: Weights, prefix: str) -> dict[str, np.ndarray]:
    """Those of the weights whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
