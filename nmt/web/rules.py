"""What the page needs to know of text: tokenizers, patterns and settings, as text.json.

The page's regular expressions are Python's own, written as JavaScript has them (its flag `u`). Imports no TensorFlow.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np

from nmt.config.search import SearchConfig
from nmt.runs.run import Run
from nmt.text.invisible import BLANK, SUBSTITUTIONS
from nmt.text.sentencepiece_model import BPE, Model
from nmt.text.span_spaces import PATTERNS as SPACES
from nmt.text.splitter import Splitter
from nmt.text.tokenizer import UNK, Tokenizer

# The settings of a search that the page follows.
_SETTINGS = (
    "beam_size",
    "length_penalty",
    "coverage_penalty",
    "min_length_ratio",
    "max_length_ratio",
    "max_length_extra",
    "no_repeat_ngram",
    "repetition_penalty",
    "guard",
    "guard_max_repeats",
    "guard_min_length_ratio",
    "guard_min_coverage",
    "max_source_length",
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_KEPT_ESCAPES = set("^$\\.*+?()[]{}|/-") | set("xundtrswbDSWB") | set("0123456789")


def check_page(search: SearchConfig, *, has_glossary: bool) -> None:
    """Raises ValueError for what the page cannot do."""
    if has_glossary:
        raise ValueError("the page in the browser knows no glossary: export without --web, or without the glossary")
    if search.sampling:
        raise ValueError("the page in the browser does not sample: set search.sampling=false, or export without --web")


def rules(run: Run) -> dict[str, Any]:
    """All that the page needs of a run but its model; for json.dumps.

    Raises: ValueError as `check_page`.
    """
    config, search = run.config, run.config.search
    protection, capitals, calibration = run.translation_protection(), run.capitals(), run.calibration()
    sentences = run.sentence_splitter(search, protection)
    check_page(search, has_glossary=protection.glossary is not None)
    return {
        "languages": {"source": config.source_language, "target": config.target_language},
        "search": search_rules(search),
        "source": encoding_rules(run.tokenizers.source),
        "target": decoding_rules(run.tokenizers.target),
        "invisible": javascript(SUBSTITUTIONS),
        "blank": javascript(BLANK),
        "protection": javascript(protection.patterns()),
        "spaces": javascript(SPACES),
        "sentences": sentences and javascript(sentences.patterns()),
        "capitals": capitals and javascript(capitals.patterns()),
        "splitter": splitter_rules(run.tokenizers.source),
        "calibration": calibration
        and {"intercept": calibration.intercept, "coefficients": list(calibration.coefficients)},
    }


def search_rules(search: SearchConfig) -> dict[str, Any]:
    """The settings of a search."""
    return {_camel_case(name): getattr(search, name) for name in _SETTINGS}


def encoding_rules(tokenizer: Tokenizer) -> dict[str, Any]:
    """What takes text to ids."""
    model = Model.FromString(tokenizer.model)
    return {
        "type": "bpe" if model.trainer_spec.model_type == BPE else "unigram",
        "unknown": UNK,
        "pieces": [piece.piece for piece in model.pieces],
        "scores": [piece.score for piece in model.pieces],
        "types": [piece.type for piece in model.pieces],
        "normalizer": _normalizer_rules(model.normalizer_spec),
    }


def decoding_rules(tokenizer: Tokenizer) -> dict[str, Any]:
    """What takes ids to text."""
    model = Model.FromString(tokenizer.model)
    return {
        "pieces": [piece.piece for piece in model.pieces],
        "types": [piece.type for piece in model.pieces],
        "denormalizer": _normalizer_rules(model.denormalizer_spec) if model.HasField("denormalizer_spec") else None,
    }


def _normalizer_rules(spec: Any) -> dict[str, Any]:
    return {
        "table": base64.b64encode(spec.precompiled_charsmap).decode(),
        "addDummyPrefix": spec.add_dummy_prefix,
        "removeExtraWhitespaces": spec.remove_extra_whitespaces,
        "escapeWhitespaces": spec.escape_whitespaces,
    }


def splitter_rules(tokenizer: Tokenizer) -> dict[str, list[int]]:
    """Which pieces start or end a word, a sentence, ..."""
    splitter = Splitter(tokenizer, limit=1)
    kinds = ("starts_word", "starts_unspaced", "ends_sentence", "ends_clause", "full_stop")
    return {_camel_case(kind): np.flatnonzero(getattr(splitter, kind)).tolist() for kind in kinds}


def javascript(patterns: Any) -> Any:
    """Patterns as JavaScript has them: a string, a (pattern, replacement), or a list or dictionary of such."""
    if isinstance(patterns, dict):
        return {name: javascript(value) for name, value in patterns.items()}
    if isinstance(patterns, tuple) and len(patterns) == 2 and all(isinstance(each, str) for each in patterns):
        return [_pattern(patterns[0]), re.sub(r"\\(\d)", r"$\1", patterns[1])]
    if isinstance(patterns, tuple | list):
        return [javascript(each) for each in patterns]
    return _pattern(patterns) if isinstance(patterns, str) else patterns


def _pattern(pattern: str) -> str:
    """JavaScript has no flags within a pattern, and refuses escapes of what needs none."""
    pattern = pattern.replace("(?s:.*)", r"[\s\S]*")
    return _ESCAPED.sub(lambda found: found[0] if found[1] in _KEPT_ESCAPES else found[1], pattern)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
