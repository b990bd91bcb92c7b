"""The words of a line, and which of them two lines have in common. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from nmt.text.metrics import has_spaces

# Latin, general, Chinese and Japanese, Devanagari and Arabic punctuation. \W would cut off vowel signs.
_PUNCTUATION = r"!-/:-@\[-`{-~¡«»¿\u2010-\u205e\u3001-\u303f\uff01-\uff0f\u0964\u060c\u061b\u061f"
_WORD = re.compile(rf"[^\s{_PUNCTUATION}]+|\S")


class Segment(NamedTuple):
    """Part of a line, and whether the line it was compared with lacks it."""

    text: str
    differs: bool


def split_words(line: str, language: str) -> list[str]:
    """Words and single punctuation marks; characters, where the language puts no spaces between words."""
    return _WORD.findall(line) if has_spaces(language) else [char for char in line if not char.isspace()]


def compare(left: str, right: str, language: str) -> tuple[list[Segment], list[Segment]]:
    """Both lines in segments, by the longest runs of words that they share in the same order."""
    left_words, right_words = split_words(left, language), split_words(right, language)
    left_differs, right_differs = [True] * len(left_words), [True] * len(right_words)
    for block in SequenceMatcher(None, left_words, right_words, autojunk=False).get_matching_blocks():
        left_differs[block.a : block.a + block.size] = [False] * block.size
        right_differs[block.b : block.b + block.size] = [False] * block.size
    return _segments(left, left_words, left_differs), _segments(right, right_words, right_differs)


def _segments(line: str, words: Sequence[str], differs: Sequence[bool]) -> list[Segment]:
    """The line cut where `differs` changes; a space differs if the words on both of its sides do."""
    segments: list[Segment] = []
    end = 0
    for place, word in enumerate(words):
        start = line.index(word, end)
        between = place > 0 and differs[place - 1] and differs[place]
        for text, differing in ((line[end:start], between), (word, differs[place])):
            if segments and segments[-1].differs == differing:
                segments[-1] = Segment(segments[-1].text + text, differing)
            elif text:
                segments.append(Segment(text, differing))
        end = start + len(word)
    return [*segments, Segment(line[end:], False)] if line[end:] else segments
