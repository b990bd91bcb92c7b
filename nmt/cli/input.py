"""Lines to translate, as bytes, from files, pipes and the keyboard.

A line ends at "\\n" and nowhere else, and its bytes need not be UTF-8, so that each line in is one line out; the "\\r"
of Windows line ends and a byte order mark at the start of a file are no part of the text. Imports no TensorFlow.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import BinaryIO

from nmt.text.opening import open_text, text_of
from nmt.text.windows import WINDOW_LINES

_BLOCK_BYTES = 1 << 20
_PAUSE_SECONDS = 0.05


def standard_input() -> BinaryIO:
    """Raises: ValueError where the process has been started without one."""
    if sys.stdin is None:
        raise ValueError("stdin is closed: name a FILE")
    return text_of(sys.stdin.buffer, "stdin")


def open_input(path: str) -> BinaryIO:
    """A file of lines; "-" is stdin."""
    return standard_input() if path == "-" else open_text(path)


def windows(file: BinaryIO, *, size: int = WINDOW_LINES) -> Iterator[list[bytes]]:
    """The lines of a file, at most `size` at a time; fewer where a pipe pauses, for someone may wait for the answer."""
    lines: list[bytes] = []
    rest = b""
    block = _read(file).removeprefix(codecs.BOM_UTF8) or _read(file)
    while block:
        *complete, rest = (rest + block).split(b"\n")
        lines += [line.removesuffix(b"\r") for line in complete]
        while len(lines) >= size:
            yield lines[:size]
            del lines[:size]
        if lines and _pauses(file):
            yield lines
            lines = []
        block = _read(file)
    if rest:
        lines.append(rest.removesuffix(b"\r"))
    if lines:
        yield lines


def count_lines(path: str) -> int:
    """How many lines `windows` will give of a file."""
    lines, last = 0, b"\n"
    with open_input(path) as file:
        while block := _read(file):
            lines += block.count(b"\n")
            last = block
    return lines + (not last.endswith(b"\n"))


def typed_lines() -> Iterator[list[bytes]]:
    """Lines typed at a prompt, one at a time, until end of file (Ctrl-D)."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (gives input() line editing and a history)
    prompt = "> " if sys.stdout.isatty() else ""  # it would stand in a file between the translations
    while True:
        try:
            line = input(prompt)
        except EOFError:
            print(end="\n" if prompt else "")
            return
        yield [line.encode("utf-8", "surrogateescape")]


def _read(file: BinaryIO) -> bytes:
    """Some bytes as soon as there are any; none at the end."""
    return file.read1(_BLOCK_BYTES)  # type: ignore[attr-defined]


def _pauses(file: BinaryIO) -> bool:
    """Whether nothing more comes at once; a regular file never pauses."""
    if os.name == "nt":  # there, select is for sockets only
        return False
    try:
        return not select.select([file], [], [], _PAUSE_SECONDS)[0]
    except io.UnsupportedOperation:
        return False
