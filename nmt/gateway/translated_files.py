"""Translated files until they are fetched: an hour long, in a temporary directory. No TensorFlow."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from pathlib import Path

KEPT_SECONDS = 3600
KEPT_FILES = 500


class TranslatedFiles:
    """Keeps files under names that nobody can guess; the directory goes when the process ends."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="nmt-gateway-")
        self._until: dict[str, float] = {}  # name -> when it is deleted, the first to go first
        self._lock = threading.Lock()

    def keep(self, content: bytes, suffix: str) -> str:
        """Stores a file and gives its name. Deletes those that are too old or too many."""
        name, now = secrets.token_urlsafe(24) + suffix, time.monotonic()
        with self._lock:
            self._path(name).write_bytes(content)
            self._until[name] = now + KEPT_SECONDS
            while len(self._until) > KEPT_FILES or next(iter(self._until.values())) < now:
                oldest = next(iter(self._until))
                del self._until[oldest]
                self._path(oldest).unlink()
        return name

    def read(self, name: str) -> bytes | None:
        """The file that `keep` gave this name; None where it was none, or is not kept any more."""
        with self._lock:
            return self._path(name).read_bytes() if self._until.get(name, 0.0) > time.monotonic() else None

    def _path(self, name: str) -> Path:
        return Path(self._directory.name, name)
