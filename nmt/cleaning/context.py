"""What rules know of a job beside a pair: settings, languages, usual lengths, held-out lines. Imports no TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from nmt.cleaning.keys import keys_of
from nmt.config.cleaning import CleaningConfig
from nmt.config.settings import Config
from nmt.corpus.statistics import log_ratio, script
from nmt.text.files import read_pairs
from nmt.text.target_text import normalized


class Context(NamedTuple):
    """It can be sent to other processes; the same context and pair give the same verdict anywhere."""

    settings: CleaningConfig
    languages: tuple[str, str]
    scripts: tuple[str, str]  # of most lines of each side, "" where there are no letters
    usual_ratio: float  # the median of `log_ratio`
    held_out: tuple[frozenset[int], frozenset[int]]  # keys of the sources, of the targets


def context_of(config: Config, sample: Sequence[tuple[str, str]]) -> Context:
    """A job's context.

    Args:
        sample: pairs of its training corpora, which show the usual lengths and scripts.

    Raises:
        ValueError: for validation and test sets that cannot be read.
    """
    lengths = [(len(source), len(target)) for source, target in sample] or [(1, 1)]
    sides = [tuple(side) for side in zip(*sample, strict=True)] or [(), ()]
    return Context(
        settings=config.cleaning,
        languages=(config.source_language, config.target_language),
        scripts=(_usual_script(sides[0]), _usual_script(sides[1])),
        usual_ratio=float(np.median(log_ratio(*np.transpose(lengths)))),
        held_out=_held_out_keys(config) if config.cleaning.held_out else (frozenset(), frozenset()),
    )


def edited(source: str, target: str, settings: CleaningConfig) -> tuple[str, str]:
    """A pair as it is written."""
    return (normalized(source), normalized(target)) if settings.normalize else (source, target)


def _usual_script(lines: Iterable[str]) -> str:
    scripts = Counter(filter(None, map(script, lines)))
    return scripts.most_common(1)[0][0] if scripts else ""


def _held_out_keys(config: Config) -> tuple[frozenset[int], frozenset[int]]:
    keys = [keys_of(*edited(*pair, config.cleaning)) for pair in _held_out_pairs(config)]
    return frozenset(each.source for each in keys), frozenset(each.target for each in keys)


def _held_out_pairs(config: Config) -> Iterator[tuple[str, str]]:
    return chain.from_iterable(map(read_pairs, [config.data.validation, *config.data.test.values()]))
