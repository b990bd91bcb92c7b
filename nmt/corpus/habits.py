"""How the lines of a training corpus are written, which decides how other lines are put to its model.

Imports no TensorFlow.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from nmt.config.settings import Config
from nmt.text.capitals import Capitals
from nmt.text.files import count_pairs, evenly, read_side
from nmt.text.protection import Protection
from nmt.text.sentences import SentenceSplitter

_LINES = 10_000  # of each corpus: a share is known to a percent then
_FEW = 0.1


class Habits(NamedTuple):
    """Shares of the source lines, 0 to 1."""

    several_sentences: float  # have more than one
    in_capitals: float

    @property
    def single_sentences(self) -> bool:
        """Whether a line is a sentence, so that of several on a line the model would lose some."""
        return self.several_sentences < _FEW

    @property
    def normal_case(self) -> bool:
        """Whether capitals are rare, so that the model hardly knows them."""
        return self.in_capitals < _FEW

    def as_json(self) -> str:
        return json.dumps(self._asdict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Habits:
        """Reads what `as_json` wrote.

        Raises:
            ValueError: where it is something else.
        """
        try:
            return cls(**{name: float(share) for name, share in json.loads(text).items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"no shares of lines that nmt wrote ({error})") from None


def measure_habits(config: Config) -> Habits:
    """Of a job's training corpora, each weighing as much as in training.

    Raises:
        ValueError: if a file cannot be read.
    """
    splitter = SentenceSplitter(config.source_language, Protection(config.protect))
    capitals = Capitals(config.source_language, config.target_language)
    weight = several = in_capitals = 0.0
    for corpus in config.data.train:
        total = count_pairs(corpus)
        lines = [line for line in evenly(read_side(corpus, "source"), total=total, keep=_LINES) if line.strip()]
        if lines:
            share = total * corpus.weight / len(lines)
            weight += total * corpus.weight
            several += share * sum(len(list(filter(str.strip, splitter.split(line).texts))) > 1 for line in lines)
            in_capitals += share * sum(map(capitals.found, lines))
    return Habits(several / weight, in_capitals / weight) if weight else Habits(0.0, 0.0)
