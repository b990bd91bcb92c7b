"""What a search carries from token to token, how finished rows leave it, and what it found: search/loop.py in NumPy."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nmt.numpy_search.history import History, Rows
from nmt.numpy_search.rules import Rules
from nmt.numpy_search.step import Arrays
from nmt.search.definitions import CROWDED, IMPOSSIBLE, Hypotheses
from nmt.text.tokenizer import BOS

# Hypotheses that have ended. One of rank -inf is not there; the others are compared by it. `score` and
# `log_probability` are the model's own. The step that read `slot` of the beam wrote EOS as the `length`-th token.
ENDED = np.dtype(
    [("rank", "f4"), ("score", "f4"), ("log_probability", "f4"), ("length", "i4"), ("slot", "i4")], align=True
)


_WIDE = 1024  # columns: of more than these, the best are picked before they are sorted


class Beam(NamedTuple):
    """Hypotheses of each source row. One with rank -inf is not there. Fields that no option needs are None."""

    rank: np.ndarray  # float32 [batch, size], what they are compared by
    log_probability: np.ndarray  # float32 [batch, size]
    written: np.ndarray | None  # int32 [batch, size, time]
    coverage: np.ndarray | None  # float32 [batch, size, source_time], attention weights so far, summed over the steps
    missing: np.ndarray | None  # int32 [batch, size, symbols], how often each required symbol is still to be written

    def of_rows(self, rows: np.ndarray) -> Beam:
        """Those of `rows` int [some] of the batch."""
        return Beam(*(field if field is None else field[rows] for field in self))  # type: ignore[arg-type]


class Progress(NamedTuple):
    """What a step changes."""

    time: int  # tokens written so far
    rows: Rows  # which rows of the first batch are left; below, batch is these only
    tokens: np.ndarray  # int32 [batch, size], the last ones
    state: Arrays
    alive: Beam
    ended: np.ndarray  # ENDED [batch, n_best], best first
    num_ended: np.ndarray  # int [batch], all that ever ended


class Candidates(NamedTuple):
    """Continued hypotheses of each row: [batch, k] each, best first."""

    rank: np.ndarray  # float32
    log_probability: np.ndarray  # float32
    token: np.ndarray  # int32, the last one
    slot: np.ndarray  # int, of the beam before it

    def first(self, count: int) -> Candidates:
        return Candidates(*(field[:, :count] for field in self))

    def but(self, some: np.ndarray) -> Candidates:
        """With `some` bool [batch, k] of them impossible, and therefore last."""
        rank = np.where(some, np.float32(IMPOSSIBLE), self.rank)
        order = some.argsort(axis=1, kind="stable") + starts(*some.shape)
        return Candidates(*(field.take(order) for field in self._replace(rank=rank)))


def start_search(state: Arrays, rules: Rules, *, size: int) -> Progress:
    """`size` empty hypotheses for each row, all of them alive."""
    batch, source_time, options = len(rules.maximum), rules.source_mask.shape[2], rules.options
    nothing = np.zeros([batch, size], np.float32)
    repetitions = options.no_repeat_ngram or options.repetition_penalty
    ended = np.zeros([batch, options.n_best], ENDED)
    for name in ("rank", "score", "log_probability"):
        ended[name] = IMPOSSIBLE
    return Progress(
        time=0,
        rows=slice(None),
        tokens=np.full([batch, size], BOS, np.int32),
        state=state,
        alive=Beam(
            rank=nothing,
            log_probability=nothing,
            written=np.zeros([batch, size, 0], np.int32) if repetitions else None,
            coverage=np.zeros([batch, size, source_time], np.float32) if options.coverage_penalty else None,
            missing=None if rules.required is None else rules.required[:, np.newaxis].repeat(size, axis=1),
        ),
        ended=ended,
        num_ended=np.zeros(batch, np.intp),
    )


def leave(progress: Progress, memory: Arrays, rules: Rules, found: np.ndarray) -> tuple[Progress, Arrays, Rules]:
    """Without the rows that are done, once they are many; what these found is written to `found`, ENDED [batch, n]."""
    if progress.alive.rank.min() > IMPOSSIBLE:  # most steps
        return progress, memory, rules
    going = (progress.alive.rank > IMPOSSIBLE).any(axis=1)
    batch, size = progress.tokens.shape
    if np.count_nonzero(going) > CROWDED * batch:
        return progress, memory, rules
    found[progress.rows] = progress.ended
    keep = np.flatnonzero(going)
    slots = (keep[:, np.newaxis] * size + np.arange(size)).ravel()
    left = Progress(
        time=progress.time,
        rows=np.arange(len(found))[progress.rows][keep],
        tokens=progress.tokens[keep],
        state=tuple(part.take(slots, axis=0) for part in progress.state),
        alive=progress.alive.of_rows(keep),
        ended=progress.ended[keep],
        num_ended=progress.num_ended[keep],
    )
    return left, tuple(part.take(keep, axis=0) for part in memory), rules.of_rows(keep)


def with_token(written: np.ndarray | None, tokens: np.ndarray, parents: np.ndarray) -> np.ndarray | None:
    if written is None:
        return None
    return np.concatenate([take(written, parents), tokens[:, :, np.newaxis]], axis=2)


def take(field: np.ndarray, hypotheses: np.ndarray) -> np.ndarray:
    """Those of a field [batch, size, width] at `hypotheses` int [batch x new size] of all of them."""
    batch, size, width = field.shape
    taken = field.reshape(batch * size, width).take(hypotheses, axis=0)
    return taken.reshape(batch, len(hypotheses) // max(batch, 1), width)


def hypotheses(found: np.ndarray, history: History) -> Hypotheses:
    tokens, weights = history.read(found["length"], found["slot"])
    return Hypotheses(tokens, found["score"], found["log_probability"], found["length"], weights)


def top_k(values: np.ndarray, k: int) -> np.ndarray:
    """Where the k largest of each row stand, best first, of equals the first; fewer where there are fewer."""
    negative = -values
    if values.shape[1] <= max(k, _WIDE):
        return negative.argsort(axis=1, kind="stable")[:, :k]
    some = np.sort(negative.argpartition(k - 1, axis=1)[:, :k], axis=1)
    return np.take_along_axis(some, np.take_along_axis(negative, some, axis=1).argsort(axis=1, kind="stable"), axis=1)


@lru_cache
def starts(rows: int, columns: int) -> np.ndarray:
    """Where the rows of a table start: int [rows, 1]."""
    return np.arange(rows)[:, np.newaxis] * columns
