"""Lines are cut behind a number of bytes, between characters, in a graph."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.exports.byte_limit import cut_in_graph

LINES = [b"", b"a", "ä€😀ä€😀ä€😀".encode(), "😀".encode() * 9, b"\x80" * 20, b"\xff\xf0\x9f" * 7, b"abcdefgh" * 3]


def cut(line: bytes, limit: int) -> bytes:
    """`limit` bytes, and back to the border of a character; of bytes that are no UTF-8, `limit`."""
    for end in range(limit, limit - 4, -1):
        if end >= len(line) or line[end] & 0xC0 != 0x80:
            return line[:end]
    return line[:limit]


@pytest.mark.parametrize("limit", [4, 5, 6, 7, 8, 9, 21, 1000])
def test_lines_are_cut_at_the_last_character_that_begins_within_the_limit(limit):
    kept, were_cut = cut_in_graph(tf.constant(LINES), limit)
    assert kept.numpy().tolist() == [cut(line, limit) for line in LINES]
    np.testing.assert_array_equal(were_cut, [len(line) > limit for line in LINES])


def test_a_text_in_utf8_stays_utf8():
    text = "ä€😀".encode() * 20
    for limit in range(4, len(text) + 2):
        (kept,), _ = cut_in_graph(tf.constant([text]), limit)
        kept.numpy().decode()
        assert limit - 4 < len(kept.numpy()) <= limit or kept == text


def test_no_lines_stay_none():
    kept, were_cut = cut_in_graph(tf.constant([], tf.string), 10)
    assert (kept.shape, were_cut.shape) == ((0,), (0,))
