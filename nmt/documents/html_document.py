"""HTML as a document. No TensorFlow."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence

from nmt.documents.document import Document
from nmt.documents.html_tokens import tokens
from nmt.documents.markup import SPACE, Token, Writing, read_blocks

_REFERENCES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def read_html(source: str) -> Document:
    """A page, or a part of one. Never fails: what cannot be understood stays."""
    return read_blocks(tokens(source), _writing)


def _writing(block: Sequence[Token]) -> Writing:
    """White space is one space."""
    return Writing(lambda raw: re.sub(f"[{SPACE}]+", " ", html.unescape(raw)), references(block))


def references(block: Sequence[Token]) -> Callable[[str], str]:
    """Writes characters as references where XML needs it, or the source has them so."""
    written = {ord(character): reference for character, reference in _REFERENCES}
    text = "".join(token.raw for token in block if token.kind == "text")
    for reference in re.findall("&#?[A-Za-z0-9]+;", text):
        if len(character := html.unescape(reference)) == 1:
            written[ord(character)] = reference
    return lambda text: text.translate(written)
