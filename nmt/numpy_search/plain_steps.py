"""What a beam search asks of a model that can make many steps at once, as long as they are plain ones.

A step is plain if no rule but its length says how a hypothesis may go on, and nothing is counted on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nmt.numpy_search.loop import Candidates
from nmt.numpy_search.rules import Rules
from nmt.numpy_search.step import Arrays


class Start(NamedTuple):
    """Where plain steps begin, and the limits that they keep to.

    tokens: int32 [batch, beam], the last ones.
    rank: float32 [batch, beam], what the hypotheses rank; -inf of one that is not there.
    parents: int [batch * beam], the row of `state` of each hypothesis.
    state: arrays [rows, ...], what a step changes.
    memory: arrays [batch, ...], what a step only reads.
    first_length: tokens of a hypothesis after the first step.
    minimum, maximum: int32 [batch], the fewest and the most tokens of each row; the most are no fewer.
    least: float32 [batch], what a score has to exceed for a row to go on.
    largest_penalty: float32 [batch], what ranks are divided by for that.
    first_free: of the first ids, those from this one on may be written, and EOS.
    """

    tokens: np.ndarray
    rank: np.ndarray
    parents: np.ndarray
    state: Arrays
    memory: Arrays
    first_length: int
    minimum: np.ndarray
    maximum: np.ndarray
    least: np.ndarray
    largest_penalty: np.ndarray
    first_free: int


class Found(NamedTuple):
    """What plain steps found. Of all but the last, the first candidates of each row go on, as many as the beam has.

    candidates: [steps, batch, 2 * beam] each.
    weights: float32 [steps, batch * beam, source_time], what each hypothesis read.
    state: arrays [batch * beam, ...], which the last step's candidates continue.
    """

    candidates: Candidates
    weights: np.ndarray
    state: Arrays


# Makes one or more steps, up to the first in which a candidate has ended or a row can no longer exceed `least`.
PlainSteps = Callable[[Start], Found]


def is_plain(time: int, rules: Rules) -> bool:
    """Whether steps after `time` tokens are plain ones."""
    options = rules.options
    counts = options.coverage_penalty or options.no_repeat_ngram or options.repetition_penalty
    return not counts and rules.required is None and time >= rules.prefix.shape[1]
