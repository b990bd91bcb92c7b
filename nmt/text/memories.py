"""Pairs from what translators work with: TMX, XLIFF 1.2 and 2.0, gettext's PO. Imports no TensorFlow.

XML is read element by element, so a translation memory of any size is never in memory. Inline tags leave their text;
of the code that stands in one, only what a translation can keep is left: a tag, a placeholder, an entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from xml.etree.ElementTree import Element, ParseError, iterparse

from nmt.config.data import TextPair
from nmt.text.opening import DamagedError, open_bytes
from nmt.text.unit import Unit, same_language, unit

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements that hold code, and no text, in TMX and XLIFF.
_CODES = frozenset(["bpt", "ept", "it", "ph", "ut", "x", "bx", "ex", "sc", "ec", "cp"])
_KEPT_CODE = re.compile(r"<[^<>]+>|%[\w$().#+-]*[A-Za-z@]|\$?\{+[^{}]*\}+|&[\w#]+;")
_INLINE = "inline tags removed"
_OTHER_LANGUAGE = "in another language"


def read_tmx(pair: TextPair) -> Iterator[Unit]:
    """A pair for each translation of a unit, with the source in the variant that is asked for or the first like it."""
    asked = _languages(pair)
    with open_bytes(pair.files["file"]) as file:
        for element in _elements(file, pair, {"tu"}, cleared="body"):
            variants = [(each.get(_LANGUAGE) or each.get("lang"), _child(each, "seg")) for each in _all(element, "tuv")]
            sources, targets = (_in_language(variants, language) for language in asked)
            if not sources:
                yield Unit(left_out=f"without {asked[0]} text")
            elif not targets:
                yield Unit(left_out=f"without {asked[1]} text")
            else:
                different = {_text(target): target for target in targets}
                for number, target in enumerate(different.values()):
                    found = _unit(sources[0], target)
                    yield found if not number or found.left_out else found._replace(remark="a further translation")


def read_xliff(pair: TextPair) -> Iterator[Unit]:
    """Units whose translation is finished, as far as their states say so."""
    source_language, target_language = _languages(pair)
    versions = {"xliff": ("srcLang", "trgLang"), "file": ("source-language", "target-language")}
    fits = True
    with open_bytes(pair.files["file"]) as file:
        names = {"xliff", "file", "trans-unit", "segment"}
        for element in _elements(file, pair, names, cleared="body"):
            name = _name(element)
            if name in versions:
                found = [element.get(attribute) for attribute in versions[name]]
                if any(found):
                    wanted = (source_language, target_language)
                    fits = all(map(same_language, wanted, found))
            elif not fits:
                yield Unit(left_out=_OTHER_LANGUAGE)
            elif (state := _state(element)) is not None:
                yield Unit(left_out=f"state {state}")
            else:
                yield _unit(_child(element, "source"), _child(element, "target"))


def read_po(pair: TextPair) -> Iterator[Unit]:
    """Translated messages; of one with a plural the singular and the last plural form."""
    path = pair.files["file"]
    try:
        import polib
    except ImportError:
        raise ValueError(f"{path}: PO needs polib: `pip install recurrent-nmt[formats]`") from None
    with open_bytes(path) as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
        # polib takes a text of a single line for the name of a file.
        catalogue = polib.pofile(text if "\n" in text else text + "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{line}: not UTF-8: convert the file with `msgconv -t UTF-8`") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no PO file: {error}") from None
    fits = same_language(pair.target_language, catalogue.metadata.get("Language"))
    for entry in catalogue:
        if entry.obsolete or entry.fuzzy:
            yield Unit(left_out="obsolete" if entry.obsolete else "fuzzy")
        elif not fits:
            yield Unit(left_out=_OTHER_LANGUAGE)
        elif entry.msgid_plural:
            forms = [entry.msgstr_plural[number] for number in sorted(entry.msgstr_plural)]
            if len(forms) > 1:
                yield unit(entry.msgid, forms[0])
            yield unit(entry.msgid_plural, forms[-1] if forms else None)
        else:
            yield unit(entry.msgid, entry.msgstr)


def _languages(pair: TextPair) -> tuple[str, str]:
    if not pair.source_language or not pair.target_language:
        raise ValueError(f"{pair.file}: source_language and target_language are needed: the file has languages by name")
    return pair.source_language, pair.target_language


def _elements(file: BinaryIO, pair: TextPair, names: set[str], *, cleared: str) -> Iterator[Element]:
    """The elements of these names: xliff and file when they begin, others when they are complete; then they are freed.

    Raises: ValueError where the file is not XML.
    """
    parents = []
    try:
        for event, element in iterparse(file, events=("start", "end")):
            name = _name(element)
            if event == "start":
                parents.append(element)
                if name in ("xliff", "file") and name in names:
                    yield element
                continue
            parents.pop()
            if name in names and name not in ("xliff", "file"):
                yield element
            if parents and (name in names or _name(parents[-1]) in (cleared, "xliff", "file", "group")):
                parents[-1].remove(element)
    except ParseError as error:
        raise ValueError(f"{pair.file}:{error.position[0]}: not well-formed XML: {error}") from None
    except (DamagedError, OSError, LookupError) as error:
        raise ValueError(f"{pair.file} cannot be read: {error}") from None


def _name(element: Element) -> str:
    """Without its namespace; comments have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _all(element: Element, name: str) -> list[Element]:
    return [child for child in element if _name(child) == name]


def _child(element: Element, name: str) -> Element | None:
    return next(iter(_all(element, name)), None)


def _in_language(variants: list[tuple[str | None, Element | None]], language: str) -> list[Element]:
    """The variants in exactly this language, or else in one of its kind."""
    said = [(code or "", segment) for code, segment in variants if segment is not None]
    exact = [segment for code, segment in said if code.lower() == language.lower()]
    return exact or [segment for code, segment in said if code and same_language(language, code)]


class _Read(NamedTuple):
    text: str
    tags: bool


def _read(element: Element | None) -> _Read:
    """The text of a segment without its inline tags."""
    if element is None:
        return _Read("", False)
    parts, tags = [element.text or ""], False
    for child in element:
        if isinstance(child.tag, str):
            tags = True
            parts.append(_code(child) if _name(child) in _CODES else _read(child).text)
        parts.append(child.tail or "")
    return _Read("".join(parts), tags)


def _text(element: Element | None) -> str:
    return _read(element).text


def _code(element: Element) -> str:
    """What stands for a code in the text, if a translation can keep it."""
    code = (element.text or element.get("equiv-text") or element.get("disp") or "").strip()
    return code if _KEPT_CODE.fullmatch(code) else ""


def _unit(source: Element | None, target: Element | None) -> Unit:
    sides = _read(source), _read(target)
    return unit(*(side.text for side in sides), remark=_INLINE if any(side.tags for side in sides) else "")


def _state(element: Element) -> str | None:
    """The state that says that a unit's translation is not to be learned from; None where there is no such state."""
    if element.get("translate") == "no":
        return "translate=no"
    target = _child(element, "target")
    if target is None:
        return None
    if _name(element) == "segment":  # XLIFF 2
        return "initial" if element.get("state") == "initial" else None
    state = target.get("state") or ""
    return state if state == "new" or state.startswith("needs-") else None
