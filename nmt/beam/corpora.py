"""Corpora as chunks that any worker reads by itself, so that no text travels between workers. Imports no TensorFlow.

Plain text is read in parallel. Workers count the lines of ranges of bytes and note where some of them begin; the sums
of these counts tell the number of each line, and so where both sides of a chunk begin. What is no plain text is first
unpacked to such files, each corpus by one worker.
"""

from __future__ import annotations

import codecs
import os
import shutil
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from nmt.cleaning.tally import Place
from nmt.config.data import TextPair
from nmt.config.section import Section
from nmt.config.settings import Config
from nmt.text.files import aligned, is_chosen, read_pairs
from nmt.text.lines import read_lines_from
from nmt.text.opening import is_compressed

CHUNK_PAIRS = 50_000
RANGE_BYTES = 64 << 20
# Lines between those whose places are noted, at most.
_MARKED_LINES = 1000
SomeSection = TypeVar("SomeSection", bound=Section)
_SIDES = ("source", "target")


class Start(NamedTuple):
    """A byte of a file of plain text, and the number of the line that begins there, from 1."""

    path: str
    offset: int
    line: int


class Chunk(NamedTuple):
    """Pairs that one worker reads and writes at a time.

    corpus: of data.train. number: of the chunk in its corpus, from 0. line: of its first pair, from 1. before: pairs of
    all corpora before it. starts: of both sides, at its first line or above.
    """

    corpus: int
    number: int
    line: int
    pairs: int
    before: int
    starts: tuple[Start, Start]

    def read(self) -> Iterator[tuple[Place, tuple[str, str]]]:
        """Its pairs, and where they stand.

        Raises:
            ValueError: for text that is not UTF-8, with file and line.
        """
        for line, pair in enumerate(zip(*map(self._lines, self.starts), strict=True), start=self.line):
            yield Place(self.corpus, line), pair

    def sample(self, *, total: int, keep: int) -> Iterator[tuple[int, tuple[str, str]]]:
        """Those of its pairs that are among `keep` chosen of the `total` pairs of all corpora, and their places."""
        places = range(self.before, self.before + self.pairs)
        chosen = {place for place in places if is_chosen(place, total=total, keep=keep)}
        if chosen:
            pairs = (pair for _, pair in self.read())
            yield from ((place, pair) for place, pair in zip(places, pairs, strict=True) if place in chosen)

    def _lines(self, start: Start) -> Iterator[str]:
        above = self.line - start.line
        return islice(read_lines_from(start.path, offset=start.offset, first=start.line), above, above + self.pairs)


class Corpora(NamedTuple):
    """chunks: PCollection of `Chunk`. sizes: PCollection of one list, the number of pairs of each corpus."""

    chunks: beam.PCollection
    sizes: beam.PCollection


class _Range(NamedTuple):
    """Bytes of a file; the lines that begin in them are its lines."""

    corpus: int
    side: int
    path: str
    start: int
    end: int


class _Scanned(NamedTuple):
    """The number of a range's lines, and the offsets of each that is a multiple of `every` from its first on."""

    range: _Range
    lines: int
    marks: list[int]


class _Layout(NamedTuple):
    """ranges: by corpus and side, where the ranges of the file start, and the lines before each.

    pairs: of each corpus.
    """

    ranges: dict[tuple[int, int], tuple[list[int], list[int]]]
    pairs: list[int]


@contextmanager
def scratch_directory(directory: Path) -> Iterator[Path]:
    """A directory for what workers write; an interrupted run may have left one."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def read_corpora(
    pipeline: beam.Pipeline,
    pairs: Sequence[TextPair],
    scratch: Path,
    *,
    chunk_pairs: int = CHUNK_PAIRS,
    range_bytes: int = RANGE_BYTES,
) -> Corpora:
    """The pairs of corpora, as chunks.

    Args:
        scratch: a directory that all workers can write to and read.
        chunk_pairs: in a chunk; the last of a corpus has what is left.
    """
    every = min(_MARKED_LINES, chunk_pairs)
    scanned = (
        pipeline
        | "corpora" >> beam.Create(list(enumerate(pairs)))
        | "unpack" >> beam.FlatMap(_ranges, str(scratch), range_bytes)
        | "spread ranges" >> beam.Reshuffle()
        | "count lines" >> beam.Map(_scan, every)
    )
    layout = (
        scanned
        | "lines of ranges" >> beam.Map(lambda each: (each.range, each.lines))
        | "all ranges" >> beam.combiners.ToList()
        | "number lines" >> beam.Map(_layout, list(pairs))
    )
    chunks = (
        scanned
        | "starts of chunks" >> beam.FlatMap(_starts, AsSingleton(layout), every, chunk_pairs)
        | "both sides" >> beam.GroupByKey()
        | "chunks" >> beam.Map(_chunk, AsSingleton(layout), chunk_pairs)
    )
    return Corpora(chunks, layout | "sizes" >> beam.Map(lambda each: each.pairs))


def with_absolute_paths(config: Config) -> Config:
    """A job as workers read it, which may run in other directories."""
    data, cleaning = config.data, config.cleaning
    sets = {
        "train": [_absolute(pair, pair.files) for pair in data.train],
        "validation": _absolute(data.validation, data.validation.files),
        "test": {name: _absolute(pair, pair.files) for name, pair in data.test.items()},
    }
    judges = {"forward_run": cleaning.forward_run, "backward_run": cleaning.backward_run}
    return config.model_copy(update={"data": data.model_copy(update=sets), "cleaning": _absolute(cleaning, judges)})


def _absolute(section: SomeSection, paths: Mapping[str, str | None]) -> SomeSection:
    return section.model_copy(update={name: path and os.path.abspath(path) for name, path in paths.items()})


def _ranges(numbered: tuple[int, TextPair], scratch: str, range_bytes: int) -> Iterator[_Range]:
    corpus, pair = numbered
    if pair.file is None and not any(map(is_compressed, pair.files.values())):
        paths = list(pair.files.values())
    else:
        paths = _unpacked(pair, [os.path.join(scratch, f"corpus.{corpus}.{side}") for side in _SIDES])
    for side, path in enumerate(paths):
        size = os.path.getsize(path)
        for start in range(0, size, range_bytes):
            yield _Range(corpus, side, path, start, min(size, start + range_bytes))


def _unpacked(pair: TextPair, paths: list[str]) -> list[str]:
    """Writes text that is read as exactly these lines: one byte order mark and the "\\r" of each line are left out."""
    asides = [f"{path}.{os.getpid()}" for path in paths]
    with open(asides[0], "wb") as sources, open(asides[1], "wb") as targets:
        for number, lines in enumerate(read_pairs(pair)):
            for file, line in zip((sources, targets), lines, strict=True):
                file.write((codecs.BOM_UTF8 if number == 0 else b"") + line.encode() + b"\r\n")
    for aside, path in zip(asides, paths, strict=True):
        os.replace(aside, path)
    return paths


def _scan(part: _Range, every: int) -> _Scanned:
    lines, marks = 0, []
    with open(part.path, "rb") as file:
        offset = part.start
        if offset:  # a line that began before belongs to the range before
            file.seek(offset - 1)
            offset += len(file.readline()) - 1
        while offset < part.end and (line := file.readline()):
            if lines % every == 0:
                marks.append(offset)
            lines += 1
            offset += len(line)
    return _Scanned(part, lines, marks)


def _layout(counts: Iterable[tuple[_Range, int]], pairs: Sequence[TextPair]) -> _Layout:
    by_file: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for part, lines in counts:
        by_file[part.corpus, part.side].append((part.start, lines))
    ranges = {}
    totals = {}
    for file, found in by_file.items():
        found.sort()
        *before, totals[file] = accumulate((lines for _, lines in found), initial=0)
        ranges[file] = ([start for start, _ in found], before)
    sizes = [(totals.get((corpus, 0), 0), totals.get((corpus, 1), 0)) for corpus in range(len(pairs))]
    return _Layout(ranges, [aligned(pair, *size) for pair, size in zip(pairs, sizes, strict=True)])


def _starts(scanned: _Scanned, layout: _Layout, every: int, chunk_pairs: int) -> Iterator[tuple]:
    """Where to begin to read the chunks whose first line is in a range: ((corpus, chunk), (side, start))."""
    part = scanned.range
    starts, before = layout.ranges[part.corpus, part.side]
    first = before[bisect_right(starts, part.start) - 1]  # from 0
    for chunk in range(-(-first // chunk_pairs), -(-(first + scanned.lines) // chunk_pairs)):
        mark = (chunk * chunk_pairs - first) // every
        start = Start(part.path, scanned.marks[mark], first + mark * every + 1)
        yield (part.corpus, chunk), (part.side, start)


def _chunk(found: tuple[tuple[int, int], Iterable[tuple[int, Start]]], layout: _Layout, chunk_pairs: int) -> Chunk:
    (corpus, number), starts = found
    (_, source), (_, target) = sorted(starts)
    before = number * chunk_pairs
    pairs = min(chunk_pairs, layout.pairs[corpus] - before)
    return Chunk(corpus, number, before + 1, pairs, sum(layout.pairs[:corpus]) + before, (source, target))
