"""HTML -> tokens that together are the source: texts, tags within a line, and all that ends a block of text.

No TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import NamedTuple

from nmt.documents.markup import Token


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Elements within a line of text (HTML's phrasing content). All other tags end a block.
INLINE = _names(
    "a abbr acronym b bdi bdo big cite data del dfn em font i img ins label mark q rb rp rt rtc ruby s small span "
    "strike strong sub sup time tt u wbr"
)
VOID = _names("area base br col embed hr img input link meta param source track wbr")
# Elements whose content is no text to translate; the first ones stand within a line.
KEPT_INLINE = _names("code kbd math samp svg var")
KEPT = KEPT_INLINE | _names(
    "audio canvas iframe noembed noframes noscript object plaintext pre script style template textarea video xmp"
)


def tokens(source: str) -> Iterator[Token]:
    """Never fails: what cannot be understood is a mark."""
    stretches = iter(_Parser(source).stretches)
    for kind, name, kept, raw in stretches:
        inline = name in INLINE or name in KEPT_INLINE
        if kind == "start" and (kept or name in KEPT) and name not in VOID:
            yield Token("mark" if inline else "block", raw + _rest_of_element(name, stretches))
        elif kind == "text":  # in which may stand "</>", which the parser skips, as browsers do
            yield from (Token("mark" if part == "</>" else "text", part) for part in re.split("(</>)", raw))
        elif kind == "other":
            yield Token("mark", raw)
        elif not inline:
            yield Token("block", raw)
        elif name in VOID:
            yield Token("mark", raw)
        else:
            yield Token("open" if kind == "start" else "close", raw, name)


def _rest_of_element(name: str, stretches: Iterator[_Stretch]) -> str:
    """The source up to the end tag of an element whose start tag was the last stretch; to the end where it has none."""
    parts, depth = [], 1
    for stretch in stretches:
        parts.append(stretch.raw)
        if stretch.name == name:
            depth += 1 if stretch.kind == "start" else -1
        if not depth:
            break
    return "".join(parts)


class _Stretch(NamedTuple):
    """A tag, a text or another part of the source."""

    kind: str  # text, start, end, other
    name: str = ""
    kept: bool = False  # its author wants it untranslated
    raw: str = ""


class _Parser(HTMLParser):
    """Cuts a source into stretches, which together are the source."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self._found: list[tuple[int, _Stretch]] = []
        self.feed(source)
        # Not closed: what is left, such as a comment without end, is no text, and nothing that a browser shows.
        if self.rawdata:
            rest = _Stretch("other" if self.rawdata.startswith("<") else "text")
            self._found.append((len(source) - len(self.rawdata), rest))
        # Adjacent texts are one: behind a "<" that is text, another translation could make a tag of it.
        found = [
            each
            for before, each in pairwise([(0, _Stretch("")), *self._found])
            if not each[1].kind == before[1].kind == "text"
        ]
        starts = [*(start for start, _ in found), len(source)]
        self.stretches = [
            each._replace(raw=source[start:end])
            for (_, each), (start, end) in zip(found, pairwise(starts), strict=True)
        ]
        if starts[0]:
            self.stretches.insert(0, _Stretch("other", raw=source[: starts[0]]))

    def _add(self, stretch: _Stretch) -> None:
        line, column = self.getpos()
        self._found.append((self._lines[line - 1] + column, stretch))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        kept = values.get("translate", "").lower() == "no" or "notranslate" in values.get("class", "").split()
        self._add(_Stretch("start", tag, kept))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # HTML ignores the slash

    def handle_endtag(self, tag: str) -> None:
        self._add(_Stretch("end", tag))

    def handle_data(self, data: str) -> None:
        self._add(_Stretch("text"))

    def handle_comment(self, data: str) -> None:
        self._add(_Stretch("other"))

    def handle_decl(self, decl: str) -> None:
        self._add(_Stretch("other"))

    def handle_pi(self, data: str) -> None:
        self._add(_Stretch("other"))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """<![...]> is a comment in HTML; HTMLParser fails where it does not know the word in it."""
        return self.parse_bogus_comment(i)
