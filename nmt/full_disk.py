"""Errors of a full disk, with the name of the file that was being written. Imports no TensorFlow."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

# What writing raises, without the file's name, where a disk, a quota or a size limit leaves no room.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_no_room(error: OSError) -> bool:
    """Whether a disk, a quota or a size limit leaves no room to write."""
    return error.errno in _NO_ROOM


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Gives errors of a full disk the name of the file that is written inside."""
    try:
        yield
    except OSError as error:
        if is_no_room(error) and error.filename is None:
            error.filename = os.fspath(path)
        raise
