"""Files that commands write: aside, then renamed, so that a failure leaves what was there. Imports no TensorFlow."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nmt.full_disk import naming


@contextmanager
def output_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file of bytes to write; it is compressed if its name ends in .gz.

    After a failure what was written is in FILE.unfinished, for it may have taken hours; stderr says so. What is no
    regular file, such as a pipe, is written directly.
    """
    path = Path(path)
    special = path.exists() and not path.is_file()
    target = path if special else path.resolve()
    aside = target if special else target.with_name(target.name + ".unfinished")
    with naming(path):
        try:
            with _open(aside, packed=target.suffix.lower() == ".gz") as file:
                yield file
        except BaseException as error:
            if not special and aside.is_file():
                _leave(aside)
            if isinstance(error, OSError) and error.filename == str(aside):
                error.filename = str(path)
            raise
    if not special:
        if target.exists():
            shutil.copymode(target, aside)
        os.replace(aside, target)


def _open(path: Path, *, packed: bool) -> BinaryIO:
    return gzip.open(path, "wb") if packed else open(path, "wb")  # type: ignore[return-value]


def _leave(unfinished: Path) -> None:
    if unfinished.stat().st_size:
        print(f"what had been written by then is in {unfinished}", file=sys.stderr)
    else:
        unfinished.unlink()
