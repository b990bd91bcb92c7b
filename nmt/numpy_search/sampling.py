"""Sampling in NumPy: the same samples as in search/search.py, of the same noise."""

from __future__ import annotations

import numpy as np

from nmt.config.search import SearchConfig
from nmt.numpy_search.history import History
from nmt.numpy_search.loop import Beam, Progress, hypotheses, leave, start_search, starts, top_k, with_token
from nmt.numpy_search.rules import Rules, make_rules, rank_continuations, score, write_off
from nmt.numpy_search.step import Arrays, Step
from nmt.search.definitions import IMPOSSIBLE, Hypotheses
from nmt.text.tokenizer import EOS, PAD


def sample(
    step: Step,
    state: Arrays,
    memory: Arrays,
    *,
    noise: np.ndarray,
    source_lengths: np.ndarray,
    source_time: int,
    options: SearchConfig,
    prefix: np.ndarray | None = None,
    required: np.ndarray | None = None,
    with_weights: bool = False,
) -> Hypotheses:
    """n_best independent samples of each row, best score first: those of search.search.sample.

    Args: as there, of arrays; state and memory are tuples.
    """
    rules = make_rules(source_lengths, source_time, options, prefix=prefix, required=required)
    history = History(len(source_lengths), options.n_best, rules.max_time, source_time if with_weights else None)
    size = options.n_best
    state = tuple(part.repeat(size, axis=0) for part in state)
    progress = start_search(state, rules, size=size)
    found = progress.ended.copy()
    while len(progress.tokens):
        progress = advance_samples(step, noise, progress, memory, rules, history)
        progress, memory, rules = leave(progress, memory, rules, found)
    best = top_k(found["score"], size)
    return hypotheses(np.take_along_axis(found, best, axis=1), history)


def advance_samples(
    step: Step, noise: np.ndarray, progress: Progress, memory: Arrays, rules: Rules, history: History
) -> Progress:
    """One more token for every sample that has not ended."""
    time, alive = progress.time, progress.alive
    batch, size = alive.rank.shape
    scores, state, weights = step(progress.tokens, progress.state, memory, None)
    continuations = rank_continuations(
        scores, np.zeros_like(alive.rank), written=alive.written, missing=alive.missing, time=time, rules=rules
    )
    uniform = noise[progress.rows, :, time].reshape(-1)
    place = _draw(continuations.ranks, uniform, rules.options) + starts(*continuations.ranks.shape)[:, 0]
    going = alive.rank > IMPOSSIBLE
    tokens = np.where(going, continuations.tokens.take(place).reshape(batch, size), PAD)
    own = continuations.scores.take(place).reshape(batch, size)
    log_probability = np.where(going, alive.log_probability + own, alive.log_probability)
    weights = None if weights is None else weights.reshape(batch, size, -1)
    coverage = None if alive.coverage is None else alive.coverage + weights
    slots = np.broadcast_to(np.arange(size), tokens.shape)
    ends = going & (tokens == EOS)
    ended = progress.ended.copy()
    final = score(log_probability, length=time + 1, coverage=coverage, rules=rules)
    ended["score"][ends], ended["log_probability"][ends] = final[ends], log_probability[ends]
    ended["length"][ends], ended["slot"][ends] = time + 1, slots[ends]
    history.write(time, progress.rows, tokens, slots, weights)
    return progress._replace(
        time=time + 1,
        tokens=tokens,
        state=state,
        alive=Beam(
            rank=np.where(ends, np.float32(IMPOSSIBLE), alive.rank),
            log_probability=log_probability,
            written=with_token(alive.written, tokens, np.arange(batch * size)),
            coverage=coverage,
            missing=None if alive.missing is None else write_off(alive.missing, tokens),
        ),
        ended=ended,
    )


def _draw(ranks: np.ndarray, uniform: np.ndarray, options: SearchConfig) -> np.ndarray:
    """Draws places int [rows] from softmax(`ranks` float32 [rows, columns]) at the numbers `uniform` float32 [rows]."""
    logits, ids = ranks / np.float32(options.temperature), None
    if options.top_k or options.top_p < 1.0:
        ids = top_k(logits, options.top_k or logits.shape[1])
        logits = np.take_along_axis(logits, ids, axis=1)
    likelihood = np.exp(logits - logits.max(axis=1, keepdims=True))
    cumulative = np.cumsum(likelihood / likelihood.sum(axis=1, keepdims=True), axis=1)  # [rows, kept]
    mass = cumulative[:, -1:]  # [rows, 1]
    if options.top_p < 1.0:
        mass = np.where(cumulative >= options.top_p, cumulative, mass).min(axis=1, keepdims=True)
    drawn = np.count_nonzero(cumulative <= uniform[:, np.newaxis] * mass, axis=1)
    return drawn if ids is None else np.take_along_axis(ids, drawn[:, np.newaxis], axis=1)[:, 0]
