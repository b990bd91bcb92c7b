"""Lines are cut into words by their script, and what two lines share is found and nothing of them lost."""

import pytest

from nmt.report.words import Segment, compare, split_words


@pytest.mark.parametrize(
    ("line", "language", "words"),
    [
        ("Well, it's 3.50 €!", "en", ["Well", ",", "it", "'", "s", "3", ".", "50", "€", "!"]),
        ("हिन्दी में।", "hi", ["हिन्दी", "में", "।"]),
        ("东京 2020", "zh-TW", ["东", "京", "2", "0", "2", "0"]),
        ("  ", "en", []),
    ],
)
def test_words_are_what_stands_between_spaces_and_punctuation_or_characters_without_spaces(line, language, words):
    assert split_words(line, language) == words


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("a b c d", "a x c d e"),
        ("", "a"),
        (" one  two ", "two one"),
        ("same <b>&amp;", "same <b>&amp;"),
        ("Das ist. Gut", "Das war Gut."),
    ],
)
def test_segments_join_to_the_lines_and_the_same_words_are_unmarked_on_both_sides(left, right):
    sides = compare(left, right, "en")
    assert ["".join(segment.text for segment in side) for side in sides] == [left, right]
    shared = [
        [word for segment in side if not segment.differs for word in split_words(segment.text, "en")] for side in sides
    ]
    assert shared[0] == shared[1]


def test_neighbouring_words_that_differ_are_one_segment_with_the_space_between_them():
    ours, theirs = compare("the old red house", "the house", "en")
    assert ours == [Segment("the ", False), Segment("old red", True), Segment(" house", False)]
    assert theirs == [Segment("the house", False)]
