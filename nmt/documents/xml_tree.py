"""XML as elements that know where they stand in the text, so that only what is translated changes. No TensorFlow."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError, XMLParser

from nmt.documents.document import Document
from nmt.documents.html_document import references
from nmt.documents.kept import PLACEHOLDERS, TAGS, text_tokens
from nmt.documents.markup import Token, Writing, read_blocks

MARKUP = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>|<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_KEPT = f"{PLACEHOLDERS}|&lt;/?[A-Za-z](?:(?!&lt;|&gt;).)*&gt;"
_SHOWN_KEPT = f"{PLACEHOLDERS}|{TAGS}"
_CDATA, _CDATA_END = "<![CDATA[", "]]>"


@dataclass
class Element:
    """An element: its tag ends where its content starts."""

    name: str  # without prefix
    start: int
    content: tuple[int, int] = (0, 0)
    end: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)

    @property
    def is_empty_tag(self) -> bool:
        """Whether it is written as <name/>."""
        return self.content[0] == self.end

    def child(self, name: str) -> Element | None:
        return next((child for child in self.children if child.name == name), None)

    def all(self, *names: str) -> Iterator[Element]:
        """Elements of these names, itself or below, in the order of the text; not those within one another."""
        if self.name in names:
            yield self
            return
        for child in self.children:
            yield from child.all(*names)


def read_xml(text: str) -> Element:
    """The root of a document.

    Raises: ValueError where the text is not XML; names the line.
    """
    _check(text)
    root = Element("", 0)
    opened = [root]
    for match in MARKUP.finditer(text):
        tag = match[0]
        if tag.startswith(("<!", "<?")):
            continue
        if tag.startswith("</"):
            element = opened.pop()
            element.content, element.end = (element.content[0], match.start()), match.end()
            continue
        attributes = {name: html.unescape(value[1:-1]) for name, value in _ATTRIBUTE.findall(tag)}
        element = Element(name_of(tag), match.start(), (match.end(), match.end()), match.end(), attributes)
        opened[-1].children.append(element)
        if not tag.endswith("/>"):
            opened.append(element)
    return root.children[0]


def _check(text: str) -> None:
    parser = XMLParser()
    try:
        # The text is decoded already, whatever encoding its declaration names.
        parser.feed(re.sub(r"^<\?xml.*?\?>", lambda match: " " * len(match[0]), text.removeprefix("\ufeff")))
        parser.close()
    except ParseError as error:
        raise ValueError(f"line {error.position[0]}: not well-formed XML: {error}") from None


def name_of(tag: str) -> str:
    """Of a tag, without prefix."""
    found = re.match(r"</?\s*(?:[\w.-]+:)?([\w.-]+)", tag)
    return found[1] if found else ""


def open_tag(text: str, element: Element) -> str:
    """The start tag of an element; that of <name/> as <name>."""
    tag = text[element.start : element.content[0]]
    return tag.removesuffix("/>").rstrip() + ">" if element.is_empty_tag else tag


def full_name(tag: str) -> str:
    """With its prefix."""
    return re.split(r"[\s>/]", tag.removeprefix("<"), maxsplit=1)[0]


def with_attributes(tag: str, attributes: dict[str, str]) -> str:
    """A tag with these values of its attributes; others stay as they are."""
    for name, value in attributes.items():
        found = re.search(rf"\s{name}\s*=\s*(\"[^\"]*\"|'[^']*')", tag)
        start, end = found.span(1) if found else (1 + len(full_name(tag)),) * 2
        tag = tag[:start] + (f'"{value}"' if found else f' {name}="{value}"') + tag[end:]
    return tag


def read_content(
    text: str,
    element: Element,
    *,
    codes: frozenset[str] = frozenset(),
    line_break: str = r"[\r\n]+",
    escapes: Callable[[str], str] | None = None,
    unescapes: Callable[[str], str] | None = None,
) -> Document:
    """What an element holds as a document: its inline elements are tags of the text.

    Args:
        codes: names of elements of which the content is no text.
        escapes, unescapes: how a format writes text, besides XML.
    """
    content = text[slice(*element.content)]
    write_more, read_more = escapes or str, unescapes or str
    if (whole := _cdata(content)) is not None:
        kept = _SHOWN_KEPT
        before, inner, after = whole
        writing = Writing(read_more, lambda found: write_more(found).replace(_CDATA_END, "]] >"), kept)
        document = read_blocks(text_tokens(inner, kept, line_break=line_break), lambda block: writing)
        return Document([before, *document.parts, after])

    def of_block(block: Sequence[Token]) -> Writing:
        write = references(block)
        return Writing(lambda raw: read_more(html.unescape(raw)), lambda found: write(write_more(found)), _SHOWN_KEPT)

    return read_blocks(_tokens(content, codes, line_break), of_block)


def _cdata(content: str) -> tuple[str, str, str] | None:
    """Of content that is one CDATA section: what is before its text, its text, and what is behind it."""
    bare = content.strip()
    if not (bare.startswith(_CDATA) and bare.endswith(_CDATA_END) and bare.count(_CDATA) == 1):
        return None
    start, end = content.index(_CDATA) + len(_CDATA), content.rindex(_CDATA_END)
    return content[:start], content[start:end], content[end:]


def _tokens(content: str, codes: frozenset[str], line_break: str) -> Iterator[Token]:
    place, inside = 0, 0  # inside: how deep in an element of code
    code = ""
    for match in [*MARKUP.finditer(content), None]:
        end = match.start() if match else len(content)
        if inside:
            code += content[place:end]
        else:
            yield from text_tokens(content[place:end], _KEPT, line_break=line_break)
        if match is None:
            return
        tag, place = match[0], match.end()
        name, closes, alone = name_of(tag), tag.startswith("</"), tag.endswith("/>") or tag.startswith(("<!", "<?"))
        if inside or (name in codes and not alone):
            code += tag
            inside += 0 if alone else -1 if closes else 1
            if not inside:
                yield Token("mark", code)
                code = ""
        elif alone:
            yield Token("mark", tag)
        else:
            yield Token("close" if closes else "open", tag, name)
