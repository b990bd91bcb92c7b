"""Keeps two trainings from one run directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nmt.config.resuming import check_place


@contextmanager
def trained_alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """Locks a run's directory, which may be new, against other trainings; the lock ends with the process.

    Raises:
        ValueError: if another training holds the lock, or as `check_place`.
    """
    check_place(path)
    if os.name != "posix":  # without such locks
        yield
        return
    import fcntl

    Path(path).mkdir(parents=True, exist_ok=True)
    directory = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(directory)
        raise ValueError(
            f"{path}: another process trains this run: let it end, stop it, or choose another directory with run:"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            os.rmdir(path)  # if nothing was written
        os.close(directory)
