"""A text as segments that are translated, and what stands between them, which stays. No TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from nmt.translation.translation import Translation

Translate = Callable[[Sequence[str]], list[Translation]]  # lines -> their translations


class Segment(Protocol):
    """What is translated as one line."""

    line: str

    def fill(self, translation: str) -> str | None:
        """The translation as it stands in the document; None where it cannot stand there."""

    def apart(self) -> Document:
        """The segment as smaller ones, whose translations can always stand there."""


class Document(NamedTuple):
    """A text in parts, in order: segments, and strings that stay as they are."""

    parts: list[str | Segment]

    @property
    def segments(self) -> list[Segment]:
        return [part for part in self.parts if not isinstance(part, str)]

    def text(self, translations: Sequence[str]) -> str:
        """The document with these in the places of its segments."""
        rest = iter(translations)
        return "".join(part if isinstance(part, str) else next(rest) for part in self.parts)


class Line:
    """A line of plain text without the white space around it."""

    def __init__(self, line: str) -> None:
        self.line = line

    def fill(self, translation: str) -> str:
        return translation

    def apart(self) -> Document:
        return Document([self])


def read_text(text: str) -> Document:
    """Plain text: a segment for each line that is not blank. White space around lines and between them stays."""
    parts: list[str | Segment] = []
    for line in text.splitlines(keepends=True):
        words = line.strip()
        before, _, after = line.partition(words) if words else (line, "", "")
        parts += [before, Line(words), after] if words else [before]
    return Document(parts)


class Translated(NamedTuple):
    """The translation of a document."""

    text: str
    alternatives: list[str]  # other translations of it, best first
    translations: list[Translation]  # of its segments


def translate_documents(documents: Sequence[Document], translate: Translate) -> list[Translated]:
    """Translates documents, all of their segments at once."""
    segments = [segment for document in documents for segment in document.segments]
    translations = translate([segment.line for segment in segments]) if segments else []
    rest = iter(zip(_fill_in(segments, translations, translate), translations, strict=True))
    found = []
    for document in documents:
        filled, of_document = (
            zip(*(next(rest) for _ in document.segments), strict=True) if document.segments else ((), ())
        )
        ranks = max(map(len, filled), default=1)
        texts = [document.text([each[min(rank, len(each) - 1)] for each in filled]) for rank in range(ranks)]
        texts = list(dict.fromkeys(texts))
        found.append(Translated(texts[0], texts[1:], list(of_document)))
    return found


def _fill_in(
    segments: Sequence[Segment],
    translations: Sequence[Translation],
    translate: Translate,
) -> list[list[str]]:
    """The translations of each segment as they stand in its document, best first."""
    filled = [
        [segment.fill(each.text) for each in found.n_best]
        for segment, found in zip(segments, translations, strict=True)
    ]
    broken = [segment.apart() for segment, (best, *_) in zip(segments, filled, strict=True) if best is None]
    apart = iter(translate_documents(broken, translate) if broken else [])
    return [
        [next(apart).text if texts[0] is None else texts[0], *(text for text in texts[1:] if text is not None)]
        for texts in filled
    ]
