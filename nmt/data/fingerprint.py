"""What prepared data depend on: corpora, tokenizers, settings. If any of it differs, they are stale.

Imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json

from nmt.config.data import Corpus
from nmt.config.settings import Config
from nmt.text.known_files import sha256
from nmt.text.tokenizer import Tokenizers

# Of another layout, or made by other rules.
_VERSION = 3
# Of the settings of section `data`, those that preparing does not look at.
_UNUSED = ("validation", "test", "bleu_tokenize", "prefetch", "train")


def differs_by_epoch(config: Config) -> bool:
    """Whether an epoch's pairs, or their ids, are others than those of the epoch before."""
    data = config.data
    augments = data.case_augmentation or data.concatenation or config.protect
    parts = any(corpus.weight != int(corpus.weight) for corpus in data.train)
    return bool(config.tokenizer.sampling_alpha or augments or parts)


def fingerprint(config: Config, tokenizers: Tokenizers) -> str:
    """SHA-256 of all that an epoch's prepared data depend on, beside its number."""
    depends = {
        "version": _VERSION,
        "seed": config.seed,
        "languages": [config.source_language, config.target_language],
        "data": config.data.model_dump(mode="json", exclude=set(_UNUSED)),
        "sampling_alpha": config.tokenizer.sampling_alpha,
        "protect": list(config.protect),
        "corpora": [{**corpus.model_dump(mode="json"), **_content(corpus)} for corpus in config.data.train],
        "tokenizers": [hashlib.sha256(tokenizer.model).hexdigest() for tokenizer in tokenizers],
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def _content(corpus: Corpus) -> dict[str, str]:
    """In place of each path what is in the file, so that files may be moved."""
    return {setting: sha256(path) for setting, path in corpus.files.items()}
