"""Suggested translations, as lines of a JSON file. No TensorFlow."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import HTTPException


class Suggestions:
    """Appends to a file; None = takes none."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        if path:
            open(path, "a").close()  # where it cannot be written, that is known at the start

    def add(self, suggestion: Mapping[str, str]) -> None:
        """Raises HTTPException 403 where none are taken."""
        if not self._path:
            raise HTTPException(403, "suggestions are not taken here")
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **suggestion}, ensure_ascii=False)
        with self._lock, open(self._path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
