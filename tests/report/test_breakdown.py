"""Scores by length and by frequency are those of just the lines and words of each class."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import sacrebleu

from nmt.report.breakdown import count_words, length_classes, scores_by_frequency, scores_by_length

REFERENCES = [" ".join(["the", "cat", "sat", "there", "long", "ago"][: 1 + place % 6]) for place in range(60)]
HYPOTHESES = [line.replace("cat", "dog") if place % 3 else line for place, line in enumerate(REFERENCES)]
LENGTHS = [len(line.split()) for line in REFERENCES]


@pytest.mark.parametrize("lengths", [LENGTHS, [5] * 40, [1, 9], [1] * 50 + [2, 3, 80], [3] * 9 + [4] * 30])
def test_every_line_is_in_one_class_and_classes_do_not_overlap(lengths):
    classes = length_classes(lengths)
    assert 1 <= len(classes) <= 5
    assert sorted(np.concatenate([places for _, _, places in classes])) == list(range(len(lengths)))
    for shortest, longest, places in classes:
        inside = [lengths[place] for place in places]
        assert (shortest, longest) == (min(inside), max(inside))
    assert all(before[1] < after[0] for before, after in pairwise(classes))


def test_scores_of_a_class_are_sacrebleus_on_its_lines():
    for each in scores_by_length(LENGTHS, REFERENCES, HYPOTHESES, tokenize="13a"):
        places = [place for place, length in enumerate(LENGTHS) if each.shortest <= length <= each.longest]
        hypotheses, references = ([side[place] for place in places] for side in (HYPOTHESES, REFERENCES))
        assert each.lines == len(places)
        assert each.bleu.value == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references]).score)
        assert each.chrf.value == pytest.approx(sacrebleu.corpus_chrf(hypotheses, [references]).score)


def test_words_are_counted_over_all_lines():
    assert count_words(["a b a.", "a"], "en") == {"a": 3, "b": 1, ".": 1}


def test_precision_recall_and_f1_of_words_by_hand():
    # "a" is seen 1,000 times: there are 3 in the references, 3 in the translations, 2 of them in the same line.
    references = [["a", "a", "b"], ["a", "new"]]
    hypotheses = [["a", "b", "b"], ["a", "a"]]
    frequent, once, never = (
        next(each for each in scores_by_frequency(references, hypotheses, Counter(a=1000, b=1)) if each.first == first)
        for first in (1000, 1, 0)
    )
    assert frequent == (1000, None, 3, pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert once == (1, 1, 1, pytest.approx(1 / 2), 1.0, pytest.approx(2 / 3))
    assert never == (0, 0, 1, 0.0, 0.0, 0.0)


def test_a_word_counts_in_the_class_of_its_own_frequency():
    counts = Counter({f"seen{number}": number for number in (1, 2, 4, 5, 9, 10, 99, 100, 999, 1000, 10**6)})
    lines = [[*counts, "unseen"]]
    sizes = {each[:2]: each.reference_words for each in scores_by_frequency(lines, lines, counts)}
    expected = {(0, 0): 1, (1, 1): 1, (2, 4): 2, (5, 9): 2, (10, 99): 2, (100, 999): 2, (1000, None): 2}
    assert sizes == expected
