"""Files that are written wholly or not at all: arrays and text. Imports no TensorFlow."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nmt.full_disk import naming

Arrays = Mapping[str, np.ndarray]
_METADATA = "metadata"


class DamagedFileError(ValueError):
    """A file of arrays differs from what was written."""


def save_arrays(path: Path, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
    """Writes one .npz file atomically: under another name, synced, then renamed."""
    content = json.dumps({"names": list(arrays), "metadata": metadata})
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        members: dict[str, Any] = {**arrays, _METADATA: np.frombuffer(content.encode(), np.uint8)}
        np.savez(file, allow_pickle=False, **members)


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `save_arrays` wrote: arrays and metadata.

    Raises:
        DamagedFileError: if a byte that matters has changed.
    """
    with open(path, "rb") as raw:
        try:
            with zipfile.ZipFile(raw) as archive:
                damaged = archive.testzip()
            if not damaged:
                raw.seek(0)
                with np.load(raw, allow_pickle=False) as file:
                    content = json.loads(file[_METADATA].tobytes())
                    return {name: file[name] for name in content["names"]}, content["metadata"]
        # What a changed byte makes of an archive: no member, another place or size, an unknown compression, a password.
        except (zipfile.BadZipFile, zlib.error, LookupError, ValueError, EOFError, OSError, RuntimeError) as error:
            damaged = str(error)
    raise DamagedFileError(f"{path} is damaged ({damaged})")


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, in UTF-8."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when all is written; a failure leaves the one before it, and nothing else."""
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with naming(path), open(unfinished, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """Makes a rename survive a power failure, where the system can."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
