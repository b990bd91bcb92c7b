"""Translates files in the formats people have, by the end of their name. Imports no TensorFlow.

All that is not translated stays byte for byte, line ends and encoding, too.
"""

from __future__ import annotations

import codecs
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import NamedTuple

from nmt.documents.android import read_strings
from nmt.documents.document import Document, Translate
from nmt.documents.file import File, Settings, Unit, translate_file
from nmt.documents.html_document import read_html
from nmt.documents.json_resources import read_json
from nmt.documents.markdown import read_markdown
from nmt.documents.office import translate_office
from nmt.documents.po import read_po
from nmt.documents.properties import read_properties
from nmt.documents.qt import read_ts
from nmt.documents.subtitles import read_subtitles
from nmt.documents.tmx import read_tmx
from nmt.documents.xliff import read_xliff

Reader = Callable[[str, Settings], File]
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = re.compile(
    rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)[\"']|^\"Content-Type:[^\"]*charset=([\w.-]+)", re.MULTILINE
)
_HEAD_BYTES = 4096


class Result(NamedTuple):
    """A translated file."""

    content: bytes
    translated: int  # lines
    degenerate: int  # of them, those that look wrong
    left_alone: Counter[str]  # units, by reason


def _whole(read: Callable[[str], Document]) -> Reader:
    """A reader of files that are one document."""

    def read_file(text: str, settings: Settings) -> File:
        return File(text, [Unit(0, len(text), read(text), lambda found: found.text)], Counter())

    return read_file


READERS: dict[str, Reader] = {
    ".po": read_po,
    ".pot": read_po,
    ".xlf": read_xliff,
    ".xliff": read_xliff,
    ".tmx": read_tmx,
    ".ts": read_ts,
    ".properties": read_properties,
    ".xml": read_strings,
    ".json": read_json,
    ".arb": read_json,
    ".srt": read_subtitles,
    ".vtt": read_subtitles,
    ".html": _whole(read_html),
    ".htm": _whole(read_html),
    ".xhtml": _whole(read_html),
    ".md": read_markdown,
}
OFFICE = (".docx", ".odt")


def is_document(path: str) -> bool:
    """Whether the file is translated as a document, and not line by line."""
    return PurePath(path).suffix.lower() in (*READERS, *OFFICE)


def translate_document(path: str | os.PathLike[str], translate: Translate, settings: Settings) -> Result:
    """The same file with its texts translated.

    Args: translate: lines -> their translations, such as the `translate` of what `nmt.load` returns.
    Raises: ValueError where the file cannot be read as what its name says; names the file and the line.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    try:
        if suffix in OFFICE:
            return Result(*translate_office(content, translate), Counter())
        text, encoding = _decoded(content, suffix)
        file = READERS[suffix](text, settings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    done = translate_file(file, translate)
    errors = "xmlcharrefreplace" if text.lstrip("\ufeff").startswith("<") else "strict"
    try:
        encoded = done.text.encode(encoding, errors)
    except UnicodeEncodeError as error:
        letter = done.text[error.start]
        raise ValueError(f"{path} is in {encoding}, which has no {letter!r}: convert it to UTF-8 first") from None
    return Result(encoded, done.translated, done.degenerate, file.left_alone)


def _decoded(content: bytes, suffix: str) -> tuple[str, str]:
    """A file's text, from which its bytes can be made again, and the encoding."""
    declared = _DECLARED.search(content[:_HEAD_BYTES])
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), None)
    if encoding is None and declared:
        encoding = (declared[1] or declared[2]).decode().lower()
    # A template's charset is still to be filled in.
    encoding = "utf-8" if encoding in (None, "charset", "utf8", "ascii", "us-ascii") else encoding
    try:
        text = content.decode(encoding)
        if text.encode(encoding) == content:
            return text, encoding
    except LookupError:
        raise ValueError(f"encoding {encoding} is not known: convert the file to UTF-8") from None
    except UnicodeDecodeError as error:
        if suffix == ".properties":  # by its standard
            return content.decode("latin-1"), "latin-1"
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: not {encoding}: byte 0x{content[error.start]:02x}") from None
    raise ValueError(f"not plain {encoding}: convert the file to UTF-8")
