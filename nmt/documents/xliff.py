"""XLIFF 1.2 and 2: units without a translation get one, with its state. Imports no TensorFlow.

A new translation is `needs-review-translation` (1.2) or `translated` (2), or with Settings.finished `translated` or
`final`. Confidence is a note of the unit in 1.2, and the `subState` of the segment in 2.
"""

from __future__ import annotations

import re
from collections import Counter

from nmt.documents.document import Document, Translated
from nmt.documents.file import File, Settings, Unit, confidence
from nmt.documents.xml_tree import Element, full_name, open_tag, read_content, read_xml, with_attributes

_CODES = frozenset(["bpt", "ept", "ph", "it", "x", "bx", "ex", "sc", "ec", "cp"])
_UNFINISHED = ("new", "initial", "needs-")


def read_xliff(text: str, settings: Settings) -> File:
    """Raises: ValueError where the text is not XML; names the line."""
    root = read_xml(text)
    units: list[Unit] = []
    left: Counter[str] = Counter()
    if root.attributes.get("version", "").startswith("2"):
        attribute, parents = "trgLang", [root]
        found = [(unit, segment) for unit in root.all("unit") for segment in unit.all("segment")]
    else:
        attribute, parents = "target-language", list(root.all("file"))
        found = [(unit, unit) for unit in root.all("trans-unit")]
    for unit, segment in found:
        source, target = segment.child("source"), segment.child("target")
        if source is None or unit.attributes.get("translate") == "no":
            left["not to be translated"] += 1
            continue
        state = _state(segment, target)
        translated = target is not None and bool(text[slice(*target.content)].strip())
        # Tools for 1.2 often fill in the source where there is no translation yet.
        translated = translated and not state.startswith(("new", "needs-translation"))
        if settings.is_due(translated=translated, finished=not state.startswith(_UNFINISHED)):
            units.append(_unit(text, segment, source, target, settings))
        else:
            left["translated"] += 1
    for parent in parents:
        if settings.target_language and units and attribute not in parent.attributes:
            units.append(_with_attribute(text, parent, attribute, settings.target_language))
    return File(text, units, left)


def _state(segment: Element, target: Element | None) -> str:
    holder = segment if segment.name == "segment" else target
    return holder.attributes.get("state", "") if holder else ""


def _unit(text: str, segment: Element, source: Element, target: Element | None, settings: Settings) -> Unit:
    second = segment.name == "segment"
    state = _new_state(second=second, finished=settings.finished)
    before = target or segment.child("seg-source") or source
    start = segment.start if second else before.end if target is None else target.start
    end = target.end if target else before.end
    indent = re.search(r"\s*$", text[: source.start])
    space = indent[0] if indent else ""

    def write(found: Translated) -> str:
        score = confidence(found)
        tag = open_tag(text, target) if target else f"<{full_name(text[source.start :])[:-6]}target>"
        head = ""
        if second:
            changes = {"state": state} | ({} if score is None else {"subState": f"nmt:confidence-{score:.2f}"})
            tag_end = segment.content[0]
            head = with_attributes(text[segment.start : tag_end], changes)
            head += text[tag_end : target.start if target else end]
        else:
            tag = with_attributes(tag, {"state": state, "state-qualifier": "mt-suggestion"})
        new = f"{tag}{found.text}</{full_name(tag)}>"
        note = "" if second or score is None else f'{space}<note from="nmt">confidence {score:.2f}</note>'
        return f"{head}{'' if target else space}{new}{note}"

    return Unit(start, end, read_content(text, source, codes=_CODES), write)


def _new_state(*, second: bool, finished: bool) -> str:
    if second:
        return "final" if finished else "translated"
    return "translated" if finished else "needs-review-translation"


def _with_attribute(text: str, element: Element, name: str, value: str) -> Unit:
    end = element.content[0]
    new = with_attributes(text[element.start : end], {name: value})
    return Unit(element.start, end, Document([]), lambda found: new)
