"""The columns that a batch needs, in blocks."""

import numpy as np
import pytest

from nmt.numpy_search.shortlist import make_columns
from nmt.search.lexicon import LISTED
from nmt.text.tokenizer import BOS, EOS, FIRST_SYMBOL, PAD

VOCABULARY, SYMBOLS = 400, 3
FIRST_IDS = FIRST_SYMBOL + SYMBOLS
SOURCE = np.array([[30, 31, 32, EOS], [310, 30, EOS, PAD], [40, EOS, PAD, PAD]], np.int32)
LEXICON = np.full((VOCABULARY, LISTED), EOS, np.int32)
for piece in range(FIRST_IDS, VOCABULARY):
    LEXICON[piece, :3] = [piece, (piece + 50) % VOCABULARY, (piece + 90) % VOCABULARY]
LEXICON[BOS, :100] = range(200, 300)


def listed(prefix):
    settings = {"vocabulary": VOCABULARY, "first_ids": FIRST_IDS, "num_symbols": SYMBOLS}
    return make_columns(SOURCE, LEXICON, size=2, prefix=prefix, **settings)


@pytest.mark.parametrize("prefix", [[[], [], []], [[390, 391], [PAD, PAD], [390, PAD]]], ids=["free", "prefix"])
def test_each_row_may_use_its_own_pieces_the_frequent_ones_and_the_first_ids(prefix):
    prefix = np.array(prefix, np.int32).reshape(3, -1)
    columns = listed(prefix)
    nothing = len(columns.ids) - 1
    for row, start, own in zip(SOURCE, prefix, columns.own, strict=True):
        expected = {*range(FIRST_IDS + 1), *range(200, 300), *LEXICON[row, :2].ravel(), *start}
        may = columns.ids[own[own != nothing]]
        assert len(may) == len(set(may))
        assert set(may) == expected


def test_the_first_ids_stand_first_and_those_that_a_row_may_not_use_are_no_columns():
    columns = make_columns(
        SOURCE,
        LEXICON,
        size=2,
        vocabulary=VOCABULARY,
        first_ids=FIRST_IDS + 5,
        num_symbols=SYMBOLS,
        prefix=np.zeros([3, 0], np.int32),
    )
    nothing = len(columns.ids) - 1
    np.testing.assert_array_equal(columns.ids[: FIRST_IDS + 5], range(FIRST_IDS + 5))
    for row, own in zip(SOURCE, columns.own, strict=True):
        usable = {*range(FIRST_IDS + 1), *LEXICON[row, :2].ravel()}
        expected = [token if token in usable else nothing for token in range(FIRST_IDS + 5)]
        np.testing.assert_array_equal(own[: FIRST_IDS + 5], expected)


def test_rows_of_fewer_pieces_fill_up_with_the_column_of_no_token():
    columns = listed(np.zeros([3, 0], np.int32))
    nothing = len(columns.ids) - 1
    assert columns.ids[nothing] == PAD
    for own in columns.own:
        used = np.count_nonzero(own != nothing)
        assert (own[used:] == nothing).all()
        assert (np.diff(own[:used]) > 0).all()
