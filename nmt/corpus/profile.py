"""Profile of a parallel corpus: amount and kind of text, from an evenly spaced sample."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nmt.config.data import TextPair
from nmt.corpus.statistics import script
from nmt.text.files import count_pairs, evenly, read_pairs
from nmt.text.protection import KINDS, Protection
from nmt.text.tokenizer import UNSPACED

_SAMPLE_PAIRS = 50_000
# In scripts without spaces a word has about so many characters; longer units, on average, are not words.
_CHARACTERS_A_WORD, _LONGEST_MEAN_WORD = 2.0, 4.0
# The share of the text that consists of frequent characters.
_COVERAGE = 0.9995


class SideProfile(NamedTuple):
    """One side. Lengths are means per line."""

    script: str  # of most lines, such as "LATIN"; "CJK" for Chinese and Japanese
    spaced: bool  # whether there are spaces between words
    words: float  # separated by spaces; in a script without spaces, two characters count as a word
    characters: float
    different_characters: int  # in the sample
    alphabet: int  # the most frequent ones, which make up 99.95% of the sample
    cased: bool  # most lines have letters of a script with upper and lower case
    capitals: float  # share of lines with an upper-case letter


class Spans(NamedTuple):
    """Spans of one kind in the sampled sources that could be protected."""

    found: int
    kept: float  # the share that also occurs in the target


class CorpusProfile(NamedTuple):
    """Both sides. Shares are fractions of the sampled pairs."""

    pairs: int
    different_pairs: int
    source: SideProfile
    target: SideProfile
    sample: list[tuple[str, str]]
    identical: float  # share of pairs whose sides are equal
    digits: float  # share of pairs with digits in the source
    spans: dict[str, Spans]  # of each kind in protect.KINDS

    @property
    def words(self) -> float:
        """Number of words on the side with more of them, repeated pairs counted once."""
        return self.different_pairs * max(self.source.words, self.target.words)


def profile_corpus(pair: TextPair) -> CorpusProfile:
    """Reads a corpus once (twice with counting its lines); memory grows by 8 bytes per pair.

    Raises:
        ValueError: as `read_pairs`.
    """
    pairs = count_pairs(pair)
    hashes = array("q")

    def hashed() -> Iterator[tuple[str, str]]:
        for lines in read_pairs(pair):
            hashes.append(hash(lines))
            yield lines

    sample = list(evenly(hashed(), total=pairs, keep=_SAMPLE_PAIRS))
    sources, targets = zip(*sample, strict=True) if sample else ((), ())
    return CorpusProfile(
        pairs=pairs,
        different_pairs=len(np.unique(np.asarray(hashes))),
        source=_side(sources),
        target=_side(targets),
        sample=sample,
        identical=_share(source == target for source, target in sample),
        digits=_share(re.search("[0-9]", source) for source in sources),
        spans=_spans(sample),
    )


def script_name(script: str) -> str:
    """A script in words."""
    return "Chinese or Japanese" if script == "CJK" else script.capitalize()


def _side(lines: Sequence[str]) -> SideProfile:
    characters = Counter(character for line in lines for character in line)
    words = Counter(word for line in lines for word in line.split())
    total = sum(words.values())
    letters = sum(len(word) * count for word, count in words.items())
    spaced = not _without_spaces(words)
    scripts = Counter(filter(None, map(script, lines)))
    count = max(1, len(lines))
    return SideProfile(
        script=scripts.most_common(1)[0][0] if scripts else "none",
        spaced=spaced,
        words=(total if spaced else letters / _CHARACTERS_A_WORD) / count,
        characters=sum(map(len, lines)) / count,
        different_characters=len(characters),
        alphabet=_alphabet(characters),
        cased=_share(line.upper() != line.lower() for line in lines) > 0.5,
        capitals=_share(line != line.lower() for line in lines),
    )


def _without_spaces(words: Counter[str]) -> bool:
    """Whether much of the text is in a script without spaces between words, and is not segmented by spaces either."""
    counts = {word: count for word, count in words.items() if UNSPACED.search(word)}
    total = sum(counts.values())
    letters = sum(len(word) * count for word, count in counts.items())
    return total > 0.1 * sum(words.values()) and letters > _LONGEST_MEAN_WORD * total


def _alphabet(characters: Counter[str]) -> int:
    counts = np.cumsum([count for _, count in characters.most_common()])
    return int(np.searchsorted(counts, _COVERAGE * counts[-1])) + 1 if len(counts) else 0


def _spans(sample: Sequence[tuple[str, str]]) -> dict[str, Spans]:
    protection = Protection(tuple(KINDS))
    found, kept = Counter[str](), Counter[str]()
    for pair in sample:
        source, target = (Counter(protection.hide(line)[1]) for line in pair)
        found.update(map(_kind, source.elements()))
        kept.update(map(_kind, (source & target).elements()))
    return {kind: Spans(found[kind], kept[kind] / max(1, found[kind])) for kind in KINDS}


def _kind(span: str) -> str:
    """The first kind that matches; "" for a reserved character."""
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, span, re.ASCII)), "")


def _share(holds: Iterator[object]) -> float:
    values = [bool(value) for value in holds]
    return sum(values) / max(1, len(values))
