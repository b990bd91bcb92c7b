"""The graph of a beam search's plain steps: those in which no rule but its length says what may be written.

A call of this graph makes many steps, without NumPy between them: a single sentence takes a fifth less time. Whatever
else a search has to do is left to numpy_search; the graph stops after the first step in which a hypothesis ended.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from nmt.onnx_export.decoder import Decoder
from nmt.onnx_export.graph import Graph
from nmt.onnx_export.output import END, Columns, EveryColumn, Output, Scores, SomeColumns, slice_columns
from nmt.search.definitions import IMPOSSIBLE
from nmt.text.tokenizer import EOS


def search_graph(decoder: Decoder, output: Output, *, shortlist: bool = False) -> Graph:
    """Plain steps of a beam: inputs as in numpy_search.plain_steps.PlainSteps, and what it finds, `found_...`.

    Args: shortlist: the output layer's columns are inputs.
    """
    graph = Graph("shortlist_search" if shortlist else "search")
    tokens = graph.input("tokens", np.int32, ["batch", "beam"])
    rank = graph.input("rank", np.float32, ["batch", "beam"])
    parents = graph.input("parents", np.int64, ["rows"])
    state, memory = decoder.state_inputs(graph), decoder.memory_inputs(graph)
    beam = _Beam(graph, graph.op("Shape", tokens), first_ids=output.layout.first_ids)
    columns: Columns = SomeColumns(output, graph, beam.shape) if shortlist else EveryColumn(output)

    body = Graph("plain_step", within=graph)
    steps_before = body.input("steps_before", np.int64, [])
    body.input("going_on", np.bool_, [])
    last = body.input("last_tokens", np.int32, ["batch", "beam"])
    so_far = body.input("last_rank", np.float32, ["batch", "beam"])
    rows = body.input("last_parents", np.int64, ["rows"])
    before = [body.op("Gather", value, rows, axis=0) for value in decoder.state_inputs(body, prefix="last_")]
    step = decoder.step(body, last, before, memory, beam.shape)
    scores = columns.best(body, columns.logits(body, step.vectors), beam.num_candidates)
    found = beam.candidates(body, scores, so_far, steps_before)
    kept = beam.kept(body, found)
    body.output("go_on", beam.may_go_on(body, found, kept), np.bool_)
    body.output("next_tokens", kept.token, np.int32)
    body.output("next_rank", kept.rank)
    body.output("next_parents", beam.rows(body, kept.slot), np.int64)
    for name, value in zip(decoder.state_names, step.state, strict=True):
        body.output(f"next_{name}", value)
    for name, value, dtype in zip(_Candidates._fields, found, _DTYPES, strict=True):
        body.output(f"step_{name}", value, dtype)
    body.output("step_weights", step.weights)

    most_steps, begin = beam.most_steps(graph), graph.constant(True, np.bool_)
    carried = [tokens, rank, parents, *state]
    *results, weights = graph.ops(
        "Loop",
        *(most_steps, begin, *carried),
        outputs=len(carried) + len(_Candidates._fields) + 1,
        body=body.body(),
    )
    for name, value in zip(decoder.state_names, results[3 : len(carried)], strict=True):
        graph.output(f"found_{name}", value)
    for name, value, dtype in zip(_Candidates._fields, results[len(carried) :], _DTYPES, strict=True):
        graph.output(f"found_{name}", value, dtype)
    graph.output("found_weights", weights)
    return graph


class _Candidates(NamedTuple):
    """Continued hypotheses of each sentence, best first, [batch, some] each: numpy_search.loop.Candidates."""

    rank: ir.Value
    token: ir.Value
    slot: ir.Value


_DTYPES: tuple[type[np.generic], ...] = (np.float32, np.int32, np.int64)  # of Candidates


class _Beam:
    """The search's side of a step: sentences x hypotheses, and what the rules say.

    Args: shape: int64 [2], sentences and hypotheses of each.
    """

    def __init__(self, graph: Graph, shape: ir.Value, *, first_ids: int) -> None:
        self.shape = shape
        batch, self._size = graph.ops("Split", shape, outputs=2, num_outputs=2)
        self.num_candidates = graph.op("Mul", self._size, graph.constant([2]))
        self._by_sentence = graph.op("Concat", batch, graph.constant([-1]), axis=0)
        scalars = graph.constant(0), graph.op("Squeeze", batch), graph.constant(1)
        starts = graph.op("Mul", graph.op("Range", *scalars), self._size)
        self._starts = graph.op("Unsqueeze", starts, graph.constant([1]))  # [batch, 1], each sentence's first row
        self._first_free = graph.input("first_free", np.int64, [1])
        ids = graph.op("Slice", graph.constant(np.arange(first_ids), np.int32), self._first_free, graph.constant([END]))
        ids = graph.op("Concat", graph.constant([EOS], np.int32), ids, axis=0)
        rows = graph.op("Mul", batch, self._size)
        of_rows = graph.op("Concat", rows, graph.op("Shape", ids), axis=0)
        self._first_tokens = graph.op("Expand", ids, of_rows)  # [rows, 1 + free first ids]
        self._minimum, self._maximum = (graph.input(name, np.int32, ["batch", 1]) for name in ("minimum", "maximum"))
        self._first_length = graph.input("first_length", np.int32, [])
        self._least = graph.input("least", np.float32, ["batch", 1])
        self._largest_penalty = graph.input("largest_penalty", np.float32, ["batch", 1])

    def most_steps(self, graph: Graph) -> ir.Value:
        """How many there are until all hypotheses have the most tokens: int64 []."""
        left = graph.op("Sub", graph.op("ReduceMax", self._maximum, keepdims=0), self._first_length)
        return graph.op("Add", graph.op("Cast", left, to=ir.DataType.INT64), graph.constant(1))

    def candidates(self, graph: Graph, scores: Scores, so_far: ir.Value, steps_before: ir.Value) -> _Candidates:
        """The best hypotheses of one more token, of equals the first: [batch, 2 * beam] each.

        Args: so_far: float32 [batch, beam], what the hypotheses rank without it.
        """
        impossible, column = graph.constant(IMPOSSIBLE, np.float32), graph.constant([-1, 1])
        length = graph.op("Add", self._first_length, graph.op("Cast", steps_before, to=ir.DataType.INT32))
        may_end = graph.op("LessOrEqual", self._minimum, length)  # [batch, 1]
        goes_on = graph.op("Less", length, self._maximum)
        ending, going = (
            graph.op("Reshape", graph.op("Where", allowed, so_far, impossible), column)  # [rows, 1]
            for allowed in (may_end, goes_on)
        )
        ends = graph.op("Add", slice_columns(graph, scores.first, EOS, EOS + 1), ending)
        free = graph.op("Slice", scores.first, self._first_free, graph.constant([END]), graph.constant([1]))
        goes = graph.op("Add", graph.op("Concat", free, scores.best, axis=1), going)
        ranks = graph.op("Concat", ends, goes, axis=1)  # [rows, columns]
        tokens = graph.op("Concat", self._first_tokens, scores.tokens, axis=1)
        by_sentence = [graph.op("Reshape", values, self._by_sentence) for values in (ranks, tokens)]
        rank, place = graph.ops("TopK", by_sentence[0], self.num_candidates, outputs=2, axis=1)
        slot = graph.op("Div", place, graph.op("Shape", ranks, start=1))
        return _Candidates(rank, graph.op("GatherElements", by_sentence[1], place, axis=1), slot)

    def kept(self, graph: Graph, found: _Candidates) -> _Candidates:
        """Those that go on if none has ended: [batch, beam] each."""
        start, axis = graph.constant([0]), graph.constant([1])
        return _Candidates(*(graph.op("Slice", values, start, self._size, axis) for values in found))

    def rows(self, graph: Graph, slots: ir.Value) -> ir.Value:
        """Where slots int64 [batch, beam] stand among all hypotheses: [batch * beam]."""
        return graph.op("Reshape", graph.op("Add", slots, self._starts), graph.constant([-1]))

    def may_go_on(self, graph: Graph, found: _Candidates, kept: _Candidates) -> ir.Value:
        """Whether nothing has ended, and no sentence's best hypothesis has fallen behind those that ended before."""
        impossible = graph.constant(IMPOSSIBLE, np.float32)
        ends = graph.op("Equal", found.token, graph.constant(EOS, np.int32))
        ends = graph.op("And", ends, graph.op("Greater", found.rank, impossible))  # [batch, 2 * beam]
        best = slice_columns(graph, kept.rank, 0, 1)  # [batch, 1]
        behind = graph.op("LessOrEqual", graph.op("Div", best, self._largest_penalty), self._least)
        behind = graph.op("And", behind, graph.op("Greater", best, impossible))
        stops = graph.op("Cast", graph.op("Concat", ends, behind, axis=1), to=ir.DataType.INT32)
        return graph.op("Equal", graph.op("ReduceMax", stops, keepdims=0), graph.constant(0, np.int32))
