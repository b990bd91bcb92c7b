"""Lines in capitals: which they are, and the same in Python and in the graph."""

import random

import pytest
import tensorflow as tf

from nmt.text.capitals import (
    in_capitals,
    in_capitals_in_graph,
    to_capitals,
    to_capitals_in_graph,
    to_normal_case,
    to_normal_case_in_graph,
)
from nmt.text.tokenizer import JOINER, SYMBOLS

CAPITALS = [
    "NO SMOKING",
    "THE TRAIN LEAVES AT 5.",
    "“STOP IT NOW!”",
    "ΚΑΛΗΜΕΡΑ ΣΑΣ",
    f"SEE {SYMBOLS[0]}{JOINER} HERE, PLEASE",
]
NOT_CAPITALS = [
    "NASA",
    "NASA, ESA",
    "IBM PC",
    "WARNING",
    "The UNITED NATIONS",
    "I AM HERE, he said",
    "",
    "123",
    "中文 ABC",
    "A B C",
]


@pytest.mark.parametrize("line", CAPITALS)
def test_a_line_of_words_in_capitals_is_one(line):
    assert in_capitals(line)


@pytest.mark.parametrize("line", NOT_CAPITALS)
def test_acronyms_and_lines_with_lower_case_letters_are_not_in_capitals(line):
    assert not in_capitals(line)


def test_capitals_are_those_of_the_language():
    assert to_capitals("Straße in Izmir", "de") == "STRASSE IN IZMIR"
    assert to_capitals("izmir ılık", "tr") == "İZMİR ILIK"
    assert to_capitals("Καλημέρα", "el") == "ΚΑΛΗΜΕΡΑ"


def test_the_twin_in_normal_case_keeps_its_first_letter_only():
    assert to_normal_case("“THE EXAM ON NOVEMBER 22”", "en") == "“The exam on november 22”"
    assert to_normal_case("ISPARTA IŞIK İÇİN", "tr") == "Isparta ışık için"


@pytest.mark.parametrize("language", ["en", "tr", "el"])
def test_python_and_graph_agree(language):
    choose = random.Random(1)
    parts = [
        "NASA",
        "STOP",
        "PLEASE",
        "Straße",
        "ΣΑΣ",
        "İÇİN",
        "é",
        "É",
        "i",
        " ",
        " ",
        ", ",
        "5",
        "\n",
        SYMBOLS[1],
        "中",
    ]
    lines = ["".join(choose.choices(parts, k=choose.randrange(9))) for _ in range(2000)] + CAPITALS + NOT_CAPITALS
    as_bytes = [line.encode() for line in lines] + [b"PLEASE STOP \xff NOW"]
    lines = [line.decode("utf-8", "surrogateescape") for line in as_bytes]
    found = in_capitals_in_graph(tf.constant(as_bytes)).numpy().tolist()
    assert found == list(map(in_capitals, lines))
    assert 50 < sum(found) < len(lines) - 50
    lines = [line for line, capitals in zip(lines, found, strict=True) if capitals]
    for python, graph in ((to_normal_case, to_normal_case_in_graph), (to_capitals, to_capitals_in_graph)):
        in_graph = graph(tf.constant([line.encode() for line in lines]), language).numpy()
        assert [text.decode() for text in in_graph] == [python(line, language) for line in lines]
