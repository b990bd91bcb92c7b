"""A translator that is served as an export is: the same signatures, limits and answers, without a graph.

Imports no TensorFlow.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from nmt.config.export import ExportConfig
from nmt.exports.signatures import (
    DEFAULT_SIGNATURE,
    MAX_ALIGNED_PIECES,
    MISSING,
    Signature,
    TensorSpec,
    best_search,
    n_best_search,
)
from nmt.serving.error import ServingError, StatusCode
from nmt.text.glossary import RequestGlossary
from nmt.translation.engine import Engine
from nmt.translation.translation import Translation
from nmt.translation.translator import Translator

_LINES = (None,)
_DTYPES = {"string": "DT_STRING", "float32": "DT_FLOAT", "bool": "DT_BOOL"}

Arrays = dict[str, np.ndarray]


class TranslatorModel:
    """Args: translator: any, with an engine that many threads may use; settings: the limits of a text endpoint;
    ignore_case: whether "Term" is the term "term" of a request's glossary.
    """

    def __init__(self, translator: Translator, settings: ExportConfig, *, ignore_case: bool = False) -> None:
        self._settings = settings
        self._ignore_case = ignore_case
        best = _variant(translator, options=best_search(translator.options), max_line_pieces=settings.max_line_pieces)
        several = _variant(best, options=n_best_search(translator.options, settings.n_best))
        aligned = min(MAX_ALIGNED_PIECES, settings.max_line_pieces)
        self._translators = {
            DEFAULT_SIGNATURE: best,
            "nbest": several,
            "align": _variant(best, alignments=True, max_line_pieces=aligned),
        }
        if translator.protection.kinds:
            self._translators["glossary"] = best
        self.signatures = {name: _signature(name, one) for name, one in self._translators.items()}

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        timeout: float | None = None,
        lane: int | None = None,
    ) -> Arrays:
        """As ServedModel.run: with a lane by this thread alone. A search that began is not interrupted by `timeout`.

        Raises: ServingError DEADLINE_EXCEEDED after `timeout`.
        """
        translator, expected = self._translators[signature], self.signatures[signature].inputs
        if inputs.keys() != expected.keys():
            raise ValueError(f"the signature {signature} takes inputs {sorted(expected)}, got {sorted(inputs)}")
        text, *glossary = (inputs[name] for name in expected)
        if any(each.ndim != 1 or each.dtype != object or len(each) != len(text) for each in (text, *glossary)):
            raise ValueError(f"the signature {signature} takes lists of lines, as many of each input")
        if lane is not None:
            translator = _variant(translator, threads=1)
        if timeout is not None:
            translator = _variant(translator, engine=_Hurried(translator.engine, time.monotonic() + timeout))
        lines = [_first_bytes(line, self._settings.max_line_bytes) for line in text]
        if glossary:
            terms = [self._read_glossary(each) for each in glossary[0]]
            translations = translator.translate_with(terms, lines)
        else:
            translations = translator.translate(lines)
        cut = np.array([len(line) < len(whole) for line, whole in zip(lines, text, strict=True)], bool)
        return self._outputs(signature, translations, cut)

    def close(self) -> None:
        """As ServedModel.close: memory goes with the translators."""
        self._translators.clear()

    def _read_glossary(self, text: bytes) -> RequestGlossary:
        return RequestGlossary(text.decode("utf-8", "replace"), ignore_case=self._ignore_case)

    def _outputs(self, signature: str, translations: Sequence[Translation], cut: np.ndarray) -> Arrays:
        found = list(map(self._n_best if signature == "nbest" else _best, translations))
        outputs = {
            "translation": _strings([text for text, _ in found]),
            "score": np.array([score for _, score in found], np.float32),
            "truncated": cut | np.array([each.truncated for each in translations], bool),
            "degenerate": np.array([each.degenerate for each in translations], bool),
            "confidence": np.array([each.confidence or 0.0 for each in translations], np.float32),
        }
        if signature == "align":
            outputs |= _aligned(translations)
        return {name: outputs[name] for name in self.signatures[signature].outputs}

    def _n_best(self, translation: Translation) -> tuple[list[str], list[float]]:
        missing = self._settings.n_best - len(translation.n_best)
        texts = [each.text for each in translation.n_best] + [""] * missing
        return texts, [each.score for each in translation.n_best] + [MISSING] * missing


class _Hurried(NamedTuple):
    """An engine that begins no search after a point in time."""

    engine: Engine
    end: float  # of the monotonic clock

    def search(self, *arguments: Any, **options: Any) -> Any:
        if time.monotonic() >= self.end:
            raise ServingError(StatusCode.DEADLINE_EXCEEDED, "The deadline of the request is over")
        return self.engine.search(*arguments, **options)

    def score(self, *arguments: Any) -> Any:
        return self.engine.score(*arguments)


def _variant(translator: Translator, **changes: Any) -> Translator:
    variant = copy(translator)
    for name, value in changes.items():
        setattr(variant, name, value)
    return variant


def _first_bytes(line: bytes, limit: int) -> bytes:
    """As many as the limit, fewer where a character of UTF-8 would be cut."""
    if len(line) <= limit:
        return line
    begins = [end for end in range(limit - 3, limit + 1) if line[end] & 0b1100_0000 != 0b1000_0000]
    return line[: begins[-1] if begins else limit]


def _best(translation: Translation) -> tuple[str, float]:
    return translation.text, translation.score


def _aligned(translations: Sequence[Translation]) -> Arrays:
    """Pieces and alignments, each padded to the longest."""
    source = [each.source_pieces for each in translations]
    target = [each.n_best[0].pieces for each in translations]
    widths = [max(map(len, pieces), default=0) for pieces in (target, source)]
    alignment = np.zeros([len(translations), *widths], np.float32)
    for row, each in enumerate(translations):
        assert each.alignment is not None
        alignment[row, : each.alignment.shape[0], : each.alignment.shape[1]] = each.alignment
    padded = {
        name: _strings([[*line, *[""] * (width - len(line))] for line in pieces])
        for name, pieces, width in zip(("target_pieces", "source_pieces"), (target, source), widths, strict=True)
    }
    return {**padded, "alignment": alignment}


def _strings(texts: Sequence[Any]) -> np.ndarray:
    """Text, or lists of it of equal length, as an array of bytes."""
    array = np.array(texts, object)
    encoded = [text.encode("utf-8", "surrogateescape") for text in array.reshape(-1)]
    result = np.empty(len(encoded), object)
    result[:] = encoded
    return result.reshape(array.shape)


def _signature(name: str, translator: Translator) -> Signature:
    inputs = {"text": ("string", _LINES)} | ({"glossary": ("string", _LINES)} if name == "glossary" else {})
    each = (None, translator.options.n_best) if name == "nbest" else _LINES
    outputs: dict[str, tuple[str, tuple[int | None, ...]]] = {
        "translation": ("string", each),
        "score": ("float32", each),
        "truncated": ("bool", _LINES),
    }
    if translator.options.guard:
        outputs["degenerate"] = ("bool", _LINES)
    if translator.calibration:
        outputs["confidence"] = ("float32", _LINES)
    if name == "align":
        outputs |= {f"{side}_pieces": ("string", (None, None)) for side in ("source", "target")}
        outputs["alignment"] = ("float32", (None, None, None))
    takes, gives = (
        {key: TensorSpec(f"{name}_{key}:0", *spec) for key, spec in tensors.items()} for tensors in (inputs, outputs)
    )
    definition = {
        "inputs": {key: _tensor_info(spec) for key, spec in takes.items()},
        "outputs": {key: _tensor_info(spec) for key, spec in gives.items()},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    return Signature(takes, gives, defaults={}, definition=definition)


def _tensor_info(spec: TensorSpec) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape or ()]
    return {"dtype": _DTYPES[spec.dtype], "tensor_shape": {"dim": sizes, "unknown_rank": False}, "name": spec.tensor}
