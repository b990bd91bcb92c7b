"""Why a translation makes no pair."""

import pytest

from nmt.synthetic.selection import why_left_out
from nmt.synthetic.shards import Made

GOOD = Made("ein Hund", (), 0.5)


@pytest.mark.parametrize(
    ("line", "made", "reason"),
    [
        ("a dog", GOOD, None),
        ("a dog", GOOD._replace(confidence=0.4), None),
        ("a dog", GOOD._replace(confidence=0.399), "low confidence"),
        ("a dog", GOOD._replace(faults=("length", "coverage"), confidence=0.1), "length"),
        (" \t", GOOD, "blank"),
        ("a dog", GOOD._replace(text=" "), "blank"),
        (" a held-out line ", GOOD, "in a validation or test set"),
        ("a dog", GOOD._replace(text="eine Testzeile"), "in a validation or test set"),
    ],
)
def test_each_line_is_left_out_for_its_first_reason(line, made, reason):
    held_out = {"a held-out line", "eine Testzeile"}
    assert why_left_out(line, made, held_out=held_out, min_confidence=0.4) == reason


def test_a_confidence_is_missed_only_where_it_is_asked_for():
    unknown = GOOD._replace(confidence=None)
    assert why_left_out("a dog", unknown, held_out=(), min_confidence=None) is None
    with pytest.raises(ValueError, match="nmt calibrate"):
        why_left_out("a dog", unknown, held_out=(), min_confidence=0.0)
