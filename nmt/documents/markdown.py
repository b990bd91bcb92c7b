"""Markdown: paragraphs, headings, items and cells are translated; code, links and all markup stay. No TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from nmt.documents.document import Document
from nmt.documents.file import File, Settings, Unit
from nmt.documents.html_tokens import tokens
from nmt.documents.kept import PLACEHOLDERS
from nmt.documents.markup import Token, Writing, read_blocks

_FRONT_MATTER = re.compile(r"\ufeff?---\r?\n.*?^---\r?(?:\n|$)", re.DOTALL | re.MULTILINE)
_BREAK = r"[ \t]*\r?\n[ \t>]*"  # in a paragraph, with what begins the next line of a quotation
_INLINE = re.compile(
    r"(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    rf"|(?P<mark>(?: {{2,}}|\\)\r?\n[ \t>]*|\\[!-/:-@\[-`{{-~]|!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])?)"
    r"|(?P<open>\[(?=[^\[\]]*\][(\[]))"
    r"|(?P<close>\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\]))"
    r"|(?P<reference>\[[^\[\]]*\])"
    r"|(?P<tag><[A-Za-z/!][^<>]*>)"
    r"|(?P<emphasis>\*{1,3}|~~|(?<![^\W_])_{1,3}(?=\S)|(?<=\S)_{1,3}(?![^\W_]))"
    rf"|(?P<kept>https?://[^\s<>)]+|{PLACEHOLDERS})",
    re.DOTALL,
)


def read_markdown(text: str, settings: Settings) -> File:
    """Raises: ValueError where the package that knows Markdown's blocks is missing."""
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise ValueError("Markdown needs markdown-it-py: `pip install recurrent-nmt[formats]`") from None
    matter = _FRONT_MATTER.match(text)
    hidden = re.sub(r"[^\n]", " ", matter[0]) + text[matter.end() :] if matter else text
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    units: list[Unit] = []
    left: Counter[str] = Counter()
    place = 0
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(hidden):
        if token.type != "inline" or token.map is None or not token.content:
            continue
        found = _region(text, token.content, max(place, starts[token.map[0]]))
        if found is None:
            left["written in an unusual way"] += 1
            continue
        start, place = found
        units.append(Unit(start, place, _document(text[start:place]), lambda each: each.text))
    return File(text, units, left)


def _region(text: str, content: str, place: int) -> tuple[int, int] | None:
    """Where the lines of a block stand, without what begins them; None where they are not as in the text."""
    first, *rest = content.split("\n")
    start = text.find(first, place)
    if start < 0:
        return None
    end = start + len(first)
    for line in rest:
        between = re.compile(_BREAK).match(text, end)
        if between is None or not text.startswith(line, between.end()):
            return None
        end = between.end() + len(line)
    return start, end


def _document(region: str) -> Document:
    writing = Writing(lambda raw: re.sub(_BREAK, " ", raw), lambda text: re.sub(r"([*`<\[])", r"\\\1", text))
    return read_blocks(_tokens(region), lambda block: writing)


def _tokens(region: str) -> Iterator[Token]:
    place = 0
    opened: list[str] = []
    for match in _INLINE.finditer(region):
        if match.start() > place:
            yield Token("text", region[place : match.start()])
        kind, raw, place = match.lastgroup or "", match[0], match.end()
        if match["code"] or kind in ("mark", "reference"):
            yield Token("mark", raw)
        elif kind in ("open", "close"):
            yield Token(kind, raw, "link")
        elif kind == "tag":
            yield from tokens(raw)
        elif kind == "emphasis":
            yield _emphasis(region, match, opened)
        else:
            yield Token("mark", raw)
    if place < len(region):
        yield Token("text", region[place:])


def _emphasis(region: str, match: re.Match[str], opened: list[str]) -> Token:
    """What opens or closes emphasis; a star between spaces is a star."""
    raw = match[0]
    before, after = region[: match.start()][-1:], region[match.end() :][:1]
    if raw in opened and before.strip():
        while opened.pop() != raw:
            pass
        return Token("close", raw, raw)
    if after.strip():
        opened.append(raw)
        return Token("open", raw, raw)
    return Token("mark", raw)
