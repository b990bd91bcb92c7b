"""Prepares the data of an epoch, in one process or in several at once that share nothing but a directory.

    epoch-00002/                 epochs differ (every-epoch/ if they do not), counted from 0
        fingerprint              what it depends on (fingerprint.py)
        shard-00000.tfrecord     pairs (shards.py) ...
        shard-00000.json         ... and what the shard holds
        manifest.json            of each window, what each worker reads and in which batches; the report; written last

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
from typing import Any, NamedTuple

import numpy as np

from nmt.config.settings import Config
from nmt.data.batches import batch_sizes, cut_further
from nmt.data.chunk import Ids, tokenized
from nmt.data.mixing import Pair, count_mixed, mixed_pairs
from nmt.data.report import CorpusReport, DataReport
from nmt.data.shards import Shard, read_summary, shard_path, write_shard
from nmt.full_disk import naming
from nmt.text.tokenizer import Tokenizers

# Few enough for several processes to share a small corpus, enough that files are not many.
_SHARD_PAIRS = 8_192
_CHUNK_PAIRS = 1_024


class Share(NamedTuple):
    """Which of the workers that train together this is, and how many there are.

    Each prepares every so many-th shard, and reads as large a part of each window, cut between two records.
    """

    worker: int = 0
    workers: int = 1


ALONE = Share()


class Piece(NamedTuple):
    """Records of a file that follow each other."""

    file: str
    bytes: int  # of the whole file
    first: int
    records: int


class Window(NamedTuple):
    """Pairs that are shuffled and sorted together; of several workers, the share of one."""

    pieces: list[Piece]
    batches: list[int]  # the rows of each, shortest pairs first


class Prepared(NamedTuple):
    """Prepared data, complete; of several workers, the share of one, which has as many batches as the others."""

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
    if not has_begun(directory, fingerprint):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        with naming(file):
            file.write_text(fingerprint)
    for unfinished in directory.glob("*.unfinished"):
        unfinished.unlink()


def has_begun(directory: Path, fingerprint: str) -> bool:
    """Whether a directory is for data with this fingerprint."""
    file = directory / "fingerprint"
    return file.is_file() and file.read_text() == fingerprint


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


def finish(config: Config, directory: Path, *, windows: int | None = None, share: Share = ALONE) -> Prepared:
    """Writes the manifest, for all workers, of data whose shards are all there.

    Returns: this worker's share.

    Raises:
        ValueError: if no pair is left to train on.
    """
    wanted = [part for part in parts(config, count_mixed(config)) if windows is None or part.window < windows]
    shards = [read_summary(shard_path(directory, part.number)) for part in wanted]
    report = DataReport.empty(config)
    found: dict[int, dict[str, Shard]] = {}
    for part, shard in zip(wanted, shards, strict=True):
        if shard is None:
            raise ValueError(f"{shard_path(directory, part.number)} is missing or damaged: run the command again")
        report.add(shard.report)
        found.setdefault(part.window, {})[shard_path(directory, part.number).name] = shard
    if not any(corpus.pairs for corpus in report.corpora):
        raise ValueError(f"data.train: no pair to train on:\n{report}")
    shared = [_windows(of_window, config.data.batch_tokens, share.workers) for of_window in found.values()]
    manifest = {
        "workers": share.workers,
        "windows": [[window._asdict() for window in windows_] for windows_ in shared],
        "report": dataclasses.asdict(report),
    }
    aside = directory / "manifest.json.unfinished"
    with naming(aside):
        aside.write_text(json.dumps(manifest))
    os.replace(aside, directory / "manifest.json")
    return Prepared(directory, config.seed, [windows_[share.worker] for windows_ in shared], report)


def open_prepared(config: Config, directory: Path, fingerprint: str, share: Share = ALONE) -> Prepared | None:
    """A worker's share of prepared data that are complete and not stale; None if there are none for so many workers."""
    if not has_begun(directory, fingerprint):
        return None
    try:
        found = json.loads((directory / "manifest.json").read_bytes())
        if found["workers"] != share.workers:
            return None
        windows = [_window(**shared[share.worker]) for shared in found["windows"]]
        pieces = [piece for window in windows for piece in window.pieces]
        if any(os.stat(directory / piece.file).st_size != piece.bytes for piece in pieces):
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


def _window(pieces: list[list[Any]], batches: list[int]) -> Window:
    """From the manifest."""
    return Window([Piece(*piece) for piece in pieces], batches)


def _windows(shards: dict[str, Shard], budget: int, workers: int) -> list[Window]:
    """A window's shares, from its shards by file name: all with as many batches, which together have the budget."""
    records = sum(len(shard.lengths) for shard in shards.values())
    shares = [
        _pieces(shards, records * worker // workers, records * (worker + 1) // workers) for worker in range(workers)
    ]
    batches = [batch_sizes(_counts(pieces, shards), max(1, budget // workers)) for pieces in shares]
    most = max(map(len, batches))
    return [Window(pieces, cut_further(sizes, most)) for pieces, sizes in zip(shares, batches, strict=True)]


def _pieces(shards: dict[str, Shard], start: int, end: int) -> list[Piece]:
    """Some of a window's records, by their numbers in it."""
    pieces = []
    for file, shard in shards.items():
        first, last = max(start, 0), min(end, len(shard.lengths))
        if first < last:
            pieces.append(Piece(file, shard.bytes, first, last - first))
        start, end = start - len(shard.lengths), end - len(shard.lengths)
    return pieces


def _counts(pieces: list[Piece], shards: dict[str, Shard]) -> list[int]:
    """How many pairs have each length."""
    counts = Counter[int]()
    for file, _, first, records in pieces:
        for lengths in shards[file].lengths[first : first + records]:
            counts.update(lengths)
    return [counts[length] for length in range(max(counts, default=0) + 1)]
