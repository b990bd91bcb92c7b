"""Where translations are good and where not: scores by length of the source, by frequency of the words.

Imports no TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from nmt.report.words import split_words
from nmt.text.metrics import SystemScore, bootstrap

_LENGTH_CLASSES = 5
_MIN_LINES = 10  # in a class of lengths: the score of fewer says nothing
# First and last count in the training data of each class of words; the last class is open.
_FREQUENCIES = ((0, 0), (1, 1), (2, 4), (5, 9), (10, 99), (100, 999), (1000, None))


class LengthClass(NamedTuple):
    """Lines whose sources have `shortest` to `longest` words, and a system's scores on them."""

    shortest: int
    longest: int
    lines: int
    bleu: SystemScore
    chrf: SystemScore


class FrequencyClass(NamedTuple):
    """Words seen so often in the training data, and how well a system's translations have them.

    Precision: the share of the translations' words of this class that the reference of their line has; recall: the
    share of the references' words that the translation has; F1: their harmonic mean. A word that is there twice has to
    be there twice on the other side, too (compare-mt, Neubig et al. 2019).
    """

    first: int
    last: int | None
    reference_words: int
    precision: float
    recall: float
    f1: float


def length_classes(lengths: Sequence[int]) -> list[tuple[int, int, np.ndarray]]:
    """Lines in at most five classes of about equal size: shortest, longest, and the places of the lines."""
    count = max(1, min(_LENGTH_CLASSES, len(lengths) // _MIN_LINES))
    starts = np.unique(np.quantile(lengths, np.arange(count) / count, method="inverted_cdf"))
    classes = np.searchsorted(starts, lengths, side="right") - 1
    found = []
    for number in range(len(starts)):
        places = np.flatnonzero(classes == number)
        inside = np.asarray(lengths)[places]
        found.append((int(inside.min()), int(inside.max()), places))
    return found


def scores_by_length(
    lengths: Sequence[int], references: Sequence[str], hypotheses: Sequence[str], *, tokenize: str
) -> list[LengthClass]:
    """A system's BLEU and chrF on short and on long lines.

    Args: lengths: of each source, in words.
    """
    table = []
    for shortest, longest, places in length_classes(lengths):
        bleu, chrf = bootstrap(
            [references[place] for place in places],
            "",
            [hypotheses[place] for place in places],
            tokenize=tokenize,
            with_ter=False,
        )
        table.append(LengthClass(shortest, longest, len(places), bleu, chrf))
    return table


def count_words(lines: Iterable[str], language: str) -> Counter[str]:
    """How often each word is in the lines."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(split_words(line, language))
    return counts


def scores_by_frequency(
    references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]], counts: Counter[str]
) -> list[FrequencyClass]:
    """Precision, recall and F1 of words by how often training saw them; classes without a word are left out.

    Args:
        references, hypotheses: each line's words.
        counts: of words in the training data.
    """
    written, wanted, shared = ([0] * len(_FREQUENCIES) for _ in range(3))
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        in_reference, in_hypothesis = Counter(reference), Counter(hypothesis)
        for total, words in (
            (wanted, in_reference),
            (written, in_hypothesis),
            (shared, in_reference & in_hypothesis),
        ):
            for word, number in words.items():
                total[_frequency_class(counts[word])] += number
    table = []
    for (first, last), ours, theirs, both in zip(_FREQUENCIES, written, wanted, shared, strict=True):
        if ours or theirs:
            f1 = 2 * both / (ours + theirs)
            table.append(FrequencyClass(first, last, theirs, both / max(ours, 1), both / max(theirs, 1), f1))
    return table


def _frequency_class(count: int) -> int:
    return next(place for place, (_, last) in enumerate(_FREQUENCIES) if last is None or count <= last)
