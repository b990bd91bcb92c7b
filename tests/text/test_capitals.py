"""Lines in capitals: which they are, and the same in Python and in the graph."""

import random

import pytest
import tensorflow as tf

from nmt.text.capitals import Capitals
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
    assert Capitals("en", "de").found(line)


@pytest.mark.parametrize("line", NOT_CAPITALS)
def test_acronyms_and_lines_with_lower_case_letters_are_not_in_capitals(line):
    assert not Capitals("en", "de").found(line)


def test_capitals_are_those_of_the_language():
    assert Capitals("en", "de").to_capitals("Straße in Izmir") == "STRASSE IN IZMIR"
    assert Capitals("en", "tr-TR").to_capitals("izmir ılık") == "İZMİR ILIK"
    assert Capitals("en", "el").to_capitals("Καλημέρα") == "ΚΑΛΗΜΕΡΑ"


def test_the_twin_in_normal_case_keeps_its_first_letter_only():
    assert Capitals("en", "de").to_normal_case("“THE EXAM ON NOVEMBER 22”") == "“The exam on november 22”"
    assert Capitals("tr", "de").to_normal_case("ISPARTA IŞIK İÇİN") == "Isparta ışık için"


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
    capitals = Capitals(language, language)
    found = capitals.found_in_graph(tf.constant(as_bytes)).numpy().tolist()
    assert found == list(map(capitals.found, lines))
    assert 50 < sum(found) < len(lines) - 50
    lines = [line for line, is_found in zip(lines, found, strict=True) if is_found]
    in_bytes = tf.constant([line.encode() for line in lines])
    for python, graph in (
        (capitals.to_normal_case, capitals.to_normal_case_in_graph),
        (capitals.to_capitals, capitals.to_capitals_in_graph),
    ):
        assert [text.decode() for text in graph(in_bytes).numpy()] == list(map(python, lines))
