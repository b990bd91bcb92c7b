"""Java's .properties: each value becomes its translation. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter

from nmt.documents.document import Document
from nmt.documents.file import File, Settings, Unit
from nmt.documents.kept import CHOICE, PLACEHOLDERS, TAGS, text_tokens
from nmt.documents.markup import Writing, read_blocks

# A line with a key, and the lines that it goes on in.
_ENTRY = re.compile(
    r"^[ \t\f]*(?![#! \t\f\r\n])(?P<key>(?:\\.|[^\\=: \t\f\r\n])+)[ \t\f]*[=:]?[ \t\f]*"
    r"(?P<value>(?:\\(?:\r\n|.|\n)|[^\\\r\n])*)",
    re.MULTILINE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_KEPT = f"{PLACEHOLDERS}|{TAGS}"
_ARGUMENT = re.compile(r"\{\d")
_COMMENT = re.compile(r"^[ \t\f]*[#!][^\n]*(\n|$)", re.MULTILINE)


def read_properties(text: str, settings: Settings) -> File:
    """Never fails: every text is one of keys and values."""
    ascii_only = text.isascii()
    units: list[Unit] = []
    left: Counter[str] = Counter()
    place = 0
    while place < len(text):
        if comment := _COMMENT.match(text, place):
            place = comment.end()
        elif entry := _ENTRY.match(text, place):
            if CHOICE.search(entry["value"]):
                left["a choice of texts"] += 1
            elif entry["value"]:
                document = _document(entry["value"], ascii_only=ascii_only)
                units.append(Unit(entry.start("value"), entry.end("value"), document, lambda found: found.text))
            place = max(entry.end(), place + 1)
        else:
            place = text.find("\n", place) + 1 or len(text)
    return File(text, units, left)


def _document(value: str, *, ascii_only: bool) -> Document:
    """A value's lines end at \\n; in one with arguments such as {0}, '' is an apostrophe (MessageFormat)."""
    quotes = bool(_ARGUMENT.search(value))

    def read(raw: str) -> str:
        raw = re.sub(r"\\\r?\n[ \t\f]*", "", raw)
        text = re.sub(
            r"\\(?:u([0-9A-Fa-f]{4})|(.))",
            lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2]),
            raw,
        )
        return text.replace("''", "'") if quotes else text

    def write(text: str) -> str:
        text = text.replace("\\", "\\\\")
        text = text.replace("'", "''") if quotes else text
        if ascii_only:
            units = text.encode("utf-16-be")
            codes = (int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2))
            text = "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)
        return text

    writing = Writing(read, write, _KEPT)
    return read_blocks(text_tokens(value, _KEPT, line_break=r"(?:\\[nr])+"), lambda block: writing)
