"""Runs the graphs of an ONNX export, as NumPy arrays in and out."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnxruntime

from nmt.numpy_search.loop import Candidates
from nmt.numpy_search.plain_steps import Found, Start
from nmt.numpy_search.shortlist import Columns
from nmt.numpy_search.step import Arrays, StepScores
from nmt.onnx_engine.files import read_manifest
from nmt.onnx_engine.layout import Layout
from nmt.search.definitions import IMPOSSIBLE

Memory: TypeAlias = Arrays  # what steps read of each sentence, [batch, ...] each
State: TypeAlias = Arrays  # what steps hand on of each hypothesis, [batch * size, ...] each

GatheredColumns: TypeAlias = dict[str, np.ndarray]  # what steps read of the columns that a batch's shortlist chose

_MEMORY = ("values", "keys", "masking")


class OnnxModel:
    """The graphs of an export, each on one thread; several threads may run them at once.

    Args: directory: what `nmt export --format onnx` wrote.

    Raises:
        ValueError: for a directory that is none, or a damaged file, with its name.

    Attributes:
        vocabulary: number of target tokens.
        first_ids: so many tokens, from 0 on (the special ones and the symbols), stand apart: see StepScores.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        manifest = read_manifest(directory)
        self.vocabulary, self.first_ids = manifest.vocabulary, manifest.first_ids
        self._layout = Layout(self.vocabulary, self.first_ids)
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._encoder = self._open("encoder")
        self._state_names = [output.name for output in self._encoder.get_outputs() if output.name not in _MEMORY]

    def encode(self, source: np.ndarray) -> tuple[Memory, State]:
        """Reads a batch.

        Args: source: int32 [batch, source_time], padded with PAD.
        Returns: its memory, and the state of one hypothesis for each sentence before the first token.
        """
        outputs = self._encoder.run([*_MEMORY, *self._state_names], {"source": source})
        return tuple(outputs[: len(_MEMORY)]), tuple(outputs[len(_MEMORY) :])

    def gather(self, memory: Memory, columns: Columns) -> tuple[Memory, GatheredColumns]:
        """Takes the columns of a batch's shortlist out of the output layer, for all of its steps.

        Returns: the memory with what each sentence may use beside it, and what the columns hold.
        """
        names = [output.name for output in self._columns_session.get_outputs()]
        arrays = self._columns_session.run(names, {"columns": self._layout.columns[columns.ids]})
        inputs = dict(zip(names, arrays, strict=True))
        inputs["column_bias"][-1] = IMPOSSIBLE
        inputs["column_tokens"] = columns.ids
        return (*memory, columns.own[:, np.newaxis]), inputs

    def step(
        self,
        tokens: np.ndarray,
        state: State,
        memory: Memory,
        *,
        num_best: int | None,
        columns: GatheredColumns | None = None,
        with_weights: bool = False,
    ) -> tuple[StepScores, State, np.ndarray | None]:
        """Reads the last token of each hypothesis and says what may come next.

        Args:
            tokens: int32 [batch, size].
            state: of each hypothesis, a sentence's side by side.
            memory: of each sentence, as `encode` returns it; with columns, as `gather` does.
            num_best: how many tokens beside the first ones are wanted; None = all.
            columns: what `gather` returned; None = all of the vocabulary.
            with_weights: whether attention is wanted.

        Returns: the scores, the next state, and attention weights float32 [batch * size, source_time] if wanted.
        """
        every = self.ranks_all(num_best, memory, columns)
        feed = {"tokens": tokens, "num_best": np.array([0 if every else num_best])}
        feed.update(self._model_inputs(state, memory, columns))
        wanted = [f"next_{name}" for name in self._state_names]
        wanted += ["log_probabilities"] if every else ["first", "best_tokens", "best"]
        wanted += ["weights"] if with_weights else []
        outputs = self._session("step", columns).run(wanted, feed)
        weights = outputs.pop() if with_weights else None
        next_state = tuple(outputs[: len(state)])
        scores = outputs[len(state) :]
        return self._of_all(scores[0], memory, columns) if every else StepScores(*scores), next_state, weights

    def plain_steps(self, start: Start, *, columns: GatheredColumns | None = None) -> Found:
        """As numpy_search.plain_steps.PlainSteps; state, memory and columns as of `step`."""
        feed = {name: getattr(start, name) for name in ("tokens", "rank", "parents")}
        feed |= {"first_length": np.array(start.first_length, np.int32), "first_free": np.array([start.first_free])}
        for name in ("minimum", "maximum", "least", "largest_penalty"):
            feed[name] = getattr(start, name)[:, np.newaxis]
        feed.update(self._model_inputs(start.state, start.memory, columns))
        wanted = [f"found_{name}" for name in ("rank", "token", "slot", "weights", *self._state_names)]
        rank, token, slot, weights, *state = self._session("search", columns).run(wanted, feed)
        return Found(Candidates(rank, rank, token, slot), weights, tuple(state))

    def ranks_all(self, num_best: int | None, memory: Memory, columns: GatheredColumns | None) -> bool:
        """Whether a step's scores are those of all tokens, as no more than `num_best` are there; None = all."""
        listed = self.vocabulary if columns is None else memory[-1].shape[2]
        return num_best is None or num_best >= listed - self.first_ids

    def _model_inputs(self, state: State, memory: Memory, columns: GatheredColumns | None) -> dict[str, np.ndarray]:
        inputs = dict(zip(self._state_names, state, strict=True))
        inputs.update(zip((*_MEMORY, "own"), memory, strict=False))
        return inputs if columns is None else inputs | columns

    def _of_all(self, log_probabilities: np.ndarray, memory: Memory, columns: GatheredColumns | None) -> StepScores:
        """The scores of all tokens, from those of the columns."""
        rows = len(log_probabilities)
        if columns is None:
            of_tokens = log_probabilities[:, self._layout.columns]
        else:
            own = memory[-1][:, 0]  # [batch, width]
            tokens = columns["column_tokens"]
            tokens = np.where(own < len(tokens) - 1, tokens[own], self.vocabulary)
            of_tokens = np.full((rows, self.vocabulary + 1), IMPOSSIBLE, np.float32)
            np.put_along_axis(of_tokens, tokens.repeat(rows // len(own), axis=0), log_probabilities, axis=1)
            of_tokens = of_tokens[:, :-1]
        return StepScores(of_tokens, np.empty((rows, 0), np.int32), np.empty((rows, 0), np.float32))

    def _session(self, graph: str, columns: GatheredColumns | None) -> onnxruntime.InferenceSession:
        """The session of a graph that has a twin for shortlists, opened when it is first needed."""
        name = graph if columns is None else f"shortlist_{graph}"
        if name not in self._sessions:
            self._sessions[name] = self._open(name)
        return self._sessions[name]

    @cached_property
    def _columns_session(self) -> onnxruntime.InferenceSession:
        return self._open("shortlist_columns")

    def _open(self, graph: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # operations are too small to be divided
        options.log_severity_level = 3  # errors only
        path = self.directory / f"{graph}.onnx"
        try:
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's have no other base
            raise ValueError(f"{path}: ONNX Runtime cannot open it: {error}") from None
