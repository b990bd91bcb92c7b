"""Which pairs come first with their keys is the same however they are grouped, and takes little memory."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.pvalue import AsSingleton
from apache_beam.testing.util import assert_that

from nmt.beam.first import ROW, First, FirstOfEachKey, rows
from nmt.cleaning.keys import DTYPE
from nmt.cleaning.repeats import repeated


@pytest.fixture
def found():
    """1,000 rows of 30 keys, one of which half of them have."""
    choose = np.random.default_rng(1)
    keys = np.zeros(1000, DTYPE)
    keys["source"] = choose.integers(30, size=1000) * choose.integers(2, size=1000)
    return rows(np.arange(1000), keys)


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize(("groups", "buckets"), [(1, 1), (40, 7)])
def test_the_first_rows_of_each_key_are_left_whatever_the_groups(found, limit, groups, buckets):
    shuffled = found[np.random.default_rng(2).permutation(len(found))]
    expected = np.flatnonzero(~repeated(found["source"], np.ones(len(found), bool), limit=limit))

    def are_expected(parts):
        np.testing.assert_array_equal(np.sort(np.concatenate([part["place"] for part in parts])), expected)

    with beam.Pipeline("FnApiRunner") as pipeline:
        number = AsSingleton(pipeline | "number" >> beam.Create([buckets]))
        parts = pipeline | beam.Create(np.array_split(shuffled, groups))
        assert_that(parts | FirstOfEachKey("source", limit, buckets=number), are_expected)


def test_a_key_that_is_repeated_without_end_is_held_so_often_as_it_may_be_kept():
    combine = First("source", 20)
    accumulator = combine.create_accumulator()
    for start in range(0, 1_000_000, 1000):
        part = np.zeros(1000, ROW)
        part["place"] = np.arange(start, start + 1000)[::-1]
        accumulator = combine.add_input(accumulator, part)
        assert sum(map(len, accumulator)) <= 3 * 1000
    np.testing.assert_array_equal(np.sort(combine.extract_output(accumulator)["place"]), np.arange(20))
