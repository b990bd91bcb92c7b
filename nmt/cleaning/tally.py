"""What cleaning did to pairs, as counts and examples that can be added up in any grouping. Imports no TensorFlow."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from nmt.cleaning.keys import key

EXAMPLES = 5  # of each rule
# Edges of the classes of lengths, in characters, and of ratios, in doublings.
LENGTHS = (0, 10, 20, 40, 80, 160, 320, 640)
RATIOS = (-2.0, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0)


class Place(NamedTuple):
    """Where a pair stands: a corpus of data.train and a line of it, both counted from 0 and from 1."""

    corpus: int
    line: int


class Verdict(NamedTuple):
    """A pair as it came, as it is written, and the rule that removes it, "" for none."""

    place: Place
    came: tuple[str, str]
    written: tuple[str, str]
    rule: str


class Example(NamedTuple):
    """A removed pair. The examples with the smallest hashes are shown, wherever they were found."""

    hash: int
    place: Place
    source: str
    target: str


@dataclass
class Tally:
    """Counts of pairs. `+` adds two up; the sum does not depend on their order or grouping."""

    pairs: int = 0
    kept: int = 0
    edited: int = 0  # kept pairs that normalization changed
    removed: Counter[str] = field(default_factory=Counter)  # by the name of the rule
    lengths: Counter[tuple[bool, int]] = field(default_factory=Counter)  # (whether kept, class of the source's length)
    ratios: Counter[tuple[bool, int]] = field(default_factory=Counter)  # (whether kept, class of target : source)
    characters: Counter[bool] = field(default_factory=Counter)  # of both sides; whether kept
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        names = self.examples.keys() | other.examples.keys()
        return Tally(
            self.pairs + other.pairs,
            self.kept + other.kept,
            self.edited + other.edited,
            self.removed + other.removed,
            self.lengths + other.lengths,
            self.ratios + other.ratios,
            self.characters + other.characters,
            {name: _first(self.examples.get(name, []) + other.examples.get(name, [])) for name in sorted(names)},
        )


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """The counts of these pairs."""
    counts = Tally()
    examples: dict[str, list[Example]] = {}
    for place, came, (source, target), rule in verdicts:
        kept = not rule
        counts.pairs += 1
        counts.kept += kept
        counts.edited += kept and came != (source, target)
        counts.characters[kept] += len(source) + len(target)
        counts.lengths[kept, bisect_right(LENGTHS, len(source))] += 1
        if source and target:
            counts.ratios[kept, bisect_right(RATIOS, math.log2(len(target) / len(source)))] += 1
        if rule:
            counts.removed[rule] += 1
            examples.setdefault(rule, []).append(Example(key(source, target), place, source, target))
    counts.examples = {name: _first(found) for name, found in sorted(examples.items())}
    return counts


def _first(examples: list[Example]) -> list[Example]:
    """Those with the smallest hashes, of equal ones the first."""
    different: dict[int, Example] = {}
    for example in sorted(examples):
        different.setdefault(example.hash, example)
        if len(different) == EXAMPLES:
            break
    return list(different.values())
