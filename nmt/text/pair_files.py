"""Files that hold both sides of a corpus, by the end of their name; what is in them and is not used is counted.

Imports no TensorFlow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import NamedTuple

from nmt.config.data import OF_A_FILE, TextPair
from nmt.text.known_files import known
from nmt.text.memories import read_po, read_tmx, read_xliff
from nmt.text.opening import COMPRESSED_SUFFIXES
from nmt.text.tables import read_csv, read_jsonl, read_parquet, read_tsv
from nmt.text.unit import Unit

READERS: dict[str, Callable[[TextPair], Iterator[Unit]]] = {
    ".tmx": read_tmx,
    ".xlf": read_xliff,
    ".xliff": read_xliff,
    ".po": read_po,
    ".tsv": read_tsv,
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}


class Summary(NamedTuple):
    """What a file holds."""

    pairs: int
    left_out: dict[str, int]  # units that are no pairs, by reason
    remarks: dict[str, int]  # pairs, by what was done to them

    def __str__(self) -> str:
        parts = [f"{self.pairs:,} pairs"]
        parts += [f"{count:,} {remark}" for remark, count in self.remarks.items()]
        if self.left_out:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
            parts.append(f"left out: {reasons}")
        return "; ".join(parts)


def read_file(pair: TextPair) -> Iterator[tuple[str, str]]:
    """Yields (source line, target line) of the units that are translated; line breaks in them become spaces.

    Raises:
        ValueError: if the file cannot be read; names the file and the line or the unit.
    """
    for unit in _units(pair):
        if not unit.left_out:
            yield unit.source, unit.target


def summarize(pair: TextPair) -> Summary:
    """Reads a file once; remembered, as known_files.py says.

    Raises:
        ValueError: as `read_file`.
    """
    settings = [getattr(pair, name) for name in OF_A_FILE]
    return Summary(*known(f"units {json.dumps(settings)}", pair.files["file"], lambda: _summarize(pair)))


def _summarize(pair: TextPair) -> Summary:
    left_out: Counter[str] = Counter()
    remarks: Counter[str] = Counter()
    pairs = 0
    for unit in _units(pair):
        if unit.left_out:
            left_out[unit.left_out] += 1
        else:
            pairs += 1
            if unit.remark:
                remarks[unit.remark] += 1
    return Summary(pairs, dict(left_out.most_common()), dict(remarks.most_common()))


def _units(pair: TextPair) -> Iterator[Unit]:
    path = PurePath(pair.files["file"])
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes.pop()
    reader = READERS.get(suffixes[-1] if suffixes else "")
    if reader is None:
        raise ValueError(
            f"{path}: a file of both sides is one of {', '.join(READERS)}, also compressed; two aligned text files are "
            "named by source and target"
        )
    return reader(pair)
