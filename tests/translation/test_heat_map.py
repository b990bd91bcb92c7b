"""A heat map shows each weight in its place, and nothing of a text is taken for markup."""

from xml.etree import ElementTree

import numpy as np
import pytest

from nmt.text.tokenizer import JOINER
from nmt.translation.heat_map import heat_map

SOURCE, TARGET = ("▁a", "<b>", "&amp;"), ("▁x", '"')
WEIGHTS = np.array([[0.25, 0.75, 0.0], [0.001, 0.009, 0.99]], np.float32)


@pytest.fixture(scope="module")
def table():
    return ElementTree.fromstring(heat_map(SOURCE, TARGET, WEIGHTS)).find("table")


def test_each_weight_stands_in_the_row_of_its_target_and_the_column_of_its_source_piece(table):
    rows = [[float(cell.get("title", 0)) for cell in row.findall("td")] for row in table.find("tbody")]
    np.testing.assert_allclose(rows, WEIGHTS, atol=0.005)
    strengths = [
        [float(cell.get("style", ":0").split(":")[1]) for cell in row.findall("td")] for row in table.find("tbody")
    ]
    assert strengths == rows


def test_pieces_are_headers_and_come_through_as_they_are(table):
    assert tuple("".join(header.itertext()) for header in table.find("thead").iter("th")) == SOURCE
    assert tuple("".join(header.itertext()) for header in table.find("tbody").iter("th")) == TARGET


def test_characters_that_html_forbids_are_replaced_and_a_joiner_is_seen():
    table = ElementTree.fromstring(heat_map([f"a{JOINER}", "b\x00\ufdd0\U0001ffff\U0001f600"], ["c"], np.ones([1, 2])))
    headers = ["".join(header.itertext()) for header in table.find("table").find("thead").iter("th")]
    assert headers == ["a\u203f", "b\ufffd\ufffd\ufffd\U0001f600"]


def test_a_translation_without_pieces_is_an_empty_table():
    table = ElementTree.fromstring(heat_map((), (), np.zeros([0, 0]))).find("table")
    assert not list(table.find("tbody"))


def test_weights_of_another_shape_are_refused_with_both():
    with pytest.raises(ValueError, match=r"shape \(2, 3\) came, \(3 target pieces, 2 source pieces\) was expected"):
        heat_map(TARGET, SOURCE, WEIGHTS)
