"""The columns that a batch needs, in blocks."""

import numpy as np
import pytest

from nmt.numpy_search.shortlist import BLOCK, make_columns
from nmt.search.definitions import IMPOSSIBLE
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
    for row, start, choices in zip(SOURCE, prefix, columns.choices, strict=True):
        expected = {*range(FIRST_IDS + 1), *range(200, 300), *LEXICON[row, :2].ravel(), *start}
        may = columns.ids[choices == 0.0]
        assert len(may) == len(set(may))
        assert set(may) == expected
        assert (choices[choices != 0.0] == IMPOSSIBLE).all()


def test_the_first_ids_fill_blocks_of_their_own():
    columns = make_columns(
        SOURCE,
        LEXICON,
        size=2,
        vocabulary=VOCABULARY,
        first_ids=FIRST_IDS,
        num_symbols=SYMBOLS,
        prefix=np.zeros([3, 0], np.int32),
    )
    np.testing.assert_array_equal(columns.ids[:FIRST_IDS], range(FIRST_IDS))
    assert not columns.ids[FIRST_IDS:BLOCK].any()
    assert columns.ids[BLOCK] == FIRST_IDS
    assert len(columns.ids) % BLOCK == 0
