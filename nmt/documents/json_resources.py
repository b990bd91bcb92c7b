"""JSON resources (i18next, Chrome's messages.json, Flutter's ARB): each text becomes its translation. No TensorFlow."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from nmt.documents.document import Translated
from nmt.documents.file import File, Settings, Unit
from nmt.documents.kept import CHOICE, read_plain

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


class _String(NamedTuple):
    path: tuple[str, ...]  # keys and, of lists, nothing
    start: int
    end: int


def read_json(text: str, settings: Settings) -> File:
    """Raises: ValueError where the text is not JSON; names the line."""
    try:
        tree = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: not JSON: {error.msg}") from None
    chrome = (
        isinstance(tree, dict)
        and bool(tree)
        and all(isinstance(value, dict) and "message" in value for value in tree.values())
    )
    ascii_only = text.isascii() and "\\u" in text
    units: list[Unit] = []
    left: Counter[str] = Counter()
    for string in _strings(text):
        value = json.loads(text[string.start : string.end], strict=False)
        if any(key.startswith("@") for key in string.path) or (chrome and string.path[1:] != ("message",)):
            left["metadata"] += 1
        elif CHOICE.search(value):
            left["a choice of texts"] += 1
        elif value.strip():
            units.append(_unit(text, string, value, ascii_only=ascii_only))
    return File(text, units, left)


def _unit(text: str, string: _String, value: str, *, ascii_only: bool) -> Unit:
    def write(found: Translated) -> str:
        if found.text == value:
            return text[string.start : string.end]
        return json.dumps(found.text, ensure_ascii=ascii_only)

    return Unit(string.start, string.end, read_plain(value), write)


def _strings(text: str) -> Iterator[_String]:
    """The strings that are values, with the keys that lead to them."""
    path: list[str | None] = []  # the key of each object that is open; None in a list
    last: re.Match[str] | None = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            path.append("" if token == "{" else None)
        elif token == ":" and last:
            path[-1] = json.loads(last[0], strict=False)
            last = None
            continue
        elif token in ",}]":
            if last:
                yield _String(tuple(key for key in path if key is not None), last.start(), last.end())
            if token != ",":
                path.pop()
        last = match if token.startswith('"') else None
    if last and not path:
        yield _String((), last.start(), last.end())
