"""In blocks all is as at once, and no block is larger than its budget."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.exports.blocks import in_blocks
from nmt.text.tokenizer import PAD


def rows(lengths, width=None):
    """Ids that tell the rows apart, padded."""
    source = np.full([len(lengths), max([*lengths, width or 1])], PAD, np.int32)
    for row, length in enumerate(lengths):
        source[row, :length] = 10 * row + 1 + np.arange(length)
    return source


def answer(source):
    """Of each row alone, but as wide as its block; with a place that has nothing."""
    doubled = tf.where(source != PAD, 2 * source, 0)
    return {"ids": doubled[:, tf.newaxis], "nothing": None, "sum": tf.reduce_sum(tf.cast(source, tf.float32), axis=1)}


def sizes(source):
    """Of the block each row is in: rows, width."""
    return tf.repeat(tf.shape(source)[tf.newaxis], tf.shape(source)[0], axis=0)


LENGTHS = [[3], [0, 0], [5, 1, 9, 2, 2, 7, 0, 30, 4], [4] * 50, list(range(1, 40)), [100, 1]]


@pytest.mark.parametrize("budget", [1, 12, 60, 10_000])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_blocks_together_are_what_one_would_be(lengths, budget):
    source = rows(lengths, width=12)
    found = tf.function(lambda source: in_blocks(answer, source, budget=budget))(source)
    whole = answer(tf.constant(source))
    assert found["nothing"] is None
    np.testing.assert_array_equal(found["sum"], whole["sum"])
    width = max([*lengths, 1])
    np.testing.assert_array_equal(found["ids"], whole["ids"][:, :, :width])
    assert not np.any(whole["ids"][:, :, width:])


@pytest.mark.parametrize("budget", [1, 12, 60, 10_000])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_a_block_keeps_to_the_budget_and_leaves_no_room_for_the_next_row(lengths, budget):
    found = in_blocks(sizes, tf.constant(rows(lengths, width=12)), budget=budget).numpy()
    ascending = sorted(zip(lengths, found.tolist(), strict=True), key=lambda pair: pair[0])
    place = 0
    while place < len(ascending):
        count, width = ascending[place][1]
        block = ascending[place : place + count]
        assert all(size == [count, width] for _, size in block)
        assert width == max(1, *(length for length, _ in block))
        assert count == 1 or count * block[-1][0] <= budget
        place += count
        assert place == len(ascending) or (count + 1) * ascending[place][0] > budget


@pytest.mark.parametrize("width", [0, 3])
def test_no_rows_have_an_answer_of_no_rows(width):
    found = in_blocks(answer, tf.zeros([0, width], tf.int32), budget=10)
    assert found["ids"].shape[:2] == (0, 1)
    assert found["sum"].shape == (0,)


def test_rows_without_a_column_are_searched_as_empty_ones():
    found = in_blocks(answer, tf.zeros([2, 0], tf.int32), budget=10)
    assert found["ids"].numpy().tolist() == [[[0]], [[0]]]


def test_what_is_searched_is_traced_once():
    traces = []

    def search(source):
        traces.append(source)
        return source

    tf.function(lambda source: in_blocks(search, source, budget=8))(rows(LENGTHS[2]))
    assert len(traces) == 1
