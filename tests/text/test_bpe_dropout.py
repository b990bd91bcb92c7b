"""BPE dropout is the published algorithm: each segmentation is as probable as there."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise, product
from random import Random

import numpy as np
import pytest

from nmt.text.bpe_dropout import merged

SCORES = dict.fromkeys("abcd", -9.0) | {"ab": -1.0, "bc": -0.5, "cd": -2.0, "abc": -3.0, "bcd": -2.5, "abcd": -4.0}


def probabilities(pieces: tuple[str, ...], scores: Mapping[str, float], rate: float) -> Counter[tuple[str, ...]]:
    """Of each result of algorithm 1, which draws for every pair in every turn whether it is skipped."""
    candidates = [place for place, pair in enumerate(map("".join, pairwise(pieces))) if pair in scores]
    found: Counter[tuple[str, ...]] = Counter()
    for skipped in product((False, True), repeat=len(candidates)):
        probability = float(np.prod([rate if skip else 1 - rate for skip in skipped]))
        left = [place for place, skip in zip(candidates, skipped, strict=True) if not skip]
        if not left:
            found[pieces] += probability
            continue
        place = max(left, key=lambda place: scores[pieces[place] + pieces[place + 1]])
        after = (*pieces[:place], pieces[place] + pieces[place + 1], *pieces[place + 2 :])
        for result, later in probabilities(after, scores, rate).items():
            found[result] += probability * later
    return found


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_segmentations_have_the_probabilities_of_the_published_algorithm(rate):
    random, draws = Random(1), 20_000
    found = Counter(tuple(merged("abcdab", SCORES, rate=rate, random=random)) for _ in range(draws))
    expected = probabilities(tuple("abcdab"), SCORES, rate)
    assert found.keys() <= expected.keys()
    assert len(expected) > 8
    for pieces, probability in expected.items():
        assert abs(found[pieces] / draws - probability) < 5 * np.sqrt(probability / draws)


def test_without_dropout_the_best_pair_merges_first_and_of_equals_the_leftmost():
    assert merged("abcd", SCORES) == ["abcd"]  # bc, bcd, abcd
    assert merged("abab", {"ab": 0.0, "ba": 0.0, "abab": -1.0}) == ["abab"]
    assert merged("aaa", {"aa": 0.0}) == ["aa", "a"]
