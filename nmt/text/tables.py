"""Pairs from tables: TSV, CSV, lines of JSON, Parquet. Read row by row; imports no TensorFlow.

A column is the one that is asked for, else the one called like the language (Hugging Face's translation.de, too), else
`source` or `target`. In TSV and CSV without such names in the first row, it is the first and the second column.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from nmt.config.data import TextPair
from nmt.text.lines import read_lines
from nmt.text.opening import DamagedError, open_text
from nmt.text.unit import Unit, unit

_BATCH_ROWS = 4096
_SIDES = ("source", "target")


def read_tsv(pair: TextPair) -> Iterator[Unit]:
    """Tabs separate columns and nothing is quoted, as corpora are written."""
    yield from _of_rows(pair, ((number, line.split("\t")) for number, line in enumerate(read_lines(_path(pair)), 1)))


def read_csv(pair: TextPair) -> Iterator[Unit]:
    """Commas separate columns, quotation marks enclose what has commas or line breaks (RFC 4180)."""
    yield from _of_rows(pair, _csv_rows(_path(pair)))


def read_jsonl(pair: TextPair) -> Iterator[Unit]:
    """An object a line; a dot in a column's name leads into an object of it."""
    path, columns = _path(pair), None
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f'{path}:{number}: a JSON object was expected, such as {{"source": ..., "target": ...}}')
        columns = columns or _columns(pair, list(_names(row)), f"{path}:{number}")
        yield _of_values([_value(row, column) for column in columns], columns, f"{path}:{number}")


def read_parquet(pair: TextPair) -> Iterator[Unit]:
    """A row group's batches one after another."""
    path = _path(pair)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ValueError(f"{path}: Parquet needs pyarrow: `pip install recurrent-nmt[formats]`") from None
    try:
        with parquet.ParquetFile(path) as file:
            names = [file.schema.column(index).path for index in range(len(file.schema))]
            columns = _columns(pair, names, path)
            number = 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield _of_values([_value(row, column) for column in columns], columns, f"{path}: row {number:,}")
    except (OSError, pyarrow.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {error}") from None


def _path(pair: TextPair) -> str:
    return pair.files["file"]


def _csv_rows(path: str) -> Iterator[tuple[int, list[str]]]:
    with io.TextIOWrapper(open_text(path), encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            for row in rows:
                yield rows.line_num, row
        except (csv.Error, UnicodeDecodeError, OSError, DamagedError) as error:
            raise ValueError(f"{path}:{max(1, rows.line_num)}: not CSV in UTF-8: {error}") from None


def _of_rows(pair: TextPair, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Unit]:
    """Units of rows without names, or with names in the first row."""
    path = _path(pair)
    places: list[int] | None = None
    for number, row in rows:
        if places is None:
            places, named = _places(pair, row, f"{path}:{number}")
            if named:
                continue
        if len(row) <= max(places):
            wanted = f"column {max(places) + 1} is needed"
            raise ValueError(f"{path}:{number}: {wanted}, and this row has {len(row)}: {'|'.join(row)[:80]!r}")
        yield unit(*(row[place] for place in places))


def _places(pair: TextPair, first: Sequence[str], where: str) -> tuple[list[int], bool]:
    """The places of both columns, and whether the first row names them."""
    asked = [pair.source_column, pair.target_column]
    if all(column and column.isdecimal() and int(column) for column in asked):
        return [int(column) - 1 for column in asked if column], False
    if any(asked):
        return [first.index(name) for name in _columns(pair, first, where)], True
    found = [_usual(pair, side, first) for side in _SIDES]
    if all(found):
        return [first.index(name) for name in found if name], True
    return [0, 1], False


def _columns(pair: TextPair, names: Sequence[str], where: str) -> list[str]:
    """The names of both columns. Raises: ValueError where one is not there."""
    columns = []
    for side in _SIDES:
        asked = getattr(pair, f"{side}_column")
        column = (asked if asked in names else None) if asked else _usual(pair, side, names)
        if column is None:
            missing = f"no column {asked!r}" if asked else f"no column called like the language, nor {side!r}"
            raise ValueError(f"{where}: {missing}, but {', '.join(names)}: say which it is with {side}_column")
        columns.append(column)
    return columns


def _usual(pair: TextPair, side: str, names: Sequence[str]) -> str | None:
    language = getattr(pair, f"{side}_language")
    usual = [side] if language is None else [language, f"translation.{language}", side]
    return next((name for name in usual if name in names), None)


def _names(row: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in row.items():
        yield above + name
        if isinstance(value, dict):
            yield from _names(value, f"{above}{name}.")


def _value(row: Any, column: str) -> Any:
    """What is in a column; None where it is not there."""
    if not isinstance(row, dict):
        return None
    if column in row:
        return row[column]
    first, dot, rest = column.partition(".")
    return _value(row.get(first), rest) if dot else None


def _of_values(values: Sequence[Any], columns: Sequence[str], where: str) -> Unit:
    for value, column in zip(values, columns, strict=True):
        if not (value is None or isinstance(value, str)):
            raise ValueError(f"{where}: {column}: text was expected, {type(value).__name__} came")
    return unit(*values)
