"""What prepared data depend on: corpora, tokenizers, settings. If any of it differs, they are stale.

Imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from nmt.config.settings import Config
from nmt.text.tokenizer import Tokenizers

# Of another layout, or made by other rules.
_VERSION = 2
# Of the settings of section `data`, those that preparing does not look at.
_UNUSED = ("validation", "test", "bleu_tokenize", "prefetch", "train")


def differs_by_epoch(config: Config) -> bool:
    """Whether an epoch's pairs, or their ids, are others than those of the epoch before."""
    data = config.data
    augments = data.case_augmentation or data.concatenation or config.protect
    parts = any(corpus.weight != int(corpus.weight) for corpus in data.train)
    return bool(config.tokenizer.sampling_alpha or augments or parts)


def fingerprint(config: Config, tokenizers: Tokenizers, files: dict[str, dict[str, Any]]) -> str:
    """SHA-256 of all that an epoch's prepared data depend on, beside its number.

    Args:
        files: as of `identities`.
    """
    corpora = [corpus.model_dump(mode="json") for corpus in config.data.train]
    depends = {
        "version": _VERSION,
        "seed": config.seed,
        "languages": [config.source_language, config.target_language],
        "data": config.data.model_dump(mode="json", exclude=set(_UNUSED)),
        "sampling_alpha": config.tokenizer.sampling_alpha,
        "protect": list(config.protect),
        "corpora": [{**corpus, **_content(corpus, files)} for corpus in corpora],
        "tokenizers": [hashlib.sha256(tokenizer.model).hexdigest() for tokenizer in tokenizers],
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def identities(config: Config, known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Size, time of change and SHA-256 of each training file, by path.

    Args:
        known: what this returned earlier. A file whose size and time have not changed since is not read again, so that
            a training on prepared data begins at once.
    """
    return {path: _identity(path, known.get(path, {})) for path in _paths(config)}


def _paths(config: Config) -> list[str]:
    return [path for corpus in config.data.train for path in corpus.files.values()]


def _identity(path: str, known: dict[str, Any]) -> dict[str, Any]:
    status = os.stat(path)
    now = {"bytes": status.st_size, "changed": status.st_mtime_ns}
    if now.items() <= known.items():
        return known
    with Path(path).open("rb") as file:
        return {**now, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _content(corpus: dict[str, Any], files: dict[str, dict[str, Any]]) -> dict[str, str]:
    """In place of each path what is in the file, so that files may be moved."""
    return {name: files[value]["sha256"] for name, value in corpus.items() if isinstance(value, str) and value in files}
