"""Opens text for every command: unpacks what is compressed, whatever its name, and refuses what is no UTF-8 text.

The first bytes decide, so it works for pipes as for files, and a pipe's first line is there as soon as it is written.
Single bytes that are not UTF-8 are none of its business. Imports no TensorFlow.
"""

from __future__ import annotations

import bz2
import codecs
import io
import lzma
import os
import stat
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

_BLOCK_BYTES = 1 << 16
_LONGEST_MAGIC = 16
# UTF-16 without a byte order mark: how much is looked at, and how many control characters UTF-8 text may have.
_FEWEST_BYTES, _LOOKED_AT = 8, 4096
_CONTROL_SHARE = 0.02


class DamagedError(ValueError):
    """Compressed text that cannot be unpacked to its end."""


class _Compression(NamedTuple):
    name: str
    suffix: str
    magic: bytes
    decompressor: Callable[[], Any]


def _zstd() -> Any:
    try:
        import zstandard
    except ImportError:
        raise ValueError(
            "unpacking zstd needs a package that is not installed: `pip install zstandard`, or unpack the text first "
            "with `zstd -d`"
        ) from None
    return zstandard.ZstdDecompressor().decompressobj()


_COMPRESSIONS = (
    _Compression("gzip", ".gz", b"\x1f\x8b", partial(zlib.decompressobj, wbits=31)),
    _Compression("bzip2", ".bz2", b"BZh91AY&SY", bz2.BZ2Decompressor),
    _Compression("xz", ".xz", b"\xfd7zXZ\0", lzma.LZMADecompressor),
    _Compression("zstd", ".zst", b"\x28\xb5\x2f\xfd", _zstd),
)
COMPRESSED_SUFFIXES = tuple(compression.suffix for compression in _COMPRESSIONS)
_Check = Callable[[Iterator[bytes], str], Iterator[bytes]]  # of the unpacked blocks of a file, and its name
_ICONV = "convert it with `iconv -f {0} -t UTF-8`"
# First bytes of what is no UTF-8 text: what it is, and what to do. UTF-32 begins as UTF-16 does, so it comes before.
_REFUSED = (
    (codecs.BOM_UTF32_LE, "UTF-32 text", _ICONV.format("UTF-32")),
    (codecs.BOM_UTF32_BE, "UTF-32 text", _ICONV.format("UTF-32")),
    (codecs.BOM_UTF16_LE, "UTF-16 text", _ICONV.format("UTF-16")),
    (codecs.BOM_UTF16_BE, "UTF-16 text", _ICONV.format("UTF-16")),
    (b"%PDF-", "a PDF document", "extract its text, for example with `pdftotext`"),
    (b"PK\x03\x04", "a ZIP archive or an office document", "unpack it, or save the document as plain UTF-8 text"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document", "save it as plain UTF-8 text"),
    (b"{\\rtf", "an RTF document", "save it as plain UTF-8 text"),
    (b"SQLite format 3\0", "an SQLite database", "export its text as plain UTF-8 lines"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
)


def open_text(path: str | os.PathLike[str]) -> BinaryIO:
    """A file of text as bytes, unpacked.

    Raises:
        ValueError: if it cannot be opened or is no UTF-8 text. Of a pipe, the first read tells the latter.
    """
    return _open(path, _text_of)


def is_compressed(path: str | os.PathLike[str]) -> bool:
    """Whether a file has to be unpacked before its text can be read.

    Raises:
        ValueError: as `open_text`.
    """
    with open_text(path):
        pass
    with open(path, "rb") as file:
        return file.read(_LONGEST_MAGIC).startswith(tuple(compression.magic for compression in _COMPRESSIONS))


def open_bytes(path: str | os.PathLike[str]) -> BinaryIO:
    """A file of whatever kind, unpacked: what reads it knows its encoding, as XML's readers do.

    Raises:
        ValueError: if it cannot be opened.
    """
    return _open(path, lambda blocks, name: blocks)


def _open(path: str | os.PathLike[str], check: _Check) -> BinaryIO:
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory: a text file is needed, plain or compressed")
    try:
        return _started(open(path, "rb"), str(path), check, owned=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file (looked from {Path.cwd()})") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from None


def text_of(file: BinaryIO, name: str, *, owned: bool = False) -> BinaryIO:
    """As `open_text`, of a file that is open already, such as stdin; `name` stands in errors.

    Args: owned: whether `file` is closed with the text.
    """
    return _started(file, name, _text_of, owned=owned)


def size_and_change(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Size and time of modification of a file, by which what is known of it stays known.

    Raises:
        ValueError: if it cannot be opened, or is a pipe.
    """
    with open_bytes(path) as file:
        status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is no regular file, and has to be read more than once: write it to a file first")
    return status.st_size, status.st_mtime_ns


def _started(file: BinaryIO, name: str, check: _Check, *, owned: bool) -> BinaryIO:
    text = io.BufferedReader(_Blocks(file, name, check, owned), _BLOCK_BYTES)
    try:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe may have nothing to say yet
            text.peek(1)
    except io.UnsupportedOperation:
        pass
    except ValueError:
        text.close()
        raise
    return text  # type: ignore[return-value]


class _Blocks(io.RawIOBase):
    """Unpacked blocks as a file; a read gives what there is and does not wait for more."""

    def __init__(self, file: BinaryIO, name: str, check: _Check, owned: bool) -> None:
        self._file, self.name, self._owned = file, name, owned
        self._blocks = check(_unpacked(file, name), name)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        if self._owned:
            self._file.close()
        super().close()


def _unpacked(file: BinaryIO, name: str) -> Iterator[bytes]:
    read = partial(file.read1, _BLOCK_BYTES)  # type: ignore[attr-defined]
    start = b""
    while len(start) < _LONGEST_MAGIC and b"\n" not in start and (block := read()):
        start += block
    blocks = chain([start], iter(read, b""))
    for compression in _COMPRESSIONS:
        if start.startswith(compression.magic):
            yield from _decompressed(blocks, compression, name)
            return
        if start and name.lower().endswith(compression.suffix):
            raise DamagedError(f"{name}: a damaged {compression.suffix}: it does not begin as {compression.name} does")
    yield from blocks


def _decompressed(blocks: Iterable[bytes], compression: _Compression, name: str) -> Iterator[bytes]:
    """Several compressed files one after another are one text; zeros between them are padding.

    Raises: DamagedError.
    """
    decompressor = None
    try:
        for block in blocks:
            while decompressor or (block := block.lstrip(b"\0")):
                decompressor = decompressor or compression.decompressor()
                yield decompressor.decompress(block)
                if not decompressor.eof:
                    break
                block, decompressor = decompressor.unused_data, None
    except ValueError:  # no package for it
        raise
    except Exception as error:  # each library has its own
        raise DamagedError(f"{name}: a damaged {compression.suffix}: {error}") from None
    if decompressor:
        raise DamagedError(f"{name}: a damaged {compression.suffix}: it ends too early")


def _text_of(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The blocks, if the first shows no other kind of file.

    Raises: ValueError.
    """
    start = next(filter(None, blocks), b"")
    for magic, what, advice in _REFUSED:
        if start.startswith(magic):
            raise ValueError(f"{name} is {what}, but UTF-8 text was expected, plain or compressed: {advice}")
    if order := _utf16_order(start):
        advice = _ICONV.format(f"UTF-16{order}")
        raise ValueError(f"{name} looks like UTF-16 without a byte order mark, but UTF-8 was expected: {advice}")
    yield from chain([start], blocks)


def _utf16_order(start: bytes) -> str | None:
    """ "LE" or "BE" where bytes are no UTF-8 text, but as UTF-16 only assigned characters, some of them white space."""
    start = start[:_LOOKED_AT]
    if len(start) < _FEWEST_BYTES or _is_textual(start):
        return None
    for order in ("LE", "BE"):
        text = codecs.getincrementaldecoder(f"utf-16-{order}")("replace").decode(start)
        spaces = sum(map(text.count, " \t\r\n"))
        if spaces and not any(unicodedata.category(letter)[0] == "C" for letter in text if letter not in "\t\r\n"):
            return order
    return None


def _is_textual(start: bytes) -> bool:
    """Whether bytes are UTF-8, but for the end where a character may be cut, with hardly a control character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return sum(byte < ord(" ") and byte not in b"\t\r\n" for byte in start) <= _CONTROL_SHARE * len(start)
