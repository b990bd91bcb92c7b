"""What a gateway does, whoever asks: it knows languages, detects them and translates texts.

Imports no TensorFlow by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import babel
from fastapi import HTTPException

from nmt.documents.document import Document, Translate, Translated, translate_documents
from nmt.gateway.detection import Detected, Detector
from nmt.gateway.models import Directions, Model, Route
from nmt.gateway.settings import ModelSettings
from nmt.gateway.terms import translate_with_terms
from nmt.text.glossary import Glossary


class Gateway:
    """The models of all directions.

    Args: seconds: that a server may take for a request.
    Raises: ValueError where an address is no server, export or run.
    """

    def __init__(self, models: Sequence[ModelSettings], *, seconds: float) -> None:
        self.directions = Directions([Model(model, seconds=seconds) for model in models])
        self.usual = (models[0].source, models[0].target)
        self._detector = Detector(self.directions.sources)

    def detect(self, text: str) -> list[Detected]:
        """All source languages, most likely first."""
        return self._detector.detect(text)

    def source_languages(self, documents: Sequence[Document], source: str) -> list[Detected]:
        """The language of each document: as given, or detected where that is "auto".

        Raises: HTTPException 400 where the gateway does not know the language.
        """
        if source == "auto":
            return self._detector.detect_each([" ".join(part.line for part in each.segments) for each in documents])
        self._check(source)
        return [Detected(source, 100.0)] * len(documents)

    def translate(
        self,
        documents: Sequence[Document],
        sources: Sequence[str],
        target: str,
        *,
        alternatives: int = 0,
        details: bool = False,
        glossary: Glossary | None = None,
    ) -> list[Translated]:
        """Translates documents, each from its own language, those of a language together.

        Raises:
            HTTPException: 400 where no models lead from a source to the target.
            ModelError: where a model fails.
        """
        self._check(target)
        routes = {source: self._route(source, target) for source in set(sources)}
        found: dict[int, Translated] = {}
        for source, route in routes.items():
            places = [place for place, each in enumerate(sources) if each == source]
            translate: Translate = partial(route.translate, alternatives=alternatives, details=details)
            if glossary:
                translate = partial(translate_with_terms, glossary, translate)
            found |= zip(places, translate_documents([documents[place] for place in places], translate), strict=True)
        return [found[place] for place in range(len(documents))]

    def _check(self, language: str) -> None:
        known = self.directions.languages
        if language not in known:
            raise HTTPException(400, f"{language} is not supported; this gateway knows {', '.join(known)}")

    def _route(self, source: str, target: str) -> Route:
        if route := self.directions.route(source, target):
            return route
        targets = ", ".join(self.directions.targets(source))
        known = f"cannot be translated into {target} here, but into {targets}" if targets else "is only a target here"
        raise HTTPException(400, f"{name_of(source)} ({source}) {known}")


def name_of(language: str) -> str:
    """The English name of a language; its code where it has none."""
    try:
        return babel.Locale.parse(language, sep="-").english_name or language
    except (ValueError, babel.UnknownLocaleError):
        return language
