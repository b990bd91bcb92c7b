"""Training pairs as one epoch sees them: two as one, common spans as symbols, a symbol planted, another case.

Each pair takes its random numbers from the generator handed in, whatever becomes of it, so that all is a pure function
of the pairs and the generator's state. Imports no TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from nmt.config.data import DataConfig
from nmt.text.protection import Protection
from nmt.text.tokenizer import SYMBOLS, UNSPACED

# A name or a term that both languages write alike; shorter ones are often two different words.
_WORD = re.compile(r"\w{4,}")
_FINAL_PUNCTUATION = re.compile(r"\W+$")


def augmented(
    pairs: Sequence[tuple[str, str]], settings: DataConfig, protection: Protection, random: np.random.Generator
) -> list[tuple[str, str]]:
    """The lines to tokenize for each (source, target)."""
    draws = random.random((len(pairs), 4)).tolist()
    return [_augmented(*pair, settings, protection, draw) for pair, draw in zip(pairs, draws, strict=True)]


def concatenate(first: tuple[str, str], second: tuple[str, str]) -> tuple[str, str]:
    """Two pairs as one of two sentences; no space stands between them where their script has none."""
    source, target = (
        one.rstrip() + ("" if UNSPACED.match(other.lstrip()[:1]) else " ") + other.lstrip()
        for one, other in zip(first, second, strict=True)
    )
    return source, target


def _augmented(
    source: str, target: str, settings: DataConfig, protection: Protection, draw: Sequence[float]
) -> tuple[str, str]:
    first = int(draw[0] * len(SYMBOLS))
    source_parts, target_parts = protection.hide_common(source, target, first=first)
    has_symbol = any(part in SYMBOLS for part in source_parts[1::2])
    if draw[1] < settings.case_augmentation / 2:
        # A headline stays a headline ...
        _change_outside(source_parts, str.upper)
        _change_outside(target_parts, str.upper)
    elif draw[1] < settings.case_augmentation:
        # ... but a source typed without capitals still gets a proper translation.
        _change_outside(source_parts, str.lower)
    plants = protection.kinds and not has_symbol and draw[2] < settings.planted_symbols
    # A pair with an empty side is left out; a planted symbol would prevent that.
    if plants and re.search(r"\w", source) and re.search(r"\w", target):
        planted = _planted("".join(source_parts), "".join(target_parts), first=first, draw=draw[3])
        source_parts, target_parts = ([line] for line in planted)
    return protection.join(source_parts), protection.join(target_parts)


def _change_outside(parts: list[str], change: Callable[[str], str]) -> None:
    parts[::2] = map(change, parts[::2])


def _planted(source: str, target: str, *, first: int, draw: float) -> tuple[str, str]:
    """The pair with a symbol in place of a word that both sides have once, else at the start or end of both sides."""
    symbol, other = SYMBOLS[first], SYMBOLS[(first + 1) % len(SYMBOLS)]
    words = [_WORD.findall(line) for line in (source, target)]
    common = [word for word in words[0] if words[0].count(word) == words[1].count(word) == 1]
    if common:
        word = re.compile(rf"\b{max(common, key=len)}\b")
        return word.sub(symbol, source), word.sub(symbol, target)
    # A name before a text, a number after it, the tags round a sentence, those round all but its full stop.
    before, behind = [(symbol + " ", ""), ("", " " + symbol), (symbol, other), (symbol, other)][int(4 * draw)]

    def around(line: str) -> str:
        final = _FINAL_PUNCTUATION.search(line)
        end = final.start() if final and draw < 0.75 else len(line)
        return before + line[:end] + behind + line[end:]

    return around(source), around(target)
