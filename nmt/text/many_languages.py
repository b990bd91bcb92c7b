"""The languages of many lines at once: py3langid's answers, five times as fast. No TensorFlow.

py3langid reads a line byte by byte in Python and converts the weights of its features for each line anew. Here all
lines take each step of its state machine together, in NumPy, and the weights are converted once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from py3langid.langid import MODEL_DIR, MODEL_FILE
from py3langid.modelio import load_model

# Bytes of lines that are read together: some 20 MB of features.
_GROUP_BYTES = 1 << 18


class Guess(NamedTuple):
    """A language's code, and how likely it is, 0..1."""

    language: str
    probability: float


class _Model(NamedTuple):
    """py3langid's state machine over bytes, and a naive Bayes classifier of the features that its states stand for."""

    rows: np.ndarray  # [states]: the row of `moves` that a state uses
    moves: np.ndarray  # [rows, 256]: the next state
    features: np.ndarray  # [states]: what is seen where a state is reached, -1 for nothing
    weights: np.ndarray  # float32 [features, columns]
    priors: np.ndarray  # float32 [columns]
    languages: list[str]  # of the columns
    merged: list[tuple[int, int]]  # (first, other) column of a language that has two


def known_languages() -> frozenset[str]:
    """The codes of all languages that can be found."""
    return frozenset(_model().languages)


def guess_languages(lines: Sequence[str]) -> list[Guess]:
    """The most likely language of each line, as `identifier().classify` finds it; lines do not influence each other."""
    model = _model()
    texts = [_encoded(line) for line in lines]
    columns, probabilities = np.zeros(len(lines), np.intp), np.zeros(len(lines), np.float32)
    for group in _groups(texts):
        likely = _probabilities([texts[place] for place in group], model)
        columns[group] = likely.argmax(axis=1)
        probabilities[group] = likely.max(axis=1)
    return [
        Guess(model.languages[column], probability)
        for column, probability in zip(columns.tolist(), probabilities.tolist(), strict=True)
    ]


@cache
def _model() -> _Model:
    weights, priors, languages, moves, rows, features = load_model(MODEL_DIR / MODEL_FILE)
    first: dict[str, int] = {}
    merged = [(first[each], column) for column, each in enumerate(languages) if first.setdefault(each, column) < column]
    return _Model(
        np.asarray(rows),
        np.asarray(moves).reshape(-1, 256),
        np.array(features, np.int32),
        weights.astype(np.float32),
        priors,
        languages,
        merged,
    )


def _encoded(line: str) -> bytes:
    text = unicodedata.normalize("NFC", line.lower() if line.isupper() else line)
    return text.encode("utf-8", "surrogatepass")


def _groups(texts: Sequence[bytes]) -> Iterator[list[int]]:
    """Places of texts of similar length, longest first, as the steps of a group are those of its longest text."""
    group: list[int] = []
    size = 0
    for place in sorted(range(len(texts)), key=lambda place: -len(texts[place])):
        group.append(place)
        size += len(texts[place])
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _probabilities(texts: Sequence[bytes], model: _Model) -> np.ndarray:
    """Of each language's column: float32 [texts, columns]. The longest text must come first."""
    lines, features, counts = _features(texts, model)
    weights = np.log1p(counts.astype(np.float32))
    bounds = np.searchsorted(lines, np.arange(len(texts) + 1)).tolist()
    likely = np.zeros((len(texts), len(model.languages)), np.float32)
    rows = np.empty((max(np.diff(bounds)), len(model.languages)), np.float32)
    for line, (start, stop) in enumerate(pairwise(bounds)):
        if start < stop:
            taken = model.weights.take(features[start:stop], axis=0, out=rows[: stop - start], mode="clip")
            np.dot(weights[start:stop], taken, out=likely[line])
            likely[line] += model.priors
    # The root of the length keeps the probabilities of long lines from being 0 and 1 (py3langid's choice).
    likely /= np.sqrt([max(1, len(text)) for text in texts], dtype=np.float32)[:, np.newaxis]
    np.exp(likely - likely.max(axis=1, keepdims=True), out=likely)
    likely /= likely.sum(axis=1, keepdims=True)
    for kept, other in model.merged:
        likely[:, kept] += likely[:, other]
        likely[:, other] = 0.0
    return likely


def _features(texts: Sequence[bytes], model: _Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which texts have which features, and how often: three arrays of one length, sorted by text and feature."""
    lengths = np.array([len(text) for text in texts])  # falling
    starts = np.cumsum(lengths) - lengths
    content = np.frombuffer(b"".join(texts), np.uint8)
    states = np.zeros(len(texts), np.intp)
    seen = [np.empty(0, np.int64)]
    for step, going in enumerate(np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")):
        states = model.moves[model.rows[states[:going]], content[starts[:going] + step]]
        features = model.features[states]
        lines = np.flatnonzero(features >= 0)
        seen.append(lines * len(model.weights) + features[lines])
    places, counts = np.unique(np.concatenate(seen), return_counts=True)
    return *np.divmod(places, len(model.weights)), counts
