"""What a translation has to have as its source has it: placeholders and tags in running text. No TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nmt.documents.document import Document
from nmt.documents.markup import Token, Writing, read_blocks

# C's and Python's %s, %1$d, %(name)s, Qt's %1 and %n; {0}, {name}, ${name}, $(name).
PLACEHOLDERS = (
    r"%(?:\d+\$|\(\w+\))?[-+#0']*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:(?:hh|ll|[hlLqjzt])?[diouxXeEfFgGaAcspn@%]|<\w+>)"
    r"|%L?[1-9]\d?|\$?\{+[^{}]*\}+|\$\([\w.]+\)"
)
TAGS = r"</?[A-Za-z][^<>]*>"
# A message that chooses between several texts is no sentence.
CHOICE = re.compile(r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal|choice)\s*,")


def text_tokens(text: str, kept: str, *, line_break: str = r"[\r\n]+") -> Iterator[Token]:
    """Text with what is kept in it; a line break ends a block."""
    for number, part in enumerate(re.split(f"({line_break})", text)):
        if number % 2:
            yield Token("block", part)
            continue
        for place, stretch in enumerate(re.split(f"({kept})", part)):
            if stretch:
                yield Token("kept" if place % 2 else "text", stretch)


def read_plain(text: str) -> Document:
    """Running text, line by line, with placeholders and tags."""
    kept = f"{PLACEHOLDERS}|{TAGS}"
    return read_blocks(text_tokens(text, kept), lambda block: Writing(str, str, kept))
