"""Beam search in NumPy; it knows no model and no text, and finds what search/search.py finds.

The model enters as a `Step`. A row's result depends on that row alone: its limits come from its own source length, and
once it is done nothing can change it.
"""

from __future__ import annotations

import numpy as np

from nmt.config.search import SearchConfig
from nmt.numpy_search.history import History
from nmt.numpy_search.loop import (
    ENDED,
    Beam,
    Candidates,
    Progress,
    hypotheses,
    leave,
    start_search,
    starts,
    take,
    top_k,
    with_token,
)
from nmt.numpy_search.plain_steps import PlainSteps, Start, is_plain
from nmt.numpy_search.rules import Continuations, Rules, make_rules, num_best, rank_continuations, score, write_off
from nmt.numpy_search.step import Arrays, Step
from nmt.search.definitions import IMPOSSIBLE, Hypotheses
from nmt.text.tokenizer import EOS, FIRST_SYMBOL


def beam_search(
    step: Step,
    state: Arrays,
    memory: Arrays,
    *,
    source_lengths: np.ndarray,
    source_time: int,
    options: SearchConfig,
    prefix: np.ndarray | None = None,
    required: np.ndarray | None = None,
    with_weights: bool = False,
    plain_steps: PlainSteps | None = None,
) -> Hypotheses:
    """The n_best hypotheses that a beam of beam_size finds, by the rules of search.search.beam_search.

    Args: as there, of arrays; state and memory are tuples. Where there are plain_steps, they find what `step` finds.
    """
    rules = make_rules(source_lengths, source_time, options, prefix=prefix, required=required)
    history = History(len(source_lengths), options.beam_size, rules.max_time, source_time if with_weights else None)
    progress = start_search(state, rules, size=1)
    found = progress.ended.copy()
    while len(progress.tokens):
        if plain_steps is not None and is_plain(progress.time, rules):
            progress = advance_far(plain_steps, progress, memory, rules, history)
        else:
            progress = advance_beam(step, progress, memory, rules, history)
        progress, memory, rules = leave(progress, memory, rules, found)
    return hypotheses(found, history)


def advance_beam(step: Step, progress: Progress, memory: Arrays, rules: Rules, history: History) -> Progress:
    """Every alive hypothesis by one token, after which there are up to beam_size of each row."""
    time, alive, options = progress.time, progress.alive, rules.options
    scores, state, weights = step(progress.tokens, progress.state, memory, num_best(2 * options.beam_size, time, rules))
    best = _best_continuations(
        rank_continuations(scores, alive.rank, written=alive.written, missing=alive.missing, time=time, rules=rules),
        alive,
        options,
    )
    return _settle(progress, best, state, weights, rules, history)


def advance_far(
    plain_steps: PlainSteps, progress: Progress, memory: Arrays, rules: Rules, history: History
) -> Progress:
    """The same, by plain steps up to the first in which a hypothesis may have ended."""
    time, rank, tokens = progress.time, progress.alive.rank, progress.tokens
    (batch, size), beam = rank.shape, rules.options.beam_size
    parents = np.arange(batch * size)
    if size < beam:  # the first step: hypotheses that are not there fill up
        parents = parents.repeat(beam)
        rank = np.pad(rank, [(0, 0), (0, beam - size)], constant_values=IMPOSSIBLE)
        tokens = tokens.repeat(beam, axis=1)
    found = plain_steps(
        Start(
            *(tokens, rank, parents, progress.state, memory),
            first_length=time + 1,
            minimum=np.minimum(rules.minimum, rules.maximum),
            maximum=rules.maximum,
            least=progress.ended["rank"][:, -1],
            largest_penalty=rules.largest_penalty,
            first_free=FIRST_SYMBOL + rules.num_symbols,
        )
    )
    last = len(found.weights) - 1
    if last:
        _, _, token, slot = (field[:last, :, :beam] for field in found.candidates)
        weights = found.weights[:last].reshape(last, batch, beam, -1)
        history.write(slice(time, time + last), progress.rows, token, slot, weights)
    best = Candidates(*(field[last] for field in found.candidates))
    return _settle(progress._replace(time=time + last), best, found.state, found.weights[last], rules, history)


def _settle(
    progress: Progress,
    best: Candidates,
    state: Arrays,
    weights: np.ndarray | None,
    rules: Rules,
    history: History,
) -> Progress:
    """What is left of a step's candidates: those that ended are put aside, the best others go on.

    Args: state, weights: arrays [batch * size, ...] after the step.
    """
    time, alive, options = progress.time, progress.alive, rules.options
    batch = len(best.rank)
    size = len(state[0]) // batch
    weights = None if weights is None else weights.reshape(batch, size, -1)
    coverage = None if alive.coverage is None else alive.coverage + weights
    is_end = best.token == EOS
    ended, num_ended, survivors = progress.ended, progress.num_ended, best.first(options.beam_size)
    if is_end.any():
        ends = is_end[:, : options.beam_size] & (survivors.rank > IMPOSSIBLE)
        num_ended = num_ended + np.count_nonzero(ends, axis=1)
        ended = _with_ended(ended, survivors, ends, coverage, time + 1, rules)
        survivors = best.but(is_end).first(options.beam_size)
    rank = survivors.rank
    if num_ended.any():
        # A log-probability only falls and coverage adds at most 0, so no alive hypothesis can end above this.
        reachable = rank[:, 0] / rules.largest_penalty  # [batch]
        done = (num_ended >= options.beam_size) | (ended["rank"][:, -1] >= reachable)
        rank = np.where(done[:, np.newaxis], np.float32(IMPOSSIBLE), rank)
    parents = (survivors.slot + starts(batch, size)).ravel()
    history.write(time, progress.rows, survivors.token, survivors.slot, weights)
    return progress._replace(
        time=time + 1,
        tokens=survivors.token,
        state=tuple(part.take(parents, axis=0) for part in state),
        alive=Beam(
            rank=rank,
            log_probability=survivors.log_probability,
            written=with_token(alive.written, survivors.token, parents),
            coverage=None if coverage is None else take(coverage, parents),
            missing=None if alive.missing is None else write_off(take(alive.missing, parents), survivors.token),
        ),
        ended=ended,
        num_ended=num_ended,
    )


def _best_continuations(continuations: Continuations, alive: Beam, options: SearchConfig) -> Candidates:
    """The 2 x beam_size best hypotheses of one more token of each row, fewer where there are fewer."""
    (batch, size), columns = alive.rank.shape, continuations.ranks.shape[1]
    ranks = continuations.ranks.reshape(batch, size * columns)
    best = top_k(ranks, 2 * options.beam_size)
    slots, place = best // columns, best + starts(batch, size * columns)
    rank = log_probability = ranks.take(place)
    if options.repetition_penalty:
        so_far = alive.log_probability.take(slots + starts(batch, size))
        log_probability = so_far + continuations.scores.take(place)
    return Candidates(rank, log_probability, continuations.tokens.take(place), slots)


def _with_ended(
    ended: np.ndarray, best: Candidates, ends: np.ndarray, coverage: np.ndarray | None, length: int, rules: Rules
) -> np.ndarray:
    """The best of those that had ended, and of those among `best` that end with this token."""
    if coverage is not None:
        coverage = np.take_along_axis(coverage, best.slot[:, :, np.newaxis], axis=1)
    new = np.empty(ends.shape, ENDED)
    final = score(best.rank, length=length, coverage=coverage, rules=rules)
    new["rank"] = np.where(ends, final, IMPOSSIBLE)
    new["score"] = final
    if rules.options.repetition_penalty:
        new["score"] = score(best.log_probability, length=length, coverage=coverage, rules=rules)
    new["log_probability"], new["length"], new["slot"] = best.log_probability, length, best.slot
    pool = np.concatenate([ended, new], axis=1)
    # Of equals the first wins: an older one stays, and one that is not there never gets tokens.
    return pool.take(top_k(pool["rank"], ended.shape[1]) + starts(*pool.shape))
