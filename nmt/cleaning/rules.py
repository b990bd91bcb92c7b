"""The rules of cleaning that a pair of lines breaks by itself: each a pure function. Imports no TensorFlow."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from nmt.corpus.statistics import MOJIBAKE, log_ratio, script
from nmt.text.language import base
from nmt.text.many_languages import Guess, guess_languages, known_languages
from nmt.text.protection import KINDS, Protection

# A language is recognized surely, and a copy is no name, from so many letters on.
_SURE_LETTERS = 30
_COPIED_LETTERS = 15
# A number of fewer digits may be written in words on one side.
_DIGITS = 4
_WORD = re.compile(r"[^\W\d_]+")
_MARKS = re.compile(r"[^\W\d_][\u0300-\u036f\u0900-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]*")
_ONLY_LETTERS = {code: None for code in range(128) if not chr(code).isalpha()}
_DIGIT = re.compile(r"\d")
# Their addresses differ between languages (en.wikipedia.org), their number does not.
_COUNTED = ("urls", "emails")


def is_empty(source: str, target: str) -> bool:
    """A side has neither letter nor digit."""
    return not (any(map(str.isalnum, source)) and any(map(str.isalnum, target)))


def is_long(source: str, target: str, *, most: int) -> bool:
    """A side has more characters than `most`."""
    return max(len(source), len(target)) > most


def is_damaged(source: str, target: str) -> bool:
    """An earlier conversion lost characters, or took UTF-8 for Latin-1."""
    return any("\ufffd" in line or (not line.isascii() and MOJIBAKE.search(line)) for line in (source, target))


def has_few_letters(source: str, target: str, *, least: float) -> bool:
    """The share of letters in a side is below `least`: tables, version numbers, lines of stars."""
    return any(_letter_share(line) < least for line in (source, target))


def _letter_share(line: str) -> float:
    size = sum(map(len, line.split()))
    letters = _letters(line)
    if 2 * letters < size and not line.isascii():  # vowel signs of some scripts are no letters to Python
        letters = sum(len(found) for found in _MARKS.findall(line))
    return letters / max(1, size)


def _letters(line: str) -> int:
    if line.isascii():
        return len(line.translate(_ONLY_LETTERS))
    return sum(len(word) if word.isalpha() else sum(map(str.isalpha, word)) for word in line.split())


def have_odd_lengths(pairs: Sequence[tuple[str, str]], *, usual: float, most: float) -> list[bool]:
    """Which pairs have a length ratio that is `most` times the usual one, or its inverse.

    Args: usual: the usual ratio's logarithm, as `log_ratio` has it.
    """
    lengths = np.array([(len(source), len(target)) for source, target in pairs]).reshape(-1, 2)
    found: list[bool] = (np.abs(log_ratio(lengths[:, 0], lengths[:, 1]) - usual) > math.log(most)).tolist()
    return found


def is_copied(source: str, target: str, *, most: float) -> bool:
    """More than this share of the target's letters is in words that the source has, too: it was not translated."""
    words = _WORD.findall(target.casefold())
    letters = sum(map(len, words))
    if letters < _COPIED_LETTERS:
        return False
    text = source.casefold()
    if sum(len(word) for word in words if word in text) <= most * letters:  # sooner than the source's words are found
        return False
    known = set(_WORD.findall(text))
    return sum(len(word) for word in words if word in known) > most * letters


def is_in_another_script(line: str, *, expected: str) -> bool:
    """Most of its letters are of another script, as `script` names them; "" expects none."""
    return bool(expected) and script(line) not in (None, expected)


def are_in_another_language(lines: Sequence[str], *, expected: str, probability: float) -> list[bool]:
    """Which are at least this likely to be in another language; of short lines, and languages not known, nothing is
    said.

    Args: expected: a code such as "de" or "pt-BR".
    """
    language = base(expected)
    if language not in known_languages():
        return [False] * len(lines)
    sure = [len(line) >= _SURE_LETTERS and _letters(line) >= _SURE_LETTERS for line in lines]
    guesses = iter(guess_languages([line for line, long in zip(lines, sure, strict=True) if long]))
    return [long and _is_another(next(guesses), language, probability) for long in sure]


def _is_another(guess: Guess, language: str, probability: float) -> bool:
    return guess.language != language and guess.probability >= probability


def have_other_digits(source: str, target: str, *, least: float) -> bool:
    """Fewer than this share of the digits 1 to 9 of both sides are the same (after Vázquez et al. 2019).

    Separators and zeros are not compared (1,000.5 and 1.000,5; 05 and 5), nor is one side with a short number and one
    with none: it may be a word there.
    """
    ours, theirs = _digits(source), _digits(target)
    total = len(ours) + len(theirs)
    if (not ours or not theirs) and total < _DIGITS:
        return False
    return 2 * (Counter(ours) & Counter(theirs)).total() < least * total


def _digits(line: str) -> list[int]:
    return [digit for digit in map(int, _DIGIT.findall(line)) if digit]


def have_other_spans(source: str, target: str, *, kinds: tuple[str, ...]) -> bool:
    """The sides differ in placeholders and tags, or in the number of URLs and e-mail addresses.

    Args: kinds: of `KINDS`, those that count.
    """
    ours, theirs = _spans(source, kinds), _spans(target, kinds)
    return ours != theirs and Counter(ours) != Counter(theirs)


def _spans(line: str, kinds: tuple[str, ...]) -> list[str]:
    """The spans of a line, those of counted kinds by their kind alone; character references (&amp;) are none."""
    found = _finder(kinds).parts(line)[1::2]
    return [_counted(span, kinds) for span in found if not span.startswith("&")]


def _counted(span: str, kinds: tuple[str, ...]) -> str:
    return next((kind for kind in _COUNTED if kind in kinds and _full(kind).fullmatch(span)), span)


@cache
def _finder(kinds: tuple[str, ...]) -> Protection:
    return Protection(kinds)


@cache
def _full(kind: str) -> re.Pattern[str]:
    return re.compile(KINDS[kind], re.ASCII)
