"""Which language a text is in, of those that can be translated, by py3langid. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

from nmt.text.language import base, identifier

SHORT = 40  # characters: texts that say little alone, and are of the language of the texts around them


class Detected(NamedTuple):
    """A language and how likely it is, 0..100."""

    language: str
    confidence: float


class Detector:
    """Chooses among languages by their codes; of a code such as pt-BR the part before the hyphen counts."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = list(languages)
        self._identifier = copy(identifier())
        known = set(self._identifier.labels)
        self._known = [language for language in self._languages if base(language) in known]
        if self._known:
            self._identifier.set_languages({base(language) for language in self._known})

    def detect(self, text: str) -> list[Detected]:
        """All languages, most likely first; without confidence in any where the text has no letters."""
        likely = dict(self._identifier.rank(text)) if self._known and any(map(str.isalpha, text)) else {}
        found = [Detected(each, round(100 * likely.get(base(each), 0.0), 1)) for each in self._languages]
        return sorted(found, key=lambda each: -each.confidence)

    def detect_each(self, texts: Sequence[str]) -> list[Detected]:
        """The most likely language of each text; short ones are looked at together with all others."""
        together = self.detect("\n".join(texts))[0]
        return [together if len(text) <= SHORT else self.detect(text)[0] for text in texts]
