"""Translating through an endpoint: an export in this process, or a server of one, which do the text work themselves.

Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nmt.exports.signatures import MISSING, OUTPUTS, choose_signature
from nmt.translation.translation import Hypothesis, Translation

if TYPE_CHECKING:
    from nmt.text.glossary import Glossary

MAX_LINES = 64  # of a request: what a batching server takes (export.max_batch)
MAX_BYTES = 32_768  # of a request's text, so that long lines stay within the server's time limit

# Signature, lines as UTF-8 or other bytes -> the signature's outputs by name, nested lists or arrays [lines, ...]; text
# as str or as UTF-8. Where lines come with glossaries, a list of these is the third argument.
Predict = Callable[..., Mapping[str, Any]]


class Endpoint:
    """Translates as `Translator` does, as far as an export can: it searches as was set when it was exported.

    Args:
        predict: asks the model. It has to return OUTPUTS; what else a signature has is used where it is there.
        name: what it is, for messages.
        n_best: how many hypotheses a line has; None = the best one.
        alignments: whether translations have their attention.
        glossary: the terms that translations have; None = those of the export.
        concurrency: how many requests may wait for their answer at a time.
        close: frees what `predict` holds.

    Raises:
        ValueError: for two of n_best, alignments and glossary, which no signature gives together.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        name: str,
        n_best: int | None = None,
        alignments: bool = False,
        glossary: Glossary | None = None,
        concurrency: int = 1,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._predict = predict
        self._concurrency = concurrency
        self._name = name
        self._count = n_best or 1
        self._glossary = glossary
        self._signature = choose_signature(n_best, alignments, glossary is not None)
        self.close = close

    def translate(self, lines: Sequence[str | bytes], prefixes: Sequence[str] | None = None) -> list[Translation]:
        """Translates lines, in order, one for each.

        Raises:
            ValueError: for prefixes, and for what the endpoint refuses, such as a model it does not have.
            ConnectionError: where no server answers, it fails, or takes too long.
        """
        if prefixes is not None:
            raise ValueError(f"prefixes need a run: {self._name} cannot be told how a translation starts")
        requests = split_requests(lines)
        if self._concurrency == 1 or len(requests) == 1:
            answers = [self._ask(request) for request in requests]
        else:
            with ThreadPoolExecutor(self._concurrency) as threads:
                answers = list(threads.map(self._ask, requests))
        return join_answers(requests, answers, count=self._count, name=self._name)

    def _ask(self, request: Request) -> Mapping[str, Any]:
        if self._glossary is None:
            return self._predict(self._signature, request.lines)
        return self._predict(self._signature, request.lines, list(map(self._glossary.as_text, request.lines)))

    def score(self, sources: Sequence[str | bytes], targets: Sequence[str | bytes]) -> list[np.ndarray]:
        """Raises ValueError: an export has no signature for it."""
        raise ValueError(f"scoring given translations needs a run: {self._name} only translates")

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Request(NamedTuple):
    """Some of the lines to translate, and their places among all of them."""

    places: list[int]
    lines: list[bytes]


def split_requests(lines: Sequence[str | bytes]) -> list[Request]:
    """Lines of like length together, so that little is padded; each within MAX_LINES and MAX_BYTES, if not one line."""
    encoded = [_to_bytes(line) for line in lines]
    requests: list[Request] = []
    size = 0
    for place in sorted(range(len(lines)), key=lambda place: len(encoded[place])):
        size += len(encoded[place])
        if not requests or len(requests[-1].lines) == MAX_LINES or size > MAX_BYTES:
            requests.append(Request([], []))
            size = len(encoded[place])
        requests[-1].places.append(place)
        requests[-1].lines.append(encoded[place])
    return requests


def join_answers(
    requests: Sequence[Request], answers: Iterable[Mapping[str, Any]], *, count: int, name: str
) -> list[Translation]:
    """The translations of all lines in order, at most `count` hypotheses of each.

    Raises:
        ValueError: where an answer has not as many lines as its request, or fewer hypotheses.
    """
    translations: dict[int, Translation] = {}
    for request, outputs in zip(requests, answers, strict=True):
        lengths = [len(outputs[output]) for output in OUTPUTS]
        if any(length != len(request.lines) for length in lengths):
            raise ValueError(f"{name} answered {len(request.lines)} lines with {lengths}")
        translations |= zip(request.places, read_outputs(outputs, count=count), strict=True)
    return [translations[place] for place in range(len(translations))]


def read_outputs(outputs: Mapping[str, Any], *, count: int) -> list[Translation]:
    """The outputs of a text signature line by line, at most `count` hypotheses of each.

    Raises:
        ValueError: where the export gives fewer.
    """
    rows = len(outputs["translation"])
    texts, scores = (
        np.array(outputs[name], object).reshape(rows, -1) for name in ("translation", "score")
    )  # [rows, n]
    if count > texts.shape[1]:
        raise ValueError(f"n_best {count}: this export gives {texts.shape[1]} translations a line (export.n_best)")
    translations = []
    for row in range(rows):
        source, target, alignment = _aligned(outputs, row) if "alignment" in outputs else ((), (), None)
        hypotheses = tuple(
            Hypothesis(_to_text(text), float(score), target, alignment)
            for text, score in zip(texts[row, :count], scores[row, :count], strict=True)
            if score > MISSING
        )
        translations.append(
            Translation(
                hypotheses,
                source,
                truncated=bool(outputs["truncated"][row]),
                degenerate="degenerate" in outputs and bool(outputs["degenerate"][row]),
                confidence=float(outputs["confidence"][row]) if "confidence" in outputs else None,
            )
        )
    return translations


def _aligned(outputs: Mapping[str, Any], row: int) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Source pieces, target pieces and alignment of a line, without the padding."""
    padded = [outputs[name][row] for name in ("source_pieces", "target_pieces")]
    source, target = (tuple(_to_text(piece) for piece in pieces if piece) for pieces in padded)
    weights = np.reshape(np.asarray(outputs["alignment"][row], np.float32), [len(padded[1]), len(padded[0])])
    return source, target, weights[: len(target), : len(source)]


def _to_bytes(line: str | bytes) -> bytes:
    # surrogateescape: the bytes that a text file in another encoding had, as Python's open() may hand them over.
    return line.encode(errors="surrogateescape") if isinstance(line, str) else line


def _to_text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode(errors="replace")
