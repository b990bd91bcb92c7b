"""Classes of characters for regular expressions that Python's `re` and RE2 read alike, and letters without their case.

Imports no TensorFlow.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from nmt.text.invisible import CONTROLS, DEFAULT_IGNORABLE
from nmt.text.tokenizer import UNSPACED

# Of scripts with two cases.
_CASED = [*map(chr, (*range(0x41, 0x590), *range(0x10A0, 0x1100), *range(0x1E00, 0x2000), *range(0x2C00, 0x2D30)))]
_LAST_CASED = 0x1E943
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
# Behind U+FFFF roughly, as Python's `re` tries one range after the other there: scripts, mathematical letters, tags.
_FURTHER_LETTERS = "\U00010000-\U0001cfff\U0001d400-\U0001d7ff\U0001df00-\U0001efff\U000e0000-\U000e0fff"


def _class(characters: Iterable[str]) -> str:
    """Characters in ascending order, as ranges of a character class."""
    ranges: list[list[str]] = []
    for character in characters:
        if ranges and ord(ranges[-1][1]) == ord(character) - 1:
            ranges[-1][1] = character
        else:
            ranges.append([character, character])
    return "".join(first if first == last else f"{first}-{last}" for first, last in ranges)


LOWER = _class(filter(str.islower, _CASED))
UPPER = _class(filter(str.isupper, _CASED))


@lru_cache(maxsize=1)
def word_characters() -> str:
    """What words consist of: letters, marks, digits, the underscore, and what is invisible inside of a word.

    Not in scripts without spaces between words, nor in Korean, whose particles follow a word without a space.
    """
    spaced = _HANGUL.sub("", UNSPACED.sub("", "".join(map(chr, range(0x10000)))))
    of_words = (letter for letter in spaced if letter == "_" or unicodedata.category(letter)[0] in "LMN")
    return _class(of_words) + _FURTHER_LETTERS + CONTROLS + DEFAULT_IGNORABLE


@lru_cache(maxsize=1)
def without_case() -> dict[int, int]:
    """For `str.translate`: letters by what they have in common with those of other case (Unicode's simple folding)."""
    folded = {}
    for code in range(_LAST_CASED):
        forms = (chr(code).casefold(), chr(code).lower())
        form = next((form for form in forms if len(form) == 1), chr(code))
        if form != chr(code):
            folded[code] = ord(form)
    return folded
