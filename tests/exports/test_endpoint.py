"""What an export's signatures give, line by line."""

import numpy as np
import pytest

from nmt.exports.endpoint import read_outputs
from nmt.exports.signatures import MISSING

N_BEST = {
    "translation": np.array([[b"ein Haus", b"das Haus", "Häuser".encode()], [b"ja", b"", b""]], dtype=object),
    "score": np.array([[-1.0, -2.0, -3.0], [-0.5, MISSING, MISSING]], np.float32),
    "truncated": np.array([False, True]),
}


def test_what_the_export_thinks_of_a_line_goes_with_it_where_it_thinks():
    judged = {**N_BEST, "degenerate": np.array([False, True]), "confidence": np.array([0.75, 0.25], np.float32)}
    thoughts = [(each.degenerate, each.confidence) for each in read_outputs(judged, count=1)]
    assert thoughts == [(False, 0.75), (True, 0.25)]
    for each in read_outputs(N_BEST, count=1):
        assert (each.degenerate, each.confidence) == (False, None)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_line_has_its_best_hypotheses_and_none_that_is_missing(count):
    first, second = read_outputs(N_BEST, count=count)
    assert [each.text for each in first.n_best] == ["ein Haus", "das Haus", "Häuser"][:count]
    assert [each.score for each in first.n_best] == [-1.0, -2.0, -3.0][:count]
    assert [each.text for each in second.n_best] == ["ja"]
    assert (first.truncated, second.truncated) == (False, True)


def test_more_hypotheses_than_the_export_gives_are_refused():
    with pytest.raises(ValueError, match=r"n_best 4: this export gives 3 translations a line \(export.n_best\)"):
        read_outputs(N_BEST, count=4)


def test_pieces_and_alignments_lose_their_padding():
    outputs = {
        "translation": np.array([b"a", b"b c"], dtype=object),
        "score": np.array([-1.0, -2.0], np.float32),
        "truncated": np.array([False, False]),
        "source_pieces": np.array([[b"x", b"y"], [b"z", b""]], dtype=object),
        "target_pieces": np.array([[b"a", b""], [b"b", b"c"]], dtype=object),
        "alignment": np.arange(8, dtype=np.float32).reshape(2, 2, 2),
    }
    first, second = read_outputs(outputs, count=1)
    assert (first.source_pieces, first.n_best[0].pieces) == (("x", "y"), ("a",))
    assert (second.source_pieces, second.n_best[0].pieces) == (("z",), ("b", "c"))
    np.testing.assert_array_equal(first.n_best[0].alignment, [[0, 1]])
    np.testing.assert_array_equal(second.n_best[0].alignment, [[4], [6]])
