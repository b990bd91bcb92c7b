"""gettext's PO: messages that have no translation get one, marked as fuzzy. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from nmt.documents.document import Translated
from nmt.documents.file import File, Settings, Unit, confidence
from nmt.documents.kept import read_plain

_FIELD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)[ \t]*(?=\")")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*\r?$')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WRITTEN = {ord(letter): f"\\{name}" for name, letter in _ESCAPES.items()} | {ord('"'): '\\"', ord("\\"): "\\\\"}


class _Field(NamedTuple):
    name: str
    start: int
    text: str = ""
    end: int = 0  # behind its last quotation mark


class _Message(NamedTuple):
    start: int  # of its first line that is no comment
    flags: tuple[int, int] | None  # the place of its line of flags
    fuzzy: bool
    fields: list[_Field]

    def text(self, name: str) -> str:
        return next((field.text for field in self.fields if field.name == name), "")


def read_po(text: str, settings: Settings) -> File:
    """Raises: ValueError where a line is none of a PO file; names the line."""
    units: list[Unit] = []
    left: Counter[str] = Counter()
    for message in _messages(text):
        strings = [field for field in message.fields if field.name.startswith("msgstr")]
        if not message.text("msgid"):
            continue  # the header
        if not settings.is_due(translated=all(field.text for field in strings), finished=not message.fuzzy):
            left["fuzzy" if message.fuzzy else "translated"] += 1
            continue
        for number, field in enumerate(strings):
            # The first form is the singular's only where there is more than one.
            singular = len(strings) == 1 and not message.text("msgid_plural")
            source = message.text("msgid" if singular or (number == 0 and len(strings) > 1) else "msgid_plural")
            units.append(_unit(text, message, field, source, first=number == 0, finished=settings.finished))
    return File(text, units, left)


def _unit(text: str, message: _Message, field: _Field, source: str, *, first: bool, finished: bool) -> Unit:
    """From the line of flags, for the first form, or else from the form itself, to the end of the form."""
    start = field.start
    if first:
        start = message.flags[0] if message.flags else message.start
    newline = "\r\n" if text[: text.find("\n") + 1].endswith("\r\n") else "\n"

    def write(found: Translated) -> str:
        before = text[start : field.start]
        if first:
            before = _marked(before, message, confidence(found), newline, finished=finished)
        return f"{before}{field.name} {_quoted(_like(source, found.text), newline)}"

    return Unit(start, field.end, read_plain(source), write)


def _marked(before: str, message: _Message, score: float | None, newline: str, *, finished: bool) -> str:
    """The lines in front of the translation with the mark of a fuzzy one, and how sure the model is of it."""
    flags = before.partition("\n")[0].strip() if message.flags else ""
    rest = before.partition("\n")[2] if message.flags else before
    names = [flag.strip() for flag in flags.removeprefix("#,").split(",")]
    names = [*([] if finished else ["fuzzy"]), *(name for name in names if name not in ("", "fuzzy"))]
    comment = [] if score is None else [f"# machine translation, confidence {score:.2f}"]
    lines = [*comment, *([f"#, {', '.join(names)}"] if names else [])]
    return "".join(line + newline for line in lines) + rest


def _like(source: str, text: str) -> str:
    """With a line break at the ends where the source has one, as msgfmt demands."""
    core = text.strip("\n")
    before = source[: len(source) - len(source.lstrip("\n"))]
    after = source[len(source.rstrip("\n")) :]
    return before + core + after


def _quoted(text: str, newline: str) -> str:
    """As a string, with a line for each line of the text, as gettext writes it."""
    lines = [line.translate(_WRITTEN) for line in re.findall(r"[^\n]*\n|[^\n]+", text)]
    if len(lines) <= 1:
        return f'"{"".join(lines)}"'
    return newline.join(f'"{line}"' for line in ["", *lines])


def _messages(text: str) -> Iterator[_Message]:
    """Those that are not obsolete."""
    fields: list[_Field] = []
    start, flags, fuzzy = 0, None, False
    place = 0
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), start=1):
        bare = line.rstrip("\r\n").lstrip("\ufeff")
        if fields and fields[-1].name.startswith("msgstr") and not bare.startswith(('"', "msgstr")):
            yield _Message(start, flags, fuzzy, fields)
            fields, flags, fuzzy = [], None, False
        found = _FIELD.match(bare)
        string = _STRING.fullmatch(bare, found.end() if found else 0)
        if bare.startswith("#,"):
            flags, fuzzy = (place, place + len(line)), "fuzzy" in bare
        elif found and string:
            if not fields:
                start = place
            fields.append(_Field(found[1], place + len(line) - len(line.lstrip("\ufeff"))))
        elif not (string and fields) and bare.strip() and not bare.startswith("#"):
            raise ValueError(f"line {number}: neither a comment nor a message of a PO file: {bare[:60]!r}")
        if string and fields:
            end = place + line.rfind('"') + 1
            fields[-1] = fields[-1]._replace(text=fields[-1].text + _read(string[1]), end=end)
        place += len(line)
    if fields:
        yield _Message(start, flags, fuzzy, fields)


def _read(escaped: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), escaped)
