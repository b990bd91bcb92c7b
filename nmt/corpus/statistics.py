"""Language-independent statistics of a corpus: its pairs, lengths and letters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

_BLOCK_LINES = 200
_LARGEST_SHIFT = 5
# One Japanese text mixes kana and Chinese characters.
_ONE_SCRIPT = dict.fromkeys(("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"), "CJK")

# Characters of UTF-8 that were read as Latin-1.
MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac")
_MARKUP = re.compile(r"&(?:\w{2,8}|#\d{1,6});|</?[a-zA-Z][^<>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def _either(matches: Callable[[str], object]) -> Callable[[str, str], bool]:
    return lambda source, target: bool(matches(source) or matches(target))


def _numbers_differ(source: str, target: str) -> bool:
    source_numbers, target_numbers = (set(re.findall("[0-9]+", line)) for line in (source, target))
    return bool(source_numbers and target_numbers and source_numbers != target_numbers)


# (warnings or notes, message, check): everything a single pair of lines shows.
PAIR_CHECKS: tuple[tuple[str, str, Callable[[str, str], bool]], ...] = (
    (
        "notes",
        "pairs with source and target identical (training keeps them)",
        lambda source, target: source == target != "",
    ),
    ("warnings", "pairs with U+FFFD (an earlier conversion lost characters)", _either(lambda line: "\ufffd" in line)),
    ("warnings", "pairs that look like UTF-8 read as Latin-1 (\u00c3\u00a4 for \u00e4)", _either(MOJIBAKE.search)),
    ("notes", "pairs with HTML entities or tags", _either(_MARKUP.search)),
    ("notes", "pairs with control characters", _either(_CONTROL.search)),
    ("notes", "pairs with different numbers", _numbers_differ),
)


class Block(NamedTuple):
    """Lines start <= index < stop whose lengths fit those `shift` lines further down; shift 0: they fit nowhere."""

    start: int
    stop: int
    shift: int


def log_ratio(source_lengths: ArrayLike, target_lengths: ArrayLike) -> np.ndarray:
    """How much longer sources are than targets; short lines, whose ratios scatter, are taken as more alike.

    Args:
        source_lengths, target_lengths: of any one shape, in characters.
    """
    return np.log((np.asarray(source_lengths) + 5.0) / (np.asarray(target_lengths) + 5.0))


def length_outliers(source_lengths: ArrayLike, target_lengths: ArrayLike) -> np.ndarray:
    """Indices of the pairs whose length ratio is far from the corpus's usual one: 3 times it, and 6 deviations.

    Args:
        source_lengths, target_lengths: [pairs], in characters.
    """
    ratios = log_ratio(source_lengths, target_lengths)  # [pairs]
    distances = np.abs(ratios - np.median(ratios))
    deviation = 1.4826 * np.median(distances)  # a robust standard deviation
    return np.flatnonzero(distances > max(np.log(3.0), 6.0 * deviation))


def suspicious_blocks(source_lengths: ArrayLike, target_lengths: ArrayLike) -> list[Block]:
    """Stretches of lines that are not each other's translations: long sentences have long translations, so the lengths
    of aligned lines rise and fall together (Gale & Church 1993), and those of misaligned lines do not.

    Args:
        source_lengths, target_lengths: [pairs], in characters.
    """
    sources, targets = (np.log1p(np.asarray(lengths, dtype=np.float64)) for lengths in (source_lengths, target_lengths))
    if len(sources) < _BLOCK_LINES // 4:
        return []
    edges = np.linspace(0, len(sources), max(1, len(sources) // _BLOCK_LINES) + 1).astype(np.int64)  # [blocks + 1]
    shifts = np.arange(-_LARGEST_SHIFT, _LARGEST_SHIFT + 1)
    fits = np.stack([_correlations(sources, np.roll(targets, -shift), edges) for shift in shifts])  # [shifts, blocks]
    unshifted = fits[_LARGEST_SHIFT]
    best = fits.argmax(axis=0)
    shifted = (fits.max(axis=0) > 0.5) & (unshifted < fits.max(axis=0) - 0.3)
    unrelated = ~shifted & (unshifted < 0.2) & (np.median(unshifted) > 0.5)
    blocks: list[Block] = []
    for number in np.flatnonzero(shifted | unrelated):
        start, stop = int(edges[number]), int(edges[number + 1])
        shift = int(shifts[best[number]]) if shifted[number] else 0
        if blocks and blocks[-1].stop == start and blocks[-1].shift == shift:
            start = blocks.pop().start
        blocks.append(Block(start, stop, shift))
    return blocks


def _correlations(left: np.ndarray, right: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each block; 0 where a side does not vary."""
    sizes = np.diff(edges)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, edges[:-1]) / sizes

    covariance = mean(left * right) - mean(left) * mean(right)
    variances = (mean(left**2) - mean(left) ** 2) * (mean(right**2) - mean(right) ** 2)
    return np.where(variances > 1e-12, covariance / np.sqrt(np.maximum(variances, 1e-12)), 0.0)  # [blocks]


def script(line: str) -> str | None:
    """The script of most distinct letters of a line, such as "LATIN"; None without letters."""
    if line.isascii():
        return "LATIN" if any(map(str.isalpha, line)) else None
    scripts = Counter(map(_SCRIPTS.__getitem__, filter(str.isalpha, dict.fromkeys(line))))
    return max(scripts, key=scripts.__getitem__, default=None)


class _Scripts(dict[str, str]):
    """The script of each letter, once it has been asked for."""

    def __missing__(self, letter: str) -> str:
        plain = unicodedata.normalize("NFKC", letter)[0]  # of "º" and wide letters: their own names begin otherwise
        name = unicodedata.name(plain, "UNKNOWN").split()[0]
        return self.setdefault(letter, _ONE_SCRIPT.get(name, name))


_SCRIPTS = _Scripts()


def profile(lines: Iterable[str]) -> Counter[str]:
    """Counts of character trigrams: the fingerprint of a language (Cavnar & Trenkle 1994)."""
    return Counter(
        padded[start : start + 3]
        for padded in (f" {line.lower()} " for line in lines)
        for start in range(len(padded) - 2)
    )


def similarity(left: Counter[str], right: Counter[str]) -> float:
    """Cosine of two profiles, 0 to 1."""
    product = sum(count * right[piece] for piece, count in left.items())
    norms = np.sqrt(float(sum(n * n for n in left.values())) * float(sum(n * n for n in right.values())))
    return float(product / norms) if norms else 0.0
