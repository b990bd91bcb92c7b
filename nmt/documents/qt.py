"""Qt's .ts: messages without a translation get one and stay unfinished. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter

from nmt.documents.document import Translated
from nmt.documents.file import File, Settings, Unit, confidence
from nmt.documents.xml_tree import Element, open_tag, read_content, read_xml

_TYPE = re.compile(r"\s+type\s*=\s*(\"[^\"]*\"|'[^']*')")


def read_ts(text: str, settings: Settings) -> File:
    """Raises: ValueError where the text is not XML; names the line."""
    units: list[Unit] = []
    left: Counter[str] = Counter()
    for message in read_xml(text).all("message"):
        source, target = message.child("source"), message.child("translation")
        if source is None or target is None or target.attributes.get("type") in ("obsolete", "vanished"):
            left["obsolete"] += 1
            continue
        forms = list(target.all("numerusform")) or [target]
        translated = all(text[slice(*form.content)].strip() for form in forms)
        finished = target.attributes.get("type") != "unfinished"
        if settings.is_due(translated=translated, finished=finished):
            units += _units(text, message, source, target, forms, finished=settings.finished)
        else:
            left["translated" if finished else "unfinished"] += 1
    return File(text, units, left)


def _units(
    text: str, message: Element, source: Element, target: Element, forms: list[Element], *, finished: bool
) -> list[Unit]:
    """One for each form, the first with the start tag of the translation before it."""

    def unit(number: int, form: Element) -> Unit:
        first, alone = number == 0, form is target
        start = target.start if first else form.start

        def write(found: Translated) -> str:
            score = confidence(found)
            head = ""
            if first:
                tag = _TYPE.sub("", open_tag(text, target))
                head = tag if finished else f'{tag[:-1]} type="unfinished">'
                if score is not None and message.child("translatorcomment") is None:
                    spaces = re.search(r"\s*$", text[: target.start])
                    comment = f"<translatorcomment>machine translation, confidence {score:.2f}</translatorcomment>"
                    head = f"{comment}{spaces[0] if spaces else ''}{head}"
            if alone:
                return f"{head}{found.text}</translation>"
            between = text[target.content[0] : form.start] if first else ""
            return f"{head}{between}{open_tag(text, form)}{found.text}</numerusform>"

        return Unit(start, form.end, read_content(text, source), write)

    return [unit(number, form) for number, form in enumerate(forms)]
