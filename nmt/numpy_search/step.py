"""What a search in NumPy asks of a model: one step for all hypotheses of a batch."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

Arrays = tuple[np.ndarray, ...]


class StepScores(NamedTuple):
    """Log-probabilities of the next token; what is not in it is less likely than the last of `best`.

    first: float32 [rows, first_ids], of the tokens of the first ids (PAD, UNK, BOS, EOS and the symbols): rules are
        about these. first_ids is a property of the model.
    tokens: int32 [rows, num_best], the most likely of the other tokens, best first.
    best: float32 [rows, num_best], theirs.

    Where all scores are asked for, first is [rows, vocabulary], and there are no others: num_best is 0.
    """

    first: np.ndarray
    tokens: np.ndarray
    best: np.ndarray


class Step(Protocol):
    """A decoder's step. rows = batch x size, size-minor, of `size` hypotheses of each source."""

    def __call__(
        self, tokens: np.ndarray, state: Arrays, memory: Arrays, num_best: int | None
    ) -> tuple[StepScores, Arrays, np.ndarray | None]:
        """Adds one token to each hypothesis.

        Args:
            tokens: int32 [batch, size], the last ones; BOS at first.
            state: arrays [rows, ...], what a step changes.
            memory: arrays [batch, ...], what a step only reads.
            num_best: how many tokens to rank, fewer where there are fewer; None = scores of all.

        Returns: scores; the new state; attention weights float32 [rows, source_time], None where nobody asked for them.
        """
        ...
