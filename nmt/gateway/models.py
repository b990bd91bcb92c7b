"""What translates: the model of each direction, and the way from one language to another.

Imports no TensorFlow by itself; a model that is a run or an export of this machine does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from nmt.api import load
from nmt.client.client import connect
from nmt.gateway.settings import ModelSettings
from nmt.translation.translation import Hypothesis, Translation

if TYPE_CHECKING:
    from nmt.exports.endpoint import Endpoint
    from nmt.translation.translator import Translator


RESTART_SECONDS = 2.0  # that a server which is gone is waited for, as somebody waits for the translation
THREADS = 40  # that translate at a time: those in which Starlette runs functions


class ModelError(Exception):
    """A model that does not answer (`reason` is a ConnectionError), or refuses to (a ValueError)."""

    def __init__(self, direction: str, reason: Exception) -> None:
        super().__init__(f"{direction}: {reason}")
        self.direction = direction
        self.reason = reason


class Model:
    """The model behind an address.

    Args: seconds: that a server may take for a request.
    Raises: ValueError where the address is no server, export or run.
    """

    def __init__(self, settings: ModelSettings, *, seconds: float) -> None:
        self.direction = (settings.source, settings.target)
        self._settings = settings
        self._seconds = seconds
        self._lock = threading.Lock()
        self._opened: dict[tuple[int | None, bool], Translator | Endpoint] = {}
        self._open()

    def translate(self, lines: Sequence[str], *, alternatives: int = 0, alignments: bool = False) -> list[Translation]:
        """Translates lines, with as many alternatives behind the best translation as asked for and available.

        Raises: ModelError where it does not answer, or refuses to.
        """
        try:
            return self._translate(lines, min(alternatives, self._settings.alternatives), alignments)
        except (ConnectionError, ValueError) as error:
            raise ModelError("-".join(self.direction), error) from None

    def _translate(self, lines: Sequence[str], alternatives: int, alignments: bool) -> list[Translation]:
        if not alternatives:
            return self._open(alignments=alignments).translate(lines)
        several = self._open(n_best=1 + self._settings.alternatives).translate(lines)
        several = [replace(each, n_best=each.n_best[: 1 + alternatives]) for each in several]
        if not alignments:
            return several
        best = self._open(alignments=True).translate(lines)  # an export does not give both at once
        return [replace(one, n_best=one.n_best[:1] + more.n_best[1:]) for one, more in zip(best, several, strict=True)]

    def _open(self, *, n_best: int | None = None, alignments: bool = False) -> Translator | Endpoint:
        """What answers in this way; opened when it is first asked."""
        way = (n_best, alignments)
        with self._lock:
            if way not in self._opened:
                where = self._settings.address
                to_server = partial(connect, timeout=self._seconds, restart_seconds=RESTART_SECONDS, callers=THREADS)
                open_it = to_server if "://" in where else load
                self._opened[way] = open_it(where, n_best=n_best, alignments=alignments)
            return self._opened[way]


class Route:
    """The way from a language to another: one model, two with a language between them, or none to the same language."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = models

    def translate(self, lines: Sequence[str], *, alternatives: int = 0, details: bool = False) -> list[Translation]:
        """As Model.translate. Details are those of one model: there are none where another one read its source.

        Raises: as Model.translate.
        """
        if not self._models:
            return [Translation((Hypothesis(line, 0.0),)) for line in lines]
        *first, last = self._models
        for model in first:
            lines = [translation.text for translation in model.translate(lines)]
        found = last.translate(lines, alternatives=alternatives, alignments=details and not first)
        return [replace(each, confidence=None) for each in found] if first else found


class Directions:
    """Which languages can be translated into which.

    Args: models: of each direction one; the first ones are preferred as ways over a third language.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = {model.direction: model for model in models}
        self.languages = sorted({language for model in models for language in model.direction})
        self.sources = sorted({source for source, _ in self._models})

    def route(self, source: str, target: str) -> Route | None:
        """The direct model, or else two; None where there is neither."""
        if source == target:
            return Route([])
        middles = [middle for start, middle in self._models if start == source]
        for way in [(source, target), *((source, middle, target) for middle in middles)]:
            if all(step in self._models for step in pairwise(way)):
                return Route([self._models[step] for step in pairwise(way)])
        return None

    def targets(self, source: str) -> list[str]:
        """What a language can be translated into, itself not counted."""
        return [target for target in self.languages if target != source and self.route(source, target)]
