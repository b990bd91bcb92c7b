"""LSTMs: over whole sequences, and one step. The equations are those of layers/lstm_kernel.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from nmt.onnx_export.graph import Graph, Weights
from nmt.onnx_export.products import Part, Products

EPSILON = 1e-3  # of layer normalization: layers/lstm_kernel.py


class State(NamedTuple):
    """float32 [rows, units] each."""

    hidden: ir.Value
    cell: ir.Value


def sequence(
    graph: Graph,
    products: Products,
    name: str,
    inputs: Part,
    lengths: ir.Value,
    *directions: Weights,
) -> tuple[ir.Value, State]:
    """An LSTM over the first `lengths` steps of each row; given two directions' weights, one backwards beside it.

    Args: inputs of [time, batch, size]; lengths int32 [batch]; weights by name, as a run has them.
    Returns: outputs [time, batch, directions * units], 0 behind a row's length, and the state after all steps.
    """
    run = _normalized_sequence if "gate_gain" in directions[0] else _plain_sequence
    return run(graph, products, name, inputs, lengths, directions)


def step(graph: Graph, products: Products, name: str, parts: Sequence[Part], state: State, weights: Weights) -> State:
    """One step of an LSTM with the parts as its inputs, side by side."""
    units = weights["recurrent_kernel"].shape[0]
    hidden = Part(state.hidden, np.ones(units))
    if "gate_gain" in weights:
        entered = products.product(graph, f"{name}.inputs", parts, weights["kernel"])
        gate_inputs = _gate_inputs(graph, entered, weights)
        return _normalized_step(graph, products, name, gate_inputs, state, weights)
    kernel = np.concatenate([weights["kernel"], weights["recurrent_kernel"]])
    return _cell(graph, products.product(graph, name, [*parts, hidden], kernel, weights["bias"]), state.cell, units)


def _plain_sequence(
    graph: Graph, products: Products, name: str, inputs: Part, lengths: ir.Value, directions: Sequence[Weights]
) -> tuple[ir.Value, State]:
    outputs, hidden, cell = products.lstm(graph, name, inputs, lengths, directions)
    units = len(directions) * directions[0]["recurrent_kernel"].shape[0]
    beside = graph.op("Transpose", outputs, perm=[0, 2, 1, 3])  # [time, batch, directions, units]
    return (
        graph.op("Reshape", beside, graph.constant([0, 0, units])),
        State(*(_directions_beside(graph, part, units) for part in (hidden, cell))),
    )


def _directions_beside(graph: Graph, state: ir.Value, units: int) -> ir.Value:
    """[directions, batch, units] -> [batch, directions * units]."""
    return graph.op("Reshape", graph.op("Transpose", state, perm=[1, 0, 2]), graph.constant([-1, units]))


def _normalized_sequence(
    graph: Graph, products: Products, name: str, inputs: Part, lengths: ir.Value, directions: Sequence[Weights]
) -> tuple[ir.Value, State]:
    time = graph.op("Squeeze", graph.op("Cast", graph.op("Shape", inputs.value, start=0, end=1), to=ir.DataType.INT32))
    positions = graph.op("Range", graph.constant(0, np.int32), time, graph.constant(1, np.int32))
    alive = graph.op("Less", graph.op("Unsqueeze", positions, graph.constant([1])), lengths)  # [time, batch]
    alive = graph.op("Unsqueeze", graph.op("Cast", alive, to=ir.DataType.FLOAT), graph.constant([2]))
    long_lengths = graph.op("Cast", lengths, to=ir.DataType.INT64)
    results = []
    for place, weights in enumerate(directions):
        direction = f"{name}.{('forward', 'backward')[place]}"
        entering = inputs
        if place:
            entering = Part(graph.op("ReverseSequence", inputs.value, long_lengths), inputs.bounds)
        outputs, state = _scan(graph, products, direction, entering, alive, weights)
        results.append((graph.op("ReverseSequence", outputs, long_lengths) if place else outputs, *state))
    outputs, hidden, cell = (
        graph.op("Concat", *values, axis=-1) if len(values) > 1 else values[0] for values in zip(*results, strict=True)
    )
    return outputs, State(hidden, cell)


def _scan(
    graph: Graph, products: Products, name: str, inputs: Part, alive: ir.Value, weights: Weights
) -> tuple[ir.Value, State]:
    """A layer-normalized LSTM from the first step to the last; where not alive [time, batch, 1], it stands still."""
    units = weights["recurrent_kernel"].shape[0]
    flat = graph.op("Reshape", inputs.value, graph.constant([-1, inputs.size]))
    entered = products.product(graph, f"{name}.inputs", [Part(flat, inputs.bounds)], weights["kernel"])
    gate_inputs = _gate_inputs(graph, entered, weights)
    leading = graph.op("Shape", inputs.value, start=0, end=2)  # time, batch
    by_step = graph.op("Concat", leading, graph.constant([4 * units]), axis=0)
    batch = graph.op("Shape", inputs.value, start=1, end=2)
    zeros = graph.op(
        "ConstantOfShape", graph.op("Concat", batch, graph.constant([units]), axis=0), value=ir.tensor([0.0])
    )
    body = Graph(f"{name}.step", within=graph)
    state = State(*(body.input(f"{name}.{part}", np.float32, ["batch", units]) for part in State._fields))
    gates = body.input(f"{name}.gates", np.float32, ["batch", 4 * units])
    now = body.input(f"{name}.alive", np.float32, ["batch", 1])
    new = _normalized_step(body, products, name, gates, state, weights)
    is_alive = body.op("Cast", now, to=ir.DataType.BOOL)
    for part, before, after in zip(State._fields, state, new, strict=True):
        body.output(f"{name}.next_{part}", body.op("Where", is_alive, after, before))
    body.output(f"{name}.output", body.op("Mul", new.hidden, now))
    hidden, cell, outputs = graph.ops(
        "Scan",
        *(zeros, zeros, graph.op("Reshape", gate_inputs, by_step), alive),
        outputs=3,
        body=body.body(),
        num_scan_inputs=2,
    )
    return outputs, State(hidden, cell)


def _gate_inputs(graph: Graph, entered: ir.Value, weights: Weights) -> ir.Value:
    """What a layer-normalized LSTM's inputs add to its gates: [rows, 4 * units]."""
    gained = graph.op(
        "Mul", _normalize_gates(graph, entered, weights), graph.constant(weights["input_gain"], np.float32)
    )
    return graph.op("Add", gained, graph.constant(weights["bias"], np.float32))


def _normalized_step(
    graph: Graph, products: Products, name: str, gate_inputs: ir.Value, state: State, weights: Weights
) -> State:
    units = weights["recurrent_kernel"].shape[0]
    recurrent = products.product(
        graph, f"{name}.recurrent", [Part(state.hidden, np.ones(units))], weights["recurrent_kernel"]
    )
    normalized = _normalize_gates(graph, recurrent, weights)
    gates = graph.op("Mul", normalized, graph.constant(weights["gate_gain"], np.float32))
    return _cell(graph, graph.op("Add", gate_inputs, gates), state.cell, units, weights)


def _normalize_gates(graph: Graph, gates: ir.Value, weights: Weights) -> ir.Value:
    """Each of four gates by itself, without gain: [rows, 4 * units]."""
    units = weights["recurrent_kernel"].shape[0]
    by_gate = graph.op("Reshape", gates, graph.constant([-1, 4, units]))
    ones = graph.constant(np.ones(units), np.float32)
    normalized = graph.op("LayerNormalization", by_gate, ones, epsilon=EPSILON)
    return graph.op("Reshape", normalized, graph.constant([-1, 4 * units]))


def _cell(graph: Graph, gates: ir.Value, cell: ir.Value, units: int, weights: Weights | None = None) -> State:
    """The new state, from the sums of all gates [rows, 4 * units]; `weights` of a normalized cell."""
    *sums, candidate = graph.ops("Split", gates, graph.constant([units] * 4), outputs=4, axis=1)
    entering, forgetting, leaving = (graph.op("Sigmoid", gate) for gate in sums)
    kept = graph.op("Mul", forgetting, cell)
    added = graph.op("Mul", entering, graph.op("Tanh", candidate))
    new = shown = graph.op("Add", kept, added)
    if weights is not None:
        gain, bias = (graph.constant(weights[name], np.float32) for name in ("cell_gain", "cell_bias"))
        shown = graph.op("LayerNormalization", new, gain, bias, epsilon=EPSILON)
    return State(graph.op("Mul", leaving, graph.op("Tanh", shown)), new)
