"""Shards: files of prepared pairs, as TFRecords that tf.data reads by itself. Imports no TensorFlow.

A record holds the pairs of one chunk as int32 numbers, little-endian:

    n, length of source 1, length of target 1, ... of source n, of target n, ids of source 1, of target 1, ...

Each side ends in EOS, which its length counts. Beside a shard stands what is in it, as JSON; written last, so a shard
that has it is complete.
"""

from __future__ import annotations

import dataclasses
import json
import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple
from uuid import uuid4

import google_crc32c
import numpy as np

from nmt.data.chunk import Ids
from nmt.data.report import CorpusReport, DataReport
from nmt.full_disk import naming
from nmt.text.tokenizer import EOS

_MASK = 0xA282EAD8


class Shard(NamedTuple):
    """What a complete shard holds."""

    bytes: int
    lengths: list[dict[int, int]]  # of each record, how many pairs have each length of the longer side, EOS included
    report: DataReport


def shard_path(directory: Path, number: int) -> Path:
    return directory / f"shard-{number:05d}.tfrecord"


def write_shard(path: Path, chunks: Iterable[tuple[Ids, DataReport]]) -> Shard:
    """Writes chunks as a shard; under its name there is never a part of it.

    Raises:
        OSError: where there is no room, with the file's name.
    """
    lengths: list[dict[int, int]] = []
    report = None
    with _aside(path) as file:
        for ids, counts in chunks:
            if ids.sources:
                file.write(framed(as_record(ids)))
                counts_of = Counter(max(map(len, pair)) + 1 for pair in zip(*ids, strict=True))
                lengths.append(dict(sorted(counts_of.items())))
            if report is None:
                report = DataReport([dataclasses.replace(corpus) for corpus in counts.corpora])
            else:
                report.add(counts)
        size = file.tell()
    shard = Shard(size, lengths, report or DataReport())
    with _aside(_summary(path)) as file:
        file.write(json.dumps({**shard._asdict(), "report": dataclasses.asdict(shard.report)}).encode())
    return shard


def read_summary(path: Path) -> Shard | None:
    """What a shard holds; None if it is not there, or not complete."""
    try:
        found = json.loads(_summary(path).read_bytes())
        if path.stat().st_size != found["bytes"]:
            return None
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    lengths = [{int(length): count for length, count in of_record.items()} for of_record in found["lengths"]]
    report = DataReport([CorpusReport(**corpus) for corpus in found["report"]["corpora"]])
    return Shard(found["bytes"], lengths, report)


def as_record(ids: Ids) -> bytes:
    """The pairs of a chunk in the layout that stands above."""
    rows = [[*side, EOS] for pair in zip(*ids, strict=True) for side in pair]  # source 1, target 1, source 2, ...
    numbers = [len(ids.sources), *map(len, rows)]
    numbers += [id_ for row in rows for id_ in row]
    return np.array(numbers, dtype="<i4").tobytes()


def framed(record: bytes) -> bytes:
    """A record as it stands in a TFRecord file: length, its checksum, content, its checksum."""
    length = struct.pack("<Q", len(record))
    return length + _checksum(length) + record + _checksum(record)


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated and masked as TFRecord has it."""
    crc = google_crc32c.value(content)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF)


def _summary(path: Path) -> Path:
    return path.with_suffix(".json")


@contextmanager
def _aside(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when all is written; processes of several machines may write it at once."""
    aside = path.with_name(f"{path.name}.{uuid4().hex}.unfinished")
    try:
        with naming(path), open(aside, "wb") as file:
            yield file
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
