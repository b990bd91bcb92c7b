"""HTML: everything but the words stays byte for byte."""

import random
import re
from collections import Counter
from dataclasses import dataclass

import pytest

from nmt.documents.document import translate_documents
from nmt.documents.html_document import read_html
from nmt.documents.html_tokens import tokens
from nmt.translation.translation import Hypothesis, Translation

PIECES = [
    *re.findall(
        r"\S+", "<p> </p> </div> <b> </b> <i> </i> </a> <br> <br/> <td> </td> <!--x--> <!--<b>--> <![CDATA[x]]>"
    ),
    *re.findall(r"\S+", "<![foo]> </> </ <a <b< <!-- & &amp; &lt;b&gt; &nbsp; &#228; &#x1F600; &copy &bogus; &#; < >"),
    *re.findall(r"\S+", "good morning red house. Ein Baum, été 中文 🙂 12.5 – ( ) AT&T 3<4 x&y \" '"),
    *("<div class='a>b'>", '<a href="x?a=1&b=2">', "<img src=x>", "<!doctype html>", "<?php x?>", "<p\nid=1\n>"),
    *("<script>if (a<b) '</p>'</script>", "<style>b > i {}</style>", "<pre>a\n  b</pre>", "<code>x = 1</code>"),
    *('<span translate="no">Nmt <b>x</b></span>', '<p class="a notranslate">Kept</p>', "<textarea>a</textarea>"),
    *("<script>", "</script>", "<svg>", "</svg>", "<TITLE>", "</TITLE>", "<B>", "</B>", "\r\n", "\t", " ", "  "),
]


def pages(count: int) -> list[str]:
    choose = random.Random(3)
    return ["".join(choose.choices(PIECES, k=choose.randint(1, 30))) for _ in range(count)]


def translated(page: str, change) -> str:
    def translate(lines: list[str]) -> list[Translation]:
        return [Translation((Hypothesis(change(line), 0.0),)) for line in lines]

    return translate_documents([read_html(page)], translate)[0].text


def in_capitals(line: str) -> str:
    """Tags stay, as a model with protection keeps them."""
    return "".join(part if part.startswith("<") else part.upper() for part in re.split(r"(</?[gx][0-9]+>)", line))


@dataclass
class Recorder:
    """A model that repeats its lines and keeps a list of them."""

    lines: list[str]

    def __call__(self, line: str) -> str:
        self.lines.append(line)
        return line


def lines_of(page: str) -> list[str]:
    recorder = Recorder([])
    translated(page, recorder)
    return recorder.lines


def markup(page: str) -> list[str]:
    return [token.raw for token in tokens(page) if token.kind != "text"]


def test_a_model_that_repeats_its_lines_gives_the_page_byte_for_byte():
    for page in pages(500):
        assert translated(page, lambda line: line) == page


def test_all_but_the_words_stays_in_its_order():
    for page in pages(500):
        assert markup(translated(page, in_capitals)) == markup(page)


def test_a_model_that_loses_all_tags_still_loses_none_of_the_page():
    for page in pages(500):
        found = translated(page, lambda line: re.sub("[<>]", "", line.upper()))
        assert Counter(markup(found)) == Counter(markup(page))


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        ("<p>Good <b>morning</b>!</p><p>Red</p>", ["Good <g1>morning</g1>!", "Red"]),
        ("<p> <b>Good\n   morning</b> <img src=x></p>", ["Good morning"]),
        ("one<br>two &amp; three", ["one", "two & three"]),
        ("<a href=x><div>block</div></a>", ["block"]),
        ("a <code>b</code> c <!-- d --> e", ["a <x1> c <x3> e"]),
        ("a <span translate=no>b <i>c</i></span> d", ["a <x1> d"]),
        ("<div class='x notranslate'>a<p>b</p></div> c", ["c"]),
        ("<title>T</title><script>s</script><style>t</style><pre>p</pre>", ["T"]),
        ("<li>–</li><li>12</li>", ["12"]),
        ("<i>a</i> b <i>c</i>", ["<g0>a</g0> b <g4>c</g4>"]),
        ("a</b> b<i> c", ["a<x1> b<x3> c"]),
    ],
)
def test_a_block_is_a_line_in_which_inline_markup_is_a_placeholder(page, lines):
    assert lines_of(page) == lines


def test_words_move_with_their_tags():
    found = translated('the <b class="x">red</b> house', lambda line: "house the <g1>red</g1>")
    assert found == 'house the <b class="x">red</b>'


@pytest.mark.parametrize(
    "answer", ["A B C", "<g1>A</g1> <g1>B</g1>", "</g1>A<g1> B", "<g1>A <g5>B</g1></g5>", "<g1>A</g1>"]
)
def test_where_tags_are_lost_doubled_crossed_or_empty_each_text_is_translated_alone(answer):
    page = "a <b>b</b> c <i>d</i>"
    found = translated(page, lambda line: answer if "<g1>" in line else line.upper())
    assert found == "A <b>B</b> C <i>D</i>"


def test_text_that_looks_like_a_placeholder_is_text():
    assert translated("&lt;g1&gt; <b>a</b>", in_capitals) in ("&lt;g1&gt; <b>A</b>", "&lt;G1&gt; <b>A</b>")


def test_characters_are_written_as_references_where_the_source_has_them_so_or_html_needs_it():
    assert (
        translated("&auml; &quot;x&quot;&nbsp;y", lambda _: 'ä "Z"\xa0<&>') == "&auml; &quot;Z&quot;&nbsp;&lt;&amp;&gt;"
    )
    assert translated("ä x", lambda _: 'ä "ü" \xa0') == 'ä "ü" \xa0'
