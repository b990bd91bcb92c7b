"""Subtitles, SubRip and WebVTT: what is said in a cue becomes its translation, in as many lines. No TensorFlow."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence

from nmt.documents.document import Translated
from nmt.documents.file import File, Settings, Unit
from nmt.documents.html_tokens import tokens
from nmt.documents.markup import Token, Writing, read_blocks

_CUE = re.compile(r"^[^\r\n]*-->[^\r\n]*\r?\n(?P<text>(?:[^\r\n]+(?:\r?\n|$))+)", re.MULTILINE)
_TAG = re.compile(r"(<[^<>]*>|\{\\[^{}]*\})")
_SPEAKER = re.compile(r"^\s*[-–—]\s*\S", re.MULTILINE)


def read_subtitles(text: str, settings: Settings) -> File:
    """Never fails: what is no cue stays."""
    units = []
    for cue in _CUE.finditer(text):
        said = cue["text"].rstrip("\r\n")
        start = cue.start("text")
        units.append(_unit(said, start))
    return File(text, units, Counter())


def _unit(said: str, start: int) -> Unit:
    lines = re.split(r"(\r?\n)", said)
    newline = lines[1] if len(lines) > 1 else "\n"
    dialogue = bool(_SPEAKER.search(said))

    def write(found: Translated) -> str:
        if found.text == said or dialogue:
            return found.text
        return newline.join(_wrapped(found.text, (len(lines) + 1) // 2))

    return Unit(start, start + len(said), read_blocks(list(_tokens(said, dialogue=dialogue)), _writing), write)


def _tokens(said: str, *, dialogue: bool) -> list[Token]:
    """Of one line, unless several people speak."""
    found: list[Token] = []
    for line in re.split(r"(\r?\n)", said) if dialogue else [said]:
        if not line.strip():
            found.append(Token("block", line))
            continue
        for number, part in enumerate(_TAG.split(line)):
            if number % 2:
                found += tokens(part) if part.startswith("<") else [Token("mark", part)]
            elif part:
                dash = re.match(r"\s*[-–—]\s*", part) if dialogue and not number else None
                found += [Token("mark", dash[0])] if dash else []
                found.append(Token("text", part[dash.end() if dash else 0 :]))
    return found


def _writing(block: Sequence[Token]) -> Writing:
    return Writing(lambda raw: re.sub(r"\s+", " ", raw), str)


def _wrapped(text: str, count: int) -> list[str]:
    """Text in at most so many lines of similar length."""
    for width in range(max(1, len(text) // count), len(text) + 1):
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        if len(lines) <= count:
            return lines
    return [text]
