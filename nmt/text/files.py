"""Reads aligned text files; errors name file and line.

A line ends at "\\n" and nowhere else (not at U+2028 or a lone "\\r", where other tools lose the alignment); the "\\r"
of Windows line ends and a byte order mark at the start of a file are not part of the text.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeVar

from nmt.config.data import TextPair
from nmt.text.opening import DamagedError, open_text

_BLOCK_BYTES = 1 << 20
Item = TypeVar("Item")


def read_lines(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the lines of a text file, without their line ends; the whole file is never in memory.

    Raises:
        ValueError: if the file cannot be read or unpacked, or is not UTF-8; names the file and the line.
    """
    number = 0
    with open_text(path) as file:
        try:
            for number, line in enumerate(file, start=1):
                line = line.removesuffix(b"\n").removesuffix(b"\r")
                yield (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_utf8(path, number, error) from None
        except (DamagedError, OSError) as error:
            raise _unreadable(path, number, error) from None


def count_lines(path: str | os.PathLike[str]) -> int:
    """Number of lines of a file. Reads all of it once, so afterwards it is known to be readable UTF-8.

    A last line without a line end counts. Cached until the file's size or modification time changes.

    Raises:
        ValueError: as `read_lines`, and for a pipe.
    """
    with open_text(path) as file:
        status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is no regular file, and has to be read more than once: write it to a file first")
    return _count_lines(os.fspath(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _count_lines(path: str, size: int, changed: int) -> int:
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


def count_pairs(pair: TextPair) -> int:
    """Number of pairs of two aligned files.

    Raises:
        ValueError: if the files differ in their number of lines (names both), or as `read_lines`.
    """
    sources, targets = count_lines(pair.source), count_lines(pair.target)
    if sources != targets:
        raise ValueError(
            f"{pair.source} has {sources:,} lines but {pair.target} has {targets:,}: line n of one must be the "
            f"translation of line n of the other. Find where they part before training on them."
        )
    return sources


def read_pairs(pair: TextPair) -> Iterator[tuple[str, str]]:
    """Yields (source line, target line) of two aligned files.

    Raises:
        ValueError: as `count_pairs`, before the first pair.
    """
    count_pairs(pair)
    yield from zip(read_lines(pair.source), read_lines(pair.target), strict=True)


def _unreadable(path: str | os.PathLike[str], lines: int, error: Exception) -> ValueError:
    damage = error if isinstance(error, DamagedError) else f"{path} cannot be read: {error}"
    return ValueError(f"{damage} (behind line {lines:,})")


def _not_utf8(path: str | os.PathLike[str], number: int, error: UnicodeDecodeError) -> ValueError:
    return ValueError(
        f"{path}:{number}: not UTF-8 (byte 0x{error.object[error.start]:02x}). Convert the file to UTF-8 "
        "(`iconv -f ENCODING -t UTF-8`), or correct or remove the line on both sides."
    )


def evenly(items: Iterable[Item], *, total: int, keep: int) -> Iterator[Item]:
    """At most `keep` of the `total` items, evenly spaced; reads all of them."""
    for position, item in enumerate(items):
        if total <= keep or (position + 1) * keep // total > position * keep // total:
            yield item
