"""Reads lines of text files; errors name file and line.

A line ends at "\\n" and nowhere else (not at U+2028 or a lone "\\r", where other tools lose the alignment); the "\\r"
of Windows line ends and a byte order mark at the start of a file are not part of the text.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from typing import BinaryIO

from nmt.text.known_files import known
from nmt.text.opening import DamagedError, open_text

_BLOCK_BYTES = 1 << 20


def read_lines(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the lines of a text file, without their line ends; the whole file is never in memory.

    Raises:
        ValueError: if the file cannot be read or unpacked, or is not UTF-8; names the file and the line.
    """
    with open_text(path) as file:
        yield from _decoded(file, path, first=1)


def read_lines_from(path: str | os.PathLike[str], *, offset: int, first: int) -> Iterator[str]:
    """Yields the lines of a plain text file from a byte on, where the line with the number `first` begins.

    Raises:
        ValueError: as `read_lines`.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        yield from _decoded(file, path, first=first)


def _decoded(file: BinaryIO, path: str | os.PathLike[str], *, first: int) -> Iterator[str]:
    number = first - 1
    try:
        for number, line in enumerate(file, start=first):
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            yield (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, number, error) from None
    except (DamagedError, OSError) as error:
        raise _unreadable(path, number, error) from None


def count_lines(path: str | os.PathLike[str]) -> int:
    """Number of lines of a file. Reads all of it once, so afterwards it is known to be readable UTF-8.

    A last line without a line end counts. Remembered, as known_files.py says.

    Raises:
        ValueError: as `read_lines`, and for a pipe.
    """
    return int(known("lines", path, lambda: _count_lines(path)))


def _count_lines(path: str | os.PathLike[str]) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, last = 0, b"\n"
    with open_text(path) as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
                lines += block.count(b"\n")
                last = block[-1:]
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise _not_utf8(path, lines + error.object[: error.start].count(b"\n") + 1, error) from None
        except (DamagedError, OSError) as error:
            raise _unreadable(path, lines, error) from None
    return lines + (last != b"\n")


def _unreadable(path: str | os.PathLike[str], lines: int, error: Exception) -> ValueError:
    damage = error if isinstance(error, DamagedError) else f"{path} cannot be read: {error}"
    return ValueError(f"{damage} (behind line {lines:,})")


def _not_utf8(path: str | os.PathLike[str], number: int, error: UnicodeDecodeError) -> ValueError:
    return ValueError(
        f"{path}:{number}: not UTF-8 (byte 0x{error.object[error.start]:02x}). Convert the file to UTF-8 "
        "(`iconv -f ENCODING -t UTF-8`), or correct or remove the line on both sides."
    )
