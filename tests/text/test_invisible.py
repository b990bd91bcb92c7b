"""Characters that nobody sees change no translation: taken out of the source, alike in Python and in a graph."""

import random
import sys
import unicodedata

import pytest

from nmt.text.invisible import invisible_characters, visible, visible_in_graph
from nmt.text.protection import KINDS, Protection

# Those of issue 22, and some that are as rare as they are invisible.
LISTED = [
    *map(chr, (0x00, 0x85, 0xAD, 0x34F, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065))),
    *map(chr, (*range(0x2066, 0x206A), *range(0xFE00, 0xFE10), 0xFEFF)),
]
RARE = list(map(chr, (0x01, 0x1B, 0x7F, 0x9F, 0x61C, 0x115F, 0x180E, 0x3164, 0xFFA0, 0x1D173, 0xE0001, 0xE0100)))

# Joiners where they mean something: Persian, Arabic, Hindi, Malayalam, Sinhala, Bengali, Mongolian; emoji of parts.
KEPT = [
    *("می\u200cخواهم", "کتاب\u200cهایم", "ه\u200d.ق", "۳\u200cام", "क्\u200dष", "ക്\u200d", "ශ්\u200dරී", "র\u200d্য"),
    *(
        "ᠠ\u180b ᠨ\u180eᠠ",
        "👩\u200d👩\u200d👧",
        "❤\ufe0f",
        "🏴\U000e0067\U000e0062\U000e007f",
        "1\ufe0f\u20e3",
        "👩🏽\u200d⚕\ufe0f",
    ),
]


@pytest.mark.parametrize("character", LISTED + RARE, ids=lambda character: f"U+{ord(character):04X}")
def test_an_invisible_character_is_removed_wherever_it_stands(character):
    for line in (f"Sun{character}day", f"{character}Sunday", f"Sunday{character}", f"Sun{character}{character}day"):
        assert visible(line) == "Sunday"
        assert set(invisible_characters(line)) == {character}
    assert visible(character) == ""


@pytest.mark.parametrize("line", KEPT)
def test_joiners_stay_where_a_script_or_an_emoji_needs_them(line):
    assert visible(line) == line
    assert invisible_characters(line) == []


def test_joiners_go_where_nothing_joins():
    assert visible("Auf\u200cla\u200dge \u200cمی \u200d") == "Auflage می "
    assert visible("👩\u200dx a\ufe0f 1\ufe0f") == "👩\u200dx a 1"


def test_white_control_characters_are_spaces():
    assert visible("a\tb\nc\r\nd\x0be\x0cf") == "a b c  d e f"


def test_what_is_removed_is_a_control_or_ignorable_and_no_letter():
    categories = {}
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code < 0xE000 and visible(chr(code)) == "":
            categories.setdefault(unicodedata.category(chr(code)), []).append(code)
    assert set(categories) == {"Cc", "Cf", "Mn", "Lo", "Cn"}
    assert len(categories["Cc"]) == 65 - 5
    assert categories["Lo"] == [0x115F, 0x1160, 0x3164, 0xFFA0]  # the fillers of Hangul


def hard_lines() -> list[str]:
    choose = random.Random(1)
    parts = [
        *LISTED,
        *RARE,
        *KEPT,
        *"\t\n\r\x0b\x0c \u2028\u00a0",
        "day",
        "<b>",
        "a\u00adb@c.de",
        "http://x.org/\u200b",
        "5",
    ]
    parts += ["\ufdd0", "\ufdd8", "\ufde1", "\ufddf", "e\u0301", "日本", "می", "\u0301", "{name}", "\U0010ffff"]
    return ["", *parts, *("".join(choose.choices(parts, k=choose.randint(1, 12))) for _ in range(2000))]


@pytest.mark.parametrize("kinds", [(), tuple(KINDS), ("emoji",)], ids=["nothing protected", "all", "emoji"])
def test_a_graph_removes_what_python_removes(kinds):
    import tensorflow as tf

    protection, lines = Protection(kinds), hard_lines()
    hidden, spans = protection.hide_in_graph(tf.constant([line.encode() for line in lines]))
    expected = [protection.hide(line) for line in lines]
    assert [line.decode() for line in hidden.numpy()] == [text for text, _ in expected]
    assert [[span.decode() for span in row] for row in spans.to_list()] == [spans for _, spans in expected]


def test_a_protected_span_keeps_what_it_has():
    hidden, spans = Protection(("tags",)).hide("<a\thref='\u200bx'>Sun\u00adday</a>")
    assert spans == ["<a\thref='\u200bx'>", "</a>"]
    assert "Sunday" in hidden


def test_bytes_that_are_no_utf8_stay():
    import tensorflow as tf

    lines = [b"a\xffb\xc2\xadc", b"\x80\xad\x85", b"\xe2\x80", b"\xed\xa0\x80\x00x"]
    assert visible_in_graph(tf.constant(lines)).numpy().tolist() == [Protection().hide(line)[0] for line in lines]
    assert Protection().hide(lines[0])[0] == b"a\xffbc"


def test_training_removes_the_same_from_the_source_and_nothing_from_the_target():
    protection = Protection(("tags",))
    source, target = protection.hide_common(
        "<b title='\u200b'>Sun\u00adday</b> \u200b", "<b title='\u200b'>Sonn\u00adtag</b>\u200b"
    )
    assert protection.join(source) == protection.hide("<b title='\u200b'>Sun\u00adday</b> \u200b")[0]
    assert "Sonn\u00adtag" in protection.join(target)
