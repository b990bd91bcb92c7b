"""A file as units to translate, and what stands between them, which stays byte for byte. Imports no TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from nmt.documents.document import Document, Translate, Translated, translate_documents


class Settings(NamedTuple):
    """What is asked for."""

    retranslate: Literal["none", "unfinished", "all"] = "none"  # of what is translated already
    finished: bool = False  # whether translations are marked as finished, and not for review
    source_language: str | None = None  # of formats that name languages
    target_language: str | None = None

    def is_due(self, *, translated: bool, finished: bool) -> bool:
        """Whether a unit is to be translated."""
        return not translated or self.retranslate == "all" or (self.retranslate == "unfinished" and not finished)


class Unit(NamedTuple):
    """A stretch of a file that becomes another when its text is translated."""

    start: int
    end: int
    text: Document
    write: Callable[[Translated], str]  # what stands there then


class File(NamedTuple):
    """A file's text, and its units."""

    text: str
    units: list[Unit]
    left_alone: Counter[str]  # units that are not to be translated, by reason


class Done(NamedTuple):
    """A translated file."""

    text: str
    translated: int  # lines
    degenerate: int  # of them, those that look wrong


def translate_file(file: File, translate: Translate) -> Done:
    """Translates all units at once; all else stays."""
    found = translate_documents([unit.text for unit in file.units], translate)
    written = ((unit.start, unit.end, unit.write(each)) for unit, each in zip(file.units, found, strict=True))
    lines = [line for each in found for line in each.translations]
    return Done(spliced(file.text, written), len(lines), sum(line.degenerate for line in lines))


def spliced(text: str, stretches: Iterable[tuple[int, int, str]]) -> str:
    """A text with other text in some places; none of them overlap."""
    parts, done = [], 0
    for start, end, new in sorted(stretches):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])


def confidence(found: Translated) -> float | None:
    """The lowest of a unit's parts, as one bad line makes a bad unit; None where there is none."""
    known = [each.confidence for each in found.translations if each.confidence is not None]
    return min(known) if known else None
