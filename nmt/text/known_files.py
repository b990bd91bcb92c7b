"""What was found by reading files whole, such as their number of lines: remembered until their size or time of change
differs, and kept in a file for the next process, so that a training of any size is resumed at once.

Imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nmt.full_disk import naming
from nmt.text.opening import size_and_change

_known: dict[str, list[Any]] = {}  # by question and path: size, time of change, answer


def known(question: str, path: str | os.PathLike[str], find: Callable[[], Any]) -> Any:
    """What `find` returns, something that JSON can hold, or returned when it was last asked that of the same file.

    Raises:
        ValueError: as `size_and_change`.
    """
    state, key = list(size_and_change(path)), f"{question} {os.path.abspath(path)}"
    if _known.get(key, [])[:2] != state:
        _known[key] = [*state, find()]
    return _known[key][2]


def sha256(path: str | os.PathLike[str]) -> str:
    """In hexadecimal digits.

    Raises:
        ValueError: as `size_and_change`.
    """

    def find() -> str:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return str(known("sha256", path, find))


def take_over(file: Path) -> None:
    """Adds what another process has kept, if there is such a file."""
    with suppress(FileNotFoundError, json.JSONDecodeError):
        _known.update(json.loads(file.read_bytes()))


def keep(file: Path) -> None:
    """Writes what is known.

    Raises:
        OSError: where there is no room.
    """
    content = json.dumps(_known, indent=1)
    if not file.is_file() or file.read_text() != content:
        file.parent.mkdir(parents=True, exist_ok=True)
        with naming(file):
            file.write_text(content)
