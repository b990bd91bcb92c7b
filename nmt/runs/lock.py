"""Keeps two processes from writing into one directory."""

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
    busy = f"{path}: another process trains this run: let it end, stop it, or choose another directory with run:"
    with locked(path, busy):
        yield


@contextmanager
def locked(path: str | os.PathLike[str], refusal: str) -> Iterator[None]:
    """Locks a directory, which may be new, against other processes that lock it; the lock ends with the process.

    Raises:
        ValueError: with `refusal`, if another process holds the lock.
    """
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
        raise ValueError(refusal) from None
    try:
        yield
    finally:
        with suppress(OSError):
            os.rmdir(path)  # if nothing was written
        os.close(directory)
