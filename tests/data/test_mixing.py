"""The order of an epoch: it can be entered anywhere, by arithmetic."""

from itertools import pairwise

import pytest

from nmt.data.mixing import Source, before, count_mixed, mixed_pairs

WEIGHTS = {
    "once": (("a", 1.0), ("b", 1.0)),
    "several times, in parts, hardly": (("a", 2.4), ("b", 0.3), ("b", 3.0), ("a", 0.001)),
}


@pytest.mark.parametrize("weights", WEIGHTS)
def test_an_epoch_read_from_any_place_on_is_the_rest_of_it(job, weights):
    config = job(WEIGHTS[weights])
    whole = list(mixed_pairs(config, 3))
    assert len(whole) == count_mixed(config)
    for first in (0, 1, 2, 17, 299, 300, 301, len(whole) // 2, len(whole) - 1, len(whole)):
        assert list(mixed_pairs(config, 3, first=first)) == whole[first:]


def test_nothing_is_read_of_what_lies_before_and_no_more_of_a_corpus_than_its_part(job):
    read = []

    def pairs_from(first):
        for number in range(first, 1000):
            read.append(number)
            yield str(number), str(number)

    config = job((("a", 2.01),))
    found = list(mixed_pairs(config, 0, first=1990, sources=[Source(1000, pairs_from)]))
    assert [int(pair.source) for pair in found[:10]] == list(range(990, 1000))
    assert len(found) == 20
    assert read[:10] == list(range(990, 1000))
    assert read[10:] == list(range(int(found[10].source), int(found[-1].source) + 1))


@pytest.mark.parametrize("totals", [[7], [3, 3, 3], [1000, 1, 0, 10, 333]])
def test_each_pair_is_counted_in_exactly_one_corpus(totals):
    steps = [before(totals, first) for first in range(sum(totals) + 1)]
    assert steps[0] == [0] * len(totals)
    assert steps[-1] == totals
    assert all(
        sorted(after - earlier for after, earlier in zip(one, other, strict=True)) == [0] * (len(totals) - 1) + [1]
        for other, one in pairwise(steps)
    )
