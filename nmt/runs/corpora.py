"""Whether a run's corpora are still those it was begun with: their sizes and hashes, in corpora.json.

Imports no TensorFlow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nmt.config.data import TextPair
from nmt.config.settings import Config
from nmt.runs.files import write_text
from nmt.text.known_files import sha256


def record_corpora(run: str | os.PathLike[str], config: Config) -> None:
    """Writes what the training and validation files of a new run are."""
    files = {name: _identity(path) for name, path in _files(config)}
    write_text(_record(run), json.dumps(files, indent=2, ensure_ascii=False) + "\n")


def changed_corpora(run: str | os.PathLike[str], config: Config) -> list[str]:
    """Names each file that is not what it was when the run was begun; none for a run that has no record."""
    if not _record(run).is_file():
        return []
    before = json.loads(_record(run).read_text(encoding="utf-8"))
    return [
        f"{name}: {path} has changed since {run} was begun ({_difference(before[name], now)})"
        for name, path in _files(config)
        if name in before and (now := _identity(path)) != before[name]
    ]


def _record(run: str | os.PathLike[str]) -> Path:
    return Path(run) / "corpora.json"


def _files(config: Config) -> Iterator[tuple[str, str]]:
    """Files by the settings that name them, so that they may be moved."""
    pairs: dict[str, TextPair] = {f"data.train[{number}]": corpus for number, corpus in enumerate(config.data.train)}
    for name, pair in {**pairs, "data.validation": config.data.validation}.items():
        for setting, path in pair.files.items():
            yield f"{name}.{setting}", path


def _identity(path: str) -> dict[str, Any]:
    return {"sha256": sha256(path), "bytes": os.stat(path).st_size}


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    if before["bytes"] == now["bytes"]:
        return f"{now['bytes']:,} bytes as before, but not the same"
    return f"{before['bytes']:,} bytes then, {now['bytes']:,} now"
