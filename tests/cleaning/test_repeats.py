"""Repeated keys, against a plain count."""

from collections import Counter

import numpy as np
import pytest

from nmt.cleaning.keys import keys_of
from nmt.cleaning.repeats import repeated


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("bucket_keys", [7, 1000])
def test_repeated_keys_are_those_that_a_plain_count_finds_whatever_the_buckets(limit, bucket_keys):
    random = np.random.default_rng(1)
    keys = random.integers(2**64, size=40, dtype=np.uint64)[random.integers(40, size=300)]
    kept = random.random(300) < 0.7
    seen, expected = Counter[int](), []
    for key, counts in zip(keys.tolist(), kept.tolist(), strict=True):
        expected.append(counts and seen[key] >= limit)
        seen[key] += counts
    assert repeated(keys, kept, limit=limit, bucket_keys=bucket_keys).tolist() == expected


def test_nothing_is_repeated_among_no_keys():
    assert repeated(np.empty(0, np.uint64), np.empty(0, bool)).tolist() == []


def test_near_keys_ignore_case_punctuation_and_spaces_and_nothing_else():
    first, near, other = (keys_of(line, "Ja") for line in ("Yes, sir!", "yes sir", "Yes, sirs!"))
    assert first.pair != near.pair
    assert first.near_pair == near.near_pair != other.near_pair
    assert (first.source, first.target) == (near.source, near.target)


def test_lines_without_letters_are_compared_as_they_are():
    assert keys_of("!", "a").source != keys_of("?", "a").source
