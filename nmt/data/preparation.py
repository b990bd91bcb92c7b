"""Prepares the data of an epoch, in one process or in several at once that share nothing but a directory.

    epoch-00002/                 epochs differ (every-epoch/ if they do not), counted from 0
        fingerprint              what it depends on (fingerprint.py)
        shard-00000.tfrecord     pairs (shards.py) ...
        shard-00000.json         ... and what the shard holds
        manifest.json            all shards, the batches of each window, the report; written last

An epoch is cut into windows of data.shuffle_window pairs, windows into shards, shards into chunks, by counting only. So
each process knows which shards are its own, and after a kill only those that are missing are made. Imports no
TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nmt.config.settings import Config
from nmt.data.batches import batch_sizes
from nmt.data.chunk import Ids, tokenized
from nmt.data.mixing import Pair, count_mixed, mixed_pairs
from nmt.data.report import CorpusReport, DataReport
from nmt.data.shards import Shard, read_summary, shard_path, write_shard
from nmt.full_disk import naming
from nmt.text.tokenizer import Tokenizers

# Few enough for several processes to share a small corpus, enough that files are not many.
_SHARD_PAIRS = 8_192
_CHUNK_PAIRS = 1_024


class Window(NamedTuple):
    """Pairs that are shuffled and sorted together."""

    files: list[str]
    bytes: list[int]  # of each file
    records: int
    batches: list[int]  # the rows of each, shortest pairs first


class Prepared(NamedTuple):
    """Prepared data, complete."""

    directory: Path
    seed: int
    windows: list[Window]
    report: DataReport

    @property
    def num_batches(self) -> int:
        return sum(len(window.batches) for window in self.windows)


class Part(NamedTuple):
    """A shard to be made: its number, the window it belongs to, its first pair and how many it has."""

    number: int
    window: int
    first: int
    pairs: int


def num_shards(config: Config) -> int:
    """Shards of an epoch.

    Raises:
        ValueError: for corpora that cannot be read.
    """
    return sum(1 for _ in parts(config, count_mixed(config)))


def begin(directory: Path, fingerprint: str) -> None:
    """Makes a directory for prepared data; what else is in it is kept if it has the same fingerprint."""
    file = directory / "fingerprint"
    if not file.is_file() or file.read_text() != fingerprint:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        with naming(file):
            file.write_text(fingerprint)
    for unfinished in directory.glob("*.unfinished"):
        unfinished.unlink()


def prepare_shards(
    config: Config,
    tokenizers: Tokenizers,
    directory: Path,
    *,
    epoch: int,
    index: int = 0,
    count: int = 1,
    windows: int | None = None,
) -> None:
    """Makes each of an epoch's shards that is not there yet and belongs to this process.

    Args:
        index, count: this process, 0 .. count - 1, and how many there are; every count-th shard is its own.
        windows: only so many at the start.

    Raises:
        ValueError: for corpora that cannot be read.
        OSError: where there is no room.
    """
    stream = mixed_pairs(config, epoch)
    position = 0
    for part in parts(config, count_mixed(config)):
        if windows is not None and part.window >= windows:
            return
        if part.number % count != index or is_made(directory, part):
            continue
        deque(islice(stream, part.first - position), maxlen=0)  # belongs to others
        position = part.first + part.pairs
        make_shard(directory, part, stream, config, tokenizers, epoch=epoch)


def is_made(directory: Path, part: Part) -> bool:
    """Whether a shard is there and complete."""
    return read_summary(shard_path(directory, part.number)) is not None


def make_shard(
    directory: Path, part: Part, pairs: Iterator[Pair], config: Config, tokenizers: Tokenizers, *, epoch: int
) -> None:
    """Makes a shard of the pairs that come next.

    Raises:
        OSError: where there is no room.
    """
    chunks = _chunks(islice(pairs, part.pairs), config, tokenizers, epoch=epoch, first=part.first)
    write_shard(shard_path(directory, part.number), chunks)


def finish(config: Config, directory: Path, *, windows: int | None = None) -> Prepared:
    """Writes the manifest of data whose shards are all there.

    Raises:
        ValueError: if no pair is left to train on.
    """
    wanted = [part for part in parts(config, count_mixed(config)) if windows is None or part.window < windows]
    shards = [read_summary(shard_path(directory, part.number)) for part in wanted]
    report = DataReport.empty(config)
    found: dict[int, list[tuple[str, Shard]]] = {}
    for part, shard in zip(wanted, shards, strict=True):
        if shard is None:
            raise ValueError(f"{shard_path(directory, part.number)} is missing or damaged: run the command again")
        report.add(shard.report)
        found.setdefault(part.window, []).append((shard_path(directory, part.number).name, shard))
    if not any(corpus.pairs for corpus in report.corpora):
        raise ValueError(f"data.train: no pair to train on:\n{report}")
    prepared = Prepared(
        directory, config.seed, [_window(shards, config.data.batch_tokens) for shards in found.values()], report
    )
    manifest = {"windows": [window._asdict() for window in prepared.windows], "report": dataclasses.asdict(report)}
    aside = directory / "manifest.json.unfinished"
    with naming(aside):
        aside.write_text(json.dumps(manifest))
    os.replace(aside, directory / "manifest.json")
    return prepared


def open_prepared(config: Config, directory: Path, fingerprint: str) -> Prepared | None:
    """Prepared data that are complete and not stale; None if there are none."""
    try:
        if (directory / "fingerprint").read_text() != fingerprint:
            return None
        found = json.loads((directory / "manifest.json").read_bytes())
        windows = [Window(**window) for window in found["windows"]]
        if any(window.bytes != [os.stat(directory / name).st_size for name in window.files] for window in windows):
            return None
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    report = DataReport([CorpusReport(**corpus) for corpus in found["report"]["corpora"]])
    return Prepared(directory, config.seed, windows, report)


def parts(config: Config, pairs: int) -> Iterator[Part]:
    """The shards of an epoch of so many pairs."""
    window = config.data.shuffle_window
    number = 0
    for start in range(0, pairs, window):
        end = min(start + window, pairs)
        for first in range(start, end, _SHARD_PAIRS):
            yield Part(number, start // window, first, min(_SHARD_PAIRS, end - first))
            number += 1


def _chunks(
    pairs: Iterator[Pair], config: Config, tokenizers: Tokenizers, *, epoch: int, first: int
) -> Iterator[tuple[Ids, DataReport]]:
    """The chunks of a shard, each with random numbers by its place in the epoch."""
    while chunk := list(islice(pairs, _CHUNK_PAIRS)):
        report = DataReport.empty(config)
        random = np.random.default_rng([config.seed, epoch, first])
        yield tokenized(chunk, config, tokenizers, random=random, report=report), report
        first += len(chunk)


def _window(shards: list[tuple[str, Shard]], budget: int) -> Window:
    counts = Counter[int]()
    for _, shard in shards:
        counts.update(shard.lengths)
    by_length = [counts[length] for length in range(max(counts, default=0) + 1)]
    records = sum(shard.records for _, shard in shards)
    sizes = [shard.bytes for _, shard in shards]
    return Window([name for name, _ in shards], sizes, records, batch_sizes(by_length, budget))
