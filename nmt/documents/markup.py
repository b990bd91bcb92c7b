"""Texts with markup as documents: blocks of text are segments, everything else stays byte for byte. No TensorFlow.

A block's text goes to the model as one line, in which each inline tag is a placeholder such as <g1>, </g1> or <x2>.
The model keeps those as it keeps any tag (text/protection.py), so that the words of a link may move and stay a link.
Where a translation has not each of them once and well nested, or an element lost its words, the text between tags is
translated piece by piece. The same holds for stretches that the model sees and has to keep, such as %s.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from nmt.documents.document import Document, Segment

SPACE = " \t\n\f\r"
_PLACEHOLDER = r"</?g[0-9]+>|<x[0-9]+>"


class Token(NamedTuple):
    """A stretch of the source."""

    # text; open, close: an inline tag; mark: an inline stretch without text; kept: one that the model sees as it is;
    # block: what ends a block
    kind: str
    raw: str
    name: str = ""  # of an inline tag


class Writing(NamedTuple):
    """How text stands in a source."""

    read: Callable[[str], str]
    write: Callable[[str], str]
    kept: str = ""  # a regular expression for stretches of read text that a translation has to have, too


def read_blocks(source: Iterable[Token], writing: Callable[[Sequence[Token]], Writing]) -> Document:
    """A document of tokens.

    Args: writing: how the text of a block is written, by its tokens.
    """
    parts: list[str | Segment] = []
    block: list[Token] = []
    for token in [*source, Token("block", "")]:
        if token.kind != "block":
            block.append(token)
            continue
        parts += [*_read_block(block, writing(block)), token.raw]
        block = []
    return Document(parts)


def _read_block(block: list[Token], writing: Writing) -> list[str | Segment]:
    """The segment of a block, and around it what need not go to the model; no segment where there are no words."""
    if not _has_words(block):
        return [_raw(block)]
    block, ends = _match_tags(block)
    start, stop = _core(block, ends)
    before, after, inner = _raw(block[:start]), _raw(block[stop:]), block[start:stop]
    if inner[0].kind == "text":
        text = inner[0].raw.lstrip(SPACE)
        before += inner[0].raw.removesuffix(text)
        inner[0] = inner[0]._replace(raw=text)
    if inner[-1].kind == "text":
        text = inner[-1].raw.rstrip(SPACE)
        after = inner[-1].raw.removeprefix(text) + after
        inner[-1] = inner[-1]._replace(raw=text)
    return [before, MarkupSegment(inner, writing), after]


def _match_tags(block: Sequence[Token]) -> tuple[list[Token], dict[int, int]]:
    """Tokens, where a tag without its partner is a mark; and the place of the end tag for that of each start tag."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    names: Counter[str] = Counter()  # of those opened
    for place, token in enumerate(block):
        if token.kind == "open":
            opened.append(place)
            names[token.name] += 1
        elif token.kind == "close" and names[token.name]:
            while block[start := opened.pop()].name != token.name:
                names[block[start].name] -= 1
            names[token.name] -= 1
            ends[start] = place
    matched = {*ends, *ends.values()}
    single = {place for place, token in enumerate(block) if token.kind in ("open", "close")} - matched
    return [token._replace(kind="mark") if place in single else token for place, token in enumerate(block)], ends


def _core(block: Sequence[Token], ends: dict[int, int]) -> tuple[int, int]:
    """What is left of a block without marks, elements without words, and tags around all of it at its two ends."""
    starts = {end: start for start, end in ends.items()}
    words = [0, *accumulate(_has_words([token]) for token in block)]  # how many tokens have some before each place
    start, stop = 0, len(block)
    while True:
        first, last = starts.get(stop - 1, stop - 1), ends.get(start, start)  # of the elements at the two ends
        if words[start] == words[last + 1] and _may_go(block[start]):
            start = last + 1
        elif words[first] == words[stop] and _may_go(block[stop - 1]):
            stop = first
        elif ends.get(start) == stop - 1:
            start, stop = start + 1, stop - 1
        else:
            return start, stop


class MarkupSegment:
    """A block's text, or a part of it, with what stands between its words."""

    def __init__(self, block: Sequence[Token], writing: Writing) -> None:
        self._tokens, self._writing = block, writing
        _, ends = _match_tags(block)
        starts = {end: start for start, end in ends.items()}
        shown: list[str] = []
        self._inline: list[str] = []  # what a translation has to have, as often
        self._raw_of: dict[str, str] = {}
        for place, (kind, raw, _) in enumerate(block):
            if kind == "text":
                shown.append(writing.read(raw))
                continue
            forms = {"open": f"<g{place}>", "close": f"</g{starts.get(place)}>", "mark": f"<x{place}>"}
            form = writing.read(raw) if kind == "kept" else forms[kind]
            shown.append(form)
            self._inline.append(form)
            self._raw_of[form] = raw
        self.line = "".join(shown)
        self._stretches = re.compile(f"({_PLACEHOLDER}{'|' if writing.kept else ''}{writing.kept})")
        self._with_words = _elements_with_words(self._stretches.split(self.line))

    def fill(self, translation: str) -> str | None:
        """The translation with the source's tags."""
        if translation == self.line:
            return _raw(self._tokens)
        if not self._raw_of:
            return self._writing.write(translation)
        parts = self._stretches.split(translation)
        if sorted(parts[1::2]) != sorted(self._inline) or _elements_with_words(parts) != self._with_words:
            return None
        written = self._writing.write
        parts[::2] = [written(part) for part in parts[::2]]
        parts[1::2] = [self._raw_of[part] for part in parts[1::2]]
        return "".join(parts)

    def apart(self) -> Document:
        """A segment for each text between tags."""
        parts: list[str | Segment] = []
        for token in self._tokens:
            parts += _read_block([token], self._writing) if token.kind == "text" else [token.raw]
        return Document(parts)


def _may_go(token: Token) -> bool:
    """Whether the model need not see it at an end of its line."""
    return token.kind not in ("text", "kept") or (token.kind == "text" and not token.raw.strip(SPACE))


def _has_words(block: Sequence[Token]) -> bool:
    return any(any(map(str.isalnum, html.unescape(token.raw))) for token in block if token.kind == "text")


def _elements_with_words(parts: Sequence[str]) -> set[str] | None:
    """The start tags of elements in which words stand; None where an end tag is not that of the last start tag.

    Args: parts: text, placeholder, text, ...
    """
    opened: list[tuple[str, int]] = []  # start tags and the words before them
    found, words = set(), 0
    for place, part in enumerate(parts):
        if place % 2 == 0:
            words += any(map(str.isalnum, part))
        elif part.startswith("<g"):
            opened.append((part, words))
        elif part.startswith("</"):
            tag, before = opened.pop() if opened else ("", 0)
            if tag != f"<{part[2:]}":
                return None
            if words > before:
                found.add(tag)
    return found


def _raw(block: Sequence[Token]) -> str:
    return "".join(token.raw for token in block)
