"""A chunk of pairs -> token ids, as one epoch sees them: a pure function of pairs, settings and a generator's state.

Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from nmt.config.settings import Config
from nmt.data.mixing import Pair
from nmt.data.report import DataReport
from nmt.text.augmentation import augmented, concatenate
from nmt.text.protection import Protection
from nmt.text.tokenizer import Tokenizer, Tokenizers


class Ids(NamedTuple):
    """Piece ids of both sides, pair by pair, without BOS and EOS."""

    sources: list[list[int]]
    targets: list[list[int]]


def tokenized(
    chunk: Sequence[Pair], config: Config, tokenizers: Tokenizers, *, random: np.random.Generator, report: DataReport
) -> Ids:
    """Ids of the pairs that can be trained on, augmented and with their tags; `report` counts these and the others."""
    encode = partial(_encoded, config=config, tokenizers=tokenizers, random=random)
    lines = [(pair.source, pair.target) for pair in chunk]
    encoded = encode(lines)
    longest = config.data.max_length
    tags = [tokenizers.source.tag_ids(corpus.tag) for corpus in config.data.train]
    of_pairs = [tags[pair.corpus] for pair in chunk]
    concatenated = _concatenated(lines, encoded, of_pairs, config, random) if config.data.concatenation else {}
    for place, ids in zip(concatenated, encode(list(concatenated.values())), strict=True):
        if max(map(len, ids)) <= longest:
            encoded[place] = ids
    kept = Ids([], [])
    for pair, tag, (source, target) in zip(chunk, of_pairs, encoded, strict=True):
        counts = report.corpora[pair.corpus]
        if not source or not target:
            counts.empty += 1
        elif max(len(tag) + len(source), len(target)) > longest:
            counts.too_long += 1
        else:
            counts.pairs += 1
            counts.identical += pair.source == pair.target
            kept.sources.append([*tag, *source])
            kept.targets.append(target)
    return kept


def _encoded(
    lines: Sequence[tuple[str, str]], *, config: Config, tokenizers: Tokenizers, random: np.random.Generator
) -> list[tuple[list[int], list[int]]]:
    """Ids of both sides of each pair of lines, as one epoch sees them."""
    alpha = config.tokenizer.sampling_alpha

    def ids(tokenizer: Tokenizer, lines: list[str]) -> list[list[int]]:
        if not alpha:
            return tokenizer.encode(lines)
        return tokenizer.sample(lines, alpha=alpha, seed=int(random.integers(2**32)))

    pairs = augmented(lines, config.data, Protection.of(config, tokenizers), random)
    sides = ([source for source, _ in pairs], [target for _, target in pairs])
    return list(zip(*(ids(tokenizer, side) for tokenizer, side in zip(tokenizers, sides, strict=True)), strict=True))


def _concatenated(
    lines: Sequence[tuple[str, str]],
    encoded: Sequence[tuple[list[int], list[int]]],
    tags: Sequence[list[int]],
    config: Config,
    random: np.random.Generator,
) -> dict[int, tuple[str, str]]:
    """The pairs drawn to be followed by another pair of the chunk, by position, where both together are short enough.

    Pairs at random serve as well as neighbours (Nguyen, Murray & Chiang 2021).
    """
    drawn = np.flatnonzero(random.random(len(lines)) < config.data.concatenation).tolist()
    others = random.integers(len(lines), size=len(drawn)).tolist()

    def fit(place: int, other: int) -> bool:
        """Both pairs have one tag and no empty side, and both sides of the two are within data.max_length together."""
        lengths = [(len(first), len(second)) for first, second in zip(encoded[place], encoded[other], strict=True)]
        short = all(first and second and first + second <= config.data.max_length for first, second in lengths)
        return short and tags[place] == tags[other]

    chosen = zip(drawn, others, strict=True)
    return {place: concatenate(lines[place], lines[other]) for place, other in chosen if fit(place, other)}
