"""TMX: units without a variant in the target language get one. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter

from nmt.documents.document import Translated
from nmt.documents.file import File, Settings, Unit, confidence
from nmt.documents.xml_tree import Element, read_content, read_xml
from nmt.text.unit import same_language

_CODES = frozenset(["bpt", "ept", "ph", "it", "ut"])


def read_tmx(text: str, settings: Settings) -> File:
    """Raises: ValueError where the text is not XML, or the languages are not said."""
    source_language, target_language = settings.source_language, settings.target_language
    if not source_language or not target_language:
        raise ValueError("TMX has texts by language: say --source-language and --target-language")
    units: list[Unit] = []
    left: Counter[str] = Counter()
    for unit in read_xml(text).all("tu"):
        source = _segment(unit, source_language)
        target = _segment(unit, target_language)
        if source is None:
            left[f"without {source_language} text"] += 1
        elif settings.is_due(translated=target is not None, finished=True):
            units.append(_unit(text, unit, source, target, target_language))
        else:
            left["translated"] += 1
    return File(text, units, left)


def _segment(unit: Element, language: str) -> Element | None:
    """The text in exactly this language, or else in the first of its kind."""
    codes = ("xml:lang", "lang")
    variants = [(next(filter(None, map(each.attributes.get, codes)), ""), each) for each in unit.all("tuv")]
    exact = [each for code, each in variants if code.lower() == language.lower()]
    alike = [each for code, each in variants if code and same_language(language, code)]
    return next((segment for each in [*exact, *alike] if (segment := each.child("seg"))), None)


def _unit(text: str, unit: Element, source: Element, target: Element | None, language: str) -> Unit:
    document = read_content(text, source, codes=_CODES)
    if target:
        return Unit(*target.content, document, lambda found: found.text)
    *_, last = unit.all("tuv")
    spaces = re.search(r"\s*$", text[: last.start])
    space = spaces[0] if spaces else ""

    def write(found: Translated) -> str:
        score = confidence(found)
        note = "" if score is None else f'<prop type="x-confidence">{score:.2f}</prop>'
        return f'{space}<tuv xml:lang="{language}">{note}<seg>{found.text}</seg></tuv>'

    return Unit(last.end, last.end, document, write)
