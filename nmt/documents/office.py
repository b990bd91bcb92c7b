"""DOCX and ODT: paragraphs are translated; a change of formatting is a placeholder in their text. No TensorFlow."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nmt.documents.document import Document, Translate, translate_documents
from nmt.documents.html_document import references
from nmt.documents.markup import Token, Writing, read_blocks
from nmt.documents.xml_tree import MARKUP, name_of, read_xml

_WORD_TEXT = re.compile(r"(?:\ufeff)?word/(?:document|header\d*|footer\d*|footnotes|endnotes)\.xml")
_OPEN_TEXT = re.compile(r"(?:content|styles)\.xml")
# Between texts of the same formatting: Word begins a new run wherever it checked the spelling or saved.
_SAME_RUN = re.compile(
    r"</w:t>\s*</w:r>(?:<w:proofErr[^>]*/>)*<w:r(?: [^>]*)?>(?P<format><w:rPr>.*?</w:rPr>)?"
    r"(?:<w:lastRenderedPageBreak/>)?<w:t(?: [^>]*)?>",
    re.DOTALL,
)
_TEXT_ELEMENTS = frozenset(["p", "h", "span", "a"])
_BARE_TEXT = re.compile(r"<w:t>(?=\s)|<w:t>(?=[^<]*\s</w:t>)")


class Office(NamedTuple):
    """A translated document, and how many lines of it were translated and look wrong."""

    content: bytes
    translated: int
    degenerate: int


def translate_office(content: bytes, translate: Translate) -> Office:
    """Only members with text change.

    Raises: ValueError where the file is no such document.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = {info: archive.read(info) for info in archive.infolist()}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"no DOCX or ODT document: {error}") from None
    texts = {info: data.decode("utf-8") for info, data in members.items() if _reader(info.filename)}
    if not texts:
        raise ValueError("no DOCX or ODT document: it has no text in it")
    documents = [(_reader(info.filename) or _word)(text) for info, text in texts.items()]
    found = translate_documents(documents, translate)
    for (info, text), each in zip(texts.items(), found, strict=True):
        members[info] = _with_spaces(text, each.text).encode()
    translations = [part for each in found for part in each.translations]
    if all(members[info] == text.encode() for info, text in texts.items()):
        return Office(content, len(translations), 0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as new:
        new.comment = archive.comment
        for info, data in members.items():
            new.writestr(info, data)
    return Office(packed.getvalue(), len(translations), sum(part.degenerate for part in translations))


def _reader(name: str) -> Callable[[str], Document] | None:
    if _WORD_TEXT.fullmatch(name):
        return _word
    return _open_document if _OPEN_TEXT.fullmatch(name) else None


def _word(text: str) -> Document:
    read_xml(text)
    return read_blocks(_word_tokens(text), _writing)


def _open_document(text: str) -> Document:
    read_xml(text)
    return read_blocks(_open_tokens(text), _writing)


def _writing(block: Sequence[Token]) -> Writing:
    """What stands in tags inside of a text is no text."""
    return Writing(lambda raw: html.unescape(re.sub("<[^>]*>", "", raw)), references(block))


def _word_tokens(text: str) -> Iterator[Token]:
    """Texts are what stands in w:t; a paragraph ends a block."""
    between, said, formatting = "", "", ""
    inside = False
    for kind, raw in _stretches(text):
        if inside and kind == "text":
            said += raw
        elif kind == "text":
            between += raw
        elif re.match(r"<w:t[ >]", raw) and not raw.endswith("/>"):
            inside = True
            joint = _SAME_RUN.fullmatch(between + raw)
            new_format = (re.findall(r"<w:rPr>.*?</w:rPr>", between, re.DOTALL) or [""])[-1]
            if said and joint and (joint["format"] or "") == formatting:
                said += between + raw
            else:
                if said:
                    yield Token("text", said)
                yield Token("mark", between + raw)
                said, formatting = "", new_format
            between = ""
        elif re.match(r"</?w:p[ >/]", raw):
            if said:
                yield Token("text", said)
            if between:
                yield Token("mark", between)
            yield Token("block", raw)
            between, said, formatting = "", "", ""
        else:
            inside = False
            between += raw
    yield from [Token("text", said)] if said else []
    yield from [Token("mark", between)] if between else []


def _open_tokens(text: str) -> Iterator[Token]:
    """Texts are what stands in paragraphs, headings, spans and links."""
    opened: list[str] = []
    for kind, raw in _stretches(text):
        if kind == "text":
            yield Token("text" if opened and opened[-1] in _TEXT_ELEMENTS else "mark", raw)
            continue
        name, closes = name_of(raw), raw.startswith("</")
        inline = name in ("span", "a") and raw.removeprefix("</").removeprefix("<").startswith("text:")
        if raw.startswith(("<!", "<?")) or raw.endswith("/>"):
            yield Token("mark" if "p" in opened or "h" in opened else "block", raw)
            continue
        if closes:
            opened.pop()
        else:
            opened.append(name)
        if inline:
            yield Token("close" if closes else "open", raw, name)
        else:
            yield Token("block" if name in ("p", "h") or not ("p" in opened or "h" in opened) else "mark", raw)


def _stretches(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    for match in MARKUP.finditer(text):
        if match.start() > place:
            yield "text", text[place : match.start()]
        yield "markup", match[0]
        place = match.end()
    if place < len(text):
        yield "text", text[place:]


def _with_spaces(source: str, text: str) -> str:
    """Word drops spaces at the ends of a text that does not ask for them; a source that relies on it stays as it is."""
    if text == source or _BARE_TEXT.search(source):
        return text
    return _BARE_TEXT.sub('<w:t xml:space="preserve">', text)
