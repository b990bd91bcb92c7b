"""A glossary that comes with a request, for any model that keeps tags. No TensorFlow.

A term goes to the model as a placeholder such as <t0>, which the model keeps as it keeps any tag (text/protection.py);
in the translation the placeholder becomes the term's translation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from nmt.documents.document import Translate
from nmt.text.glossary import Glossary
from nmt.text.terms import term_source, term_target
from nmt.translation.translation import Hypothesis, Translation

_PLACEHOLDER = re.compile("(<t[0-9]+>)")


class _Line:
    """A line with placeholders for its terms."""

    def __init__(self, line: str, glossary: Glossary) -> None:
        parts = glossary.parts(line)
        terms = {f"<t{number}>": term for number, term in enumerate(parts[1::2])}
        parts[1::2] = terms
        self.text = "".join(parts)
        self._sources = {placeholder: term_source(term) for placeholder, term in terms.items()}
        self._targets = {placeholder: term_target(term) for placeholder, term in terms.items()}

    def has_terms(self, translation: str) -> bool:
        """Whether each term's placeholder is there once."""
        return sorted(_PLACEHOLDER.findall(translation)) == sorted(self._targets)

    def reveal(self, found: Translation) -> Translation:
        """The translation with its terms, without hypotheses that lost some."""
        n_best = tuple(self._reveal(each) for each in found.n_best if self.has_terms(each.text))
        source_pieces = tuple(self._sources.get(piece, piece) for piece in found.source_pieces)
        return replace(found, n_best=n_best, source_pieces=source_pieces)

    def _reveal(self, found: Hypothesis) -> Hypothesis:
        text = _PLACEHOLDER.sub(lambda placeholder: self._targets[placeholder[0]], found.text)
        return replace(found, text=text, pieces=tuple(self._targets.get(piece, piece) for piece in found.pieces))


def translate_with_terms(glossary: Glossary, translate: Translate, lines: Sequence[str]) -> list[Translation]:
    """Translates lines, their terms as the glossary says; those lines without it where the model loses a term."""
    hidden = [_Line(line, glossary) for line in lines]
    found = translate([line.text for line in hidden])
    lost = [place for place, each in enumerate(found) if not hidden[place].has_terms(each.text)]
    without = dict(zip(lost, translate([lines[place] for place in lost]) if lost else [], strict=True))
    return [without[place] if place in without else hidden[place].reveal(each) for place, each in enumerate(found)]
