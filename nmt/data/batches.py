"""Pairs of lines -> batches of token ids -> tf.data, without ever holding more than a window of the corpus."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nmt.config.data import Corpus
from nmt.config.settings import Config
from nmt.text.augmentation import augmented, concatenate
from nmt.text.files import count_pairs, read_pairs
from nmt.text.protection import Protection
from nmt.text.tokenizer import BOS, EOS, PAD, Tokenizer, Tokenizers

if TYPE_CHECKING:
    import tensorflow as tf

# Batches (of 25 pieces a row) tokenized and sorted by length together: enough that neighbours have similar lengths, few
# enough that the first batch comes soon.
_CHUNK_BATCHES = 200
_PIECES_A_ROW = 25
# Limits of a chunk in pairs; its ids are Python integers, which take memory.
_CHUNK_PAIRS = (16_384, 131_072)
# Matrix products are fastest on whole vector registers.
_ROWS = 8


class Batch(NamedTuple):
    """Token ids, int32 [batch, time], padded with PAD; the mask is always `ids != PAD`."""

    source: np.ndarray  # pieces + EOS
    target_in: np.ndarray  # BOS + pieces
    target_out: np.ndarray  # pieces + EOS


@dataclass
class CorpusReport:
    """How one corpus's pairs were used in one epoch; a pair of weight 2 counts twice."""

    name: str
    pairs: int = 0  # trained on, including identical ones
    empty: int = 0  # left out: a side has no piece
    too_long: int = 0  # left out: a side has more than data.max_length pieces, as augmented
    identical: int = 0  # trained on although source == target


@dataclass
class DataReport:
    """Counts of one epoch; `batches` fills it while it runs. str() is a readable table."""

    corpora: list[CorpusReport] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [("corpus", "pairs", "empty", "too long", "identical")]
        rows += [
            (corpus.name, f"{corpus.pairs:,}", f"{corpus.empty:,}", f"{corpus.too_long:,}", f"{corpus.identical:,}")
            for corpus in self.corpora
        ]
        name_width = max(len(row[0]) for row in rows)
        return "\n".join(f"{row[0]:{name_width}}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows)


class _Pair(NamedTuple):
    corpus: int
    source: str
    target: str


def make_batch(sources: Iterable[Sequence[int]], targets: Iterable[Sequence[int]]) -> Batch:
    """Pads ids (without BOS and EOS) to a Batch of their longest."""
    targets = [list(ids) for ids in targets]
    return Batch(
        source=_pad([[*ids, EOS] for ids in sources]),
        target_in=_pad([[BOS, *ids] for ids in targets]),
        target_out=_pad([[*ids, EOS] for ids in targets]),
    )


def token_batches(lengths: Sequence[int] | Sequence[tuple[int, int]] | np.ndarray, budget: int) -> list[list[int]]:
    """Groups items of similar length so that rows x longest stays within a token budget.

    Args:
        lengths: [items] or [items, sides], in tokens (EOS included where there is one). Sorted by the last side first.
        budget: rows x longest side of a batch; one item longer than that is a batch of its own.

    Returns:
        The items' indices in groups, shortest first, each index once; rows are a multiple of 8 where there are as many.
    """
    sides = np.asarray(lengths, dtype=np.int64)  # [items] or [items, sides]
    sides = sides[:, None] if sides.ndim == 1 else sides
    order = np.lexsort(sides.T)  # [items]
    groups: list[list[int]] = []
    group: list[int] = []
    longest = 0
    for index, length in zip(order.tolist(), sides.max(axis=1, initial=0)[order].tolist(), strict=True):
        if group and (len(group) + 1) * max(longest, length) > budget:
            rows = len(group) // _ROWS * _ROWS or len(group)
            groups.append(group[:rows])
            group = group[rows:]
            longest = max((int(sides[member].max()) for member in group), default=0)
            # Beside a much longer item, even the rest of the group may exceed the budget.
            if group and (len(group) + 1) * max(longest, length) > budget:
                groups.append(group)
                group, longest = [], 0
        group.append(index)
        longest = max(longest, length)
    return [*groups, group] if group else groups


def batches(
    config: Config, tokenizers: Tokenizers, *, epoch: int, skip: int = 0, report: DataReport | None = None
) -> Iterator[Batch]:
    """Yields one epoch's batches: their content and order are a pure function of (config, corpora, epoch).

    The corpora are read line by line, mixed in proportion; each window of data.shuffle_window pairs is shuffled, and in
    chunks augmented, tokenized, sorted by length, cut into batches, and these shuffled.

    Args:
        skip: batches to leave out at the start (to resume); the others are the same as without.
        report: filled with the counts of the epoch while it runs.

    Raises:
        ValueError: if a file cannot be read, two files differ in length, or no pair is left to train on.
    """
    data = config.data
    report = report if report is not None else DataReport()
    report.corpora = [CorpusReport(corpus.file or corpus.files["source"]) for corpus in data.train]
    low, high = _CHUNK_PAIRS
    chunk_pairs = min(max(low, data.batch_tokens // _PIECES_A_ROW * _CHUNK_BATCHES), high)
    stream = _mixed(config, epoch)
    window_number = 0
    while window := list(islice(stream, data.shuffle_window)):
        random = np.random.default_rng([config.seed, epoch, window_number])
        order = random.permutation(len(window))
        for start in range(0, len(window), chunk_pairs):
            chunk = [window[index] for index in order[start : start + chunk_pairs]]
            sources, targets = _tokenized(chunk, config, tokenizers, random=random, report=report)
            lengths = [(len(source) + 1, len(target) + 1) for source, target in zip(sources, targets, strict=True)]
            groups = token_batches(lengths, data.batch_tokens)
            for number in random.permutation(len(groups)):
                if skip > 0:
                    skip -= 1
                    continue
                yield make_batch([sources[i] for i in groups[number]], [targets[i] for i in groups[number]])
        window_number += 1
    if not any(corpus.pairs for corpus in report.corpora):
        raise ValueError(f"data.train: no pair to train on:\n{report}")


def dataset(
    config: Config,
    tokenizers: Tokenizers,
    *,
    epoch: int,
    skip: int = 0,
    multiple: int = 1,
    report: DataReport | None = None,
) -> tf.data.Dataset:
    """`batches` as a tf.data.Dataset of Batch (int32 [batch, time]), prefetched for the training step.

    Args:
        skip, report: as `batches`.
        multiple: rows of PAD are added until the number of rows is a multiple of this (the number of replicas). They
            have no weight, as only `ids != PAD` counts.
    """
    import tensorflow as tf  # here, so that `nmt check` reads corpora without waiting for TensorFlow

    def generate() -> Iterator[Batch]:
        for batch in batches(config, tokenizers, epoch=epoch, skip=skip, report=report):
            missing = -len(batch.source) % multiple
            yield Batch(*(np.pad(ids, [(0, missing), (0, 0)], constant_values=PAD) for ids in batch))

    signature = Batch(*(tf.TensorSpec([None, None], tf.int32, name) for name in Batch._fields))
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(config.data.prefetch)


def _mixed(config: Config, epoch: int) -> Iterator[_Pair]:
    """All corpora's pairs, each corpus in its own order, spread evenly over the epoch."""

    def placed(number: int, corpus: Corpus) -> Iterator[tuple[float, int, _Pair]]:
        total = _weighted(count_pairs(corpus), corpus.weight)
        random = np.random.default_rng([config.seed, epoch, number])
        for position, (source, target) in enumerate(_repeated(corpus, random)):
            yield (position + 0.5) / total, number, _Pair(number, source, target)

    # Positions of one corpus differ, and so do the corpora's numbers: pairs themselves are never compared.
    for _, _, pair in heapq.merge(*(placed(number, corpus) for number, corpus in enumerate(config.data.train))):
        yield pair


def _weighted(pairs: int, weight: float) -> int:
    return round(pairs * weight)


def _repeated(corpus: Corpus, random: np.random.Generator) -> Iterator[tuple[str, str]]:
    """The pairs `weight` times: whole passes, then a random part of exactly the right size (Knuth's algorithm S)."""
    pairs = count_pairs(corpus)
    needed = _weighted(pairs, corpus.weight)
    while needed >= pairs > 0:
        yield from read_pairs(corpus)
        needed -= pairs
    if needed:
        for seen, pair in enumerate(read_pairs(corpus)):
            if random.random() * (pairs - seen) < needed:
                needed -= 1
                yield pair


def _tokenized(
    chunk: list[_Pair], config: Config, tokenizers: Tokenizers, *, random: np.random.Generator, report: DataReport
) -> tuple[list[list[int]], list[list[int]]]:
    """Ids of the pairs that can be trained on; the others are counted."""
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
    sources: list[list[int]] = []
    targets: list[list[int]] = []
    for pair, tag, (source, target) in zip(chunk, of_pairs, encoded, strict=True):
        counts = report.corpora[pair.corpus]
        if not source or not target:
            counts.empty += 1
        elif max(len(tag) + len(source), len(target)) > longest:
            counts.too_long += 1
        else:
            counts.pairs += 1
            counts.identical += pair.source == pair.target
            sources.append([*tag, *source])
            targets.append(target)
    return sources, targets


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


def _pad(rows: list[list[int]]) -> np.ndarray:
    ids = np.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=np.int32)  # [batch, time]
    for row, padded in zip(rows, ids, strict=True):
        padded[: len(row)] = row
    return ids
