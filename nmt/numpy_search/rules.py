"""What a search may write next, and what a hypothesis is worth: search/rules.py in NumPy.

A rule that says nothing at a step costs nothing there: most steps are one addition.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nmt.config.search import SearchConfig
from nmt.numpy_search.step import StepScores
from nmt.search.definitions import IMPOSSIBLE, LEAST_COVERAGE, length_penalty
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD


class Rules(NamedTuple):
    """What the options mean for each source row of a batch. Lengths count EOS."""

    options: SearchConfig
    minimum: np.ndarray  # int32 [batch]
    maximum: np.ndarray  # int32 [batch]
    free_from: int  # from so many tokens on, any row may end ...
    free_until: int  # ... and below so many, any row may go on
    largest_penalty: np.ndarray  # float32 [batch], length_penalty of the maximum
    max_time: int  # the largest maximum
    prefix: np.ndarray  # int32 [batch, prefix_time], padded with PAD
    num_symbols: int  # so many ids from FIRST_SYMBOL on are written only where `required` says so
    required: np.ndarray | None  # int32 [batch, symbols]; None = none of them
    source_mask: np.ndarray  # bool [batch, 1, source_time], True = real

    def of_rows(self, rows: np.ndarray) -> Rules:
        """The rules of `rows` int [some] of the batch."""
        fields = ("minimum", "maximum", "largest_penalty", "prefix", "source_mask")
        taken = self._replace(**{name: getattr(self, name)[rows] for name in fields})
        return taken._replace(free_from=_free_from(taken.minimum), free_until=_free_until(taken.maximum))


def length_limits(
    source_lengths: np.ndarray,
    options: SearchConfig,
    *,
    prefix: np.ndarray | None = None,
    required: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The fewest and the most tokens that a translation of each source may have: search.rules.length_limits."""
    lengths = source_lengths.astype(np.float32)
    minimum = np.floor(np.float32(options.min_length_ratio) * lengths).astype(np.int32)
    maximum = np.ceil(np.float32(options.max_length_ratio) * lengths).astype(np.int32) + options.max_length_extra
    maximum = np.where(source_lengths > 0, maximum, 0)
    needed = np.ones_like(maximum)
    if prefix is not None:
        needed = needed + np.count_nonzero(prefix != PAD, axis=1)
    if required is not None:
        given = 0 if prefix is None else count_symbols(prefix, required.shape[1])
        needed = needed + np.maximum(required - given, 0).sum(axis=1)
    return minimum, np.maximum(maximum, needed).astype(np.int32)


def count_symbols(tokens: np.ndarray, num_symbols: int) -> np.ndarray:
    """How often each symbol stands in `tokens` int32 [rows, time]: int [rows, symbols]."""
    symbols = np.arange(FIRST_SYMBOL, FIRST_SYMBOL + num_symbols)
    return np.count_nonzero(tokens[:, :, np.newaxis] == symbols, axis=1)


def make_rules(
    source_lengths: np.ndarray,
    source_time: int,
    options: SearchConfig,
    *,
    prefix: np.ndarray | None,
    required: np.ndarray | None,
) -> Rules:
    """The rules of a batch; arguments as in search.beam_search."""
    minimum, maximum = length_limits(source_lengths, options, prefix=prefix, required=required)
    if prefix is None:
        prefix = np.zeros([len(minimum), 0], np.int32)
    return Rules(
        options=options,
        minimum=minimum,
        maximum=maximum,
        free_from=_free_from(minimum),
        free_until=_free_until(maximum),
        largest_penalty=length_penalty(maximum.astype(np.float32), options),
        max_time=int(maximum.max(initial=1)),
        prefix=prefix[:, (prefix != PAD).any(axis=0)],
        num_symbols=0 if required is None else required.shape[1],
        required=required if required is not None and required.any() else None,
        source_mask=(np.arange(source_time) < source_lengths[:, np.newaxis])[:, np.newaxis],
    )


def _free_from(minimum: np.ndarray) -> int:
    return int(minimum.max(initial=0))


def _free_until(maximum: np.ndarray) -> int:
    return int(maximum.min(initial=np.iinfo(np.int32).max))


def num_best(wanted: int, time: int, rules: Rules) -> int | None:
    """How many tokens a step has to rank so that the best `wanted` that may be written are among them; None = all."""
    if time < rules.prefix.shape[1]:
        return None
    repetitions = rules.options.no_repeat_ngram or rules.options.repetition_penalty
    return wanted + time if repetitions else wanted  # it changes what some of the `time` tokens so far rank


class Continuations(NamedTuple):
    """What each hypothesis can be continued with.

    tokens: int32 [rows, columns].
    scores: float32 [rows, columns], their log-probabilities.
    ranks: float32 [rows, columns], what the hypotheses rank with them; -inf where one may not be written.
    """

    tokens: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray


def rank_continuations(
    scores: StepScores,
    so_far: np.ndarray,
    *,
    written: np.ndarray | None,
    missing: np.ndarray | None,
    time: int,
    rules: Rules,
) -> Continuations:
    """What every hypothesis would rank with the tokens that a step gives.

    Args:
        so_far: float32 [batch, size], what the hypotheses have without them.
        written: int32 [batch, size, time], their tokens, where the options forbid or punish repetitions.
        missing: int32 [batch, size, symbols], what is required and not yet written; None where nothing is.
    """
    forced = rules.prefix[:, time, np.newaxis] if time < rules.prefix.shape[1] else None  # [batch, 1], PAD = free
    size = so_far.shape[1]
    by_row = None if forced is None else forced.repeat(size, axis=0)  # [rows, 1]
    num_symbols = 0 if missing is None else rules.num_symbols
    tokens, own = _columns(scores, by_row, num_symbols, rules.num_symbols)
    less = own
    if written is not None:
        less = _columns(_without_repetitions(scores, written, by_row, rules), by_row, num_symbols, rules.num_symbols)[1]
    ranks = less + so_far.reshape(-1, 1)
    if missing is not None or forced is not None or not rules.free_from <= time + 1 < rules.free_until:
        _forbid(ranks.reshape(*so_far.shape, -1), forced, missing, time=time, rules=rules)
    return Continuations(tokens, own, ranks)


@lru_cache
def _first_ids(rows: int, end: int, start: int, width: int) -> np.ndarray:
    """EOS to `end`, and `start` to `width`, in each row: int32 [rows, ids]."""
    return np.tile(np.concatenate([np.arange(EOS, end), np.arange(start, width)]).astype(np.int32), [rows, 1])


def _columns(
    scores: StepScores, forced: np.ndarray | None, num_symbols: int, num_reserved: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and scores of a forced one if there are any, EOS, `num_symbols` symbols, and the others."""
    first, end, start = scores.first, FIRST_SYMBOL + num_symbols, FIRST_SYMBOL + num_reserved
    ids = _first_ids(len(first), end, start, first.shape[1])
    tokens, values = [ids, scores.tokens], [first[:, EOS:end], first[:, start:], scores.best]
    if forced is not None:
        tokens, values = [forced, *tokens], [np.take_along_axis(first, forced, axis=1), *values]
    return np.concatenate(tokens, axis=1), np.concatenate(values, axis=1)


def _forbid(
    ranks: np.ndarray, forced: np.ndarray | None, missing: np.ndarray | None, *, time: int, rules: Rules
) -> None:
    """Sets the ranks [batch, size, columns] of what a hypothesis may not be continued with to -inf, in place.

    One for which nothing is left may end, however short it is.
    """
    length, most = time + 1, rules.maximum[:, np.newaxis]
    owed = 0 if missing is None else missing.sum(axis=2)  # [batch, size]
    goes_on = length + owed < most  # [batch, 1 or size]; what is missing keeps its steps to the end
    may_end = ((length >= rules.minimum[:, np.newaxis]) | (length >= most)) & (owed == 0)
    free = np.ones([1, 1], bool) if forced is None else forced == PAD  # [1 or batch, 1]
    end = 0 if forced is None else 1
    others = end + 1
    of_end = ranks[:, :, end].copy()
    if forced is not None:
        _set_impossible(ranks[:, :, 0], free)
    if missing is not None:
        others += missing.shape[2]
        _set_impossible(ranks[:, :, end + 1 : others], (missing == 0) | ~free[:, :, np.newaxis])
    _set_impossible(ranks[:, :, end], ~(may_end & free))
    _set_impossible(ranks[:, :, others:], ~(goes_on & free)[:, :, np.newaxis])
    if rules.options.no_repeat_ngram and rules.options.min_length_ratio:
        stuck = (ranks.max(axis=2) == IMPOSSIBLE) & free
        np.copyto(ranks[:, :, end], of_end, where=stuck)


def _set_impossible(ranks: np.ndarray, where: np.ndarray) -> None:
    np.copyto(ranks, np.float32(IMPOSSIBLE), where=where)


def _without_repetitions(
    scores: StepScores, written: np.ndarray, forced: np.ndarray | None, rules: Rules
) -> StepScores:
    """`scores` less the penalty for each repetition, -inf where a forbidden n-gram would end."""
    written = written.reshape(len(scores.first), written.shape[2])  # [rows, time]
    if rules.options.repetition_penalty:
        scores = _changed(scores, written, -rules.options.repetition_penalty)
    if rules.options.no_repeat_ngram:
        banned = _ngram_ends(written, rules.options.no_repeat_ngram)  # [rows, positions]
        exempt = (banned >= FIRST_SYMBOL) & (banned < FIRST_SYMBOL + rules.num_symbols)
        if forced is not None:
            exempt |= forced != PAD
        scores = _changed(scores, np.where(exempt, PAD, banned), IMPOSSIBLE)
    return scores


def _changed(scores: StepScores, tokens: np.ndarray, by: float) -> StepScores:
    """`scores` with `by` added to each of `tokens` int32 [rows, n], as often as it stands there. PAD is never read."""
    first = scores.first.copy()
    of_first = np.where(tokens < first.shape[1], tokens, PAD)
    np.add.at(first, (np.arange(len(first))[:, np.newaxis], of_first), np.float32(by))
    times = np.count_nonzero(scores.tokens[:, :, np.newaxis] == tokens[:, np.newaxis], axis=2)  # [rows, num_best]
    change = np.multiply(times, by, where=times > 0, out=np.zeros(times.shape, np.float32), casting="same_kind")
    return scores._replace(first=first, best=scores.best + change)


def _ngram_ends(written: np.ndarray, size: int) -> np.ndarray:
    """The tokens that would complete an n-gram of `size` already in `written` int32 [rows, time], PAD elsewhere."""
    before, time = size - 1, written.shape[1]
    positions = max(time - before, 0)
    seen = np.ones([len(written), positions], bool)
    for offset in range(before if positions else 0):
        seen &= written[:, offset : offset + positions] == written[:, time - before + offset, np.newaxis]
    return np.where(seen, written[:, before:], PAD)


def write_off(missing: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """`missing` int32 [batch, size, symbols] once `tokens` int32 [batch, size] are written."""
    symbols = np.arange(FIRST_SYMBOL, FIRST_SYMBOL + missing.shape[2])
    return np.maximum(missing - (tokens[:, :, np.newaxis] == symbols), 0)


def score(log_probability: np.ndarray, *, length: int, coverage: np.ndarray | None, rules: Rules) -> np.ndarray:
    """Wu et al. 2016, eq. 14, of hypotheses of one length: see search/rules.py.

    Args: log_probability float32 [batch, size]; coverage float32 [batch, size, source_time], the attention weights
        summed over target positions, where there is a coverage penalty.
    """
    scores = log_probability / length_penalty(np.float32(length), rules.options)
    if coverage is not None:
        read = np.log(coverage.clip(LEAST_COVERAGE, 1.0))  # [batch, size, source_time]
        scores = scores + rules.options.coverage_penalty * np.where(rules.source_mask, read, 0.0).sum(axis=-1)
    return scores
