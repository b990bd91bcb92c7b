"""Android's strings.xml: each text becomes its translation. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter

from nmt.documents.file import File, Settings, Unit
from nmt.documents.kept import CHOICE
from nmt.documents.xml_tree import read_content, read_xml

# \n and \u0020 are read; a line break in the text ends a line.
_LINE_BREAK = r"[\r\n]+|(?:\\n)+"
_CODES = frozenset(["g"])  # xliff:g: what is not to be translated


def read_strings(text: str, settings: Settings) -> File:
    """Raises: ValueError where the text is not XML; names the line."""
    units: list[Unit] = []
    left: Counter[str] = Counter()
    root = read_xml(text)
    for parent in root.all("string", "string-array", "plurals"):
        for element in [parent] if parent.name == "string" else parent.all("item"):
            content = text[slice(*element.content)]
            if parent.attributes.get("translatable") == "false" or content.strip().startswith(("@", "?")):
                left["not to be translated"] += 1
            elif CHOICE.search(content):
                left["a choice of texts"] += 1
            elif content.strip():
                document = read_content(
                    text, element, codes=_CODES, line_break=_LINE_BREAK, escapes=_written, unescapes=_read
                )
                units.append(Unit(*element.content, document, lambda found: found.text))
    return File(text, units, left)


def _read(text: str) -> str:
    return re.sub(r"\\(?:u([0-9A-Fa-f]{4})|(.))", lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)


def _written(text: str) -> str:
    text = re.sub(r"([\\'\"])", r"\\\1", text)
    return re.sub("^[@?]", r"\\\g<0>", text)
