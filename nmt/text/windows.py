"""A file of any size in windows of lines to translate, each of which can be read on its own.

A line ends at "\\n" and nowhere else, and its bytes need not be UTF-8, so that each line in is one line out; the "\\r"
of Windows line ends and a byte order mark at the start of a file are no part of the text. Imports no TensorFlow.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

from nmt.text.opening import is_compressed, open_text

WINDOW_LINES = 2000


class Window(NamedTuple):
    """Lines that follow one another in a file."""

    number: int
    start: int  # in bytes
    size: int  # in bytes
    content: bytes | None  # what has to be carried along, as it cannot be read from the middle of a compressed file


def find_windows(path: str | os.PathLike[str], *, lines: int = WINDOW_LINES) -> Iterator[Window]:
    """The windows of a file, of so many lines but for the last.

    Raises:
        ValueError: if it cannot be opened or is no text.
    """
    compressed = is_compressed(path)
    with open_text(path) as file:
        start = len(codecs.BOM_UTF8) if file.peek(3).startswith(codecs.BOM_UTF8) else 0  # type: ignore[attr-defined]
        file.read(start)
        for number in count():
            content = b"".join(islice(file, lines))
            if not content:
                return
            yield Window(number, start, len(content), content if compressed else None)
            start += len(content)


def read_window(path: str | os.PathLike[str], window: Window) -> list[bytes]:
    """The lines of a window of a file."""
    content = window.content
    if content is None:
        with open(path, "rb") as file:
            file.seek(window.start)
            content = file.read(window.size)
    lines = content.removesuffix(b"\n").split(b"\n")
    return [line.removesuffix(b"\r") for line in lines]
