"""Each rule on pairs that break it and on pairs that only look like it."""

import pytest

from nmt.cleaning import rules

GERMAN = "Der Mann sitzt auf einer Bank im Park und liest eine Zeitung."
ENGLISH = "The man sits on a bench in the park and reads a newspaper."


@pytest.mark.parametrize(("source", "target", "breaks"), [
    ("a", "b", False), ("7", "7", False), ("", "b", True), ("a", " ", True), ("a", "- ...", True), ("あ", "な", False),
])  # fmt: skip
def test_a_side_without_letters_and_digits_is_empty(source, target, breaks):
    assert rules.is_empty(source, target) is breaks


def test_a_side_is_long_from_one_character_above_the_limit():
    assert not rules.is_long("a" * 10, "b", most=10)
    assert rules.is_long("a", "b" * 11, most=10)


@pytest.mark.parametrize(("line", "breaks"), [
    ("Größe", False), ("Gr\u00c3\u00b6\u00c3\u009fe", True), ("Gr\ufffd\ufffde", True), ("it\u00e2\u20ac\u2122s", True),
])  # fmt: skip
def test_characters_that_a_conversion_lost_or_mistook_are_damage(line, breaks):
    assert rules.is_damaged(line, "fine") is rules.is_damaged("fine", line) is breaks


@pytest.mark.parametrize(("line", "breaks"), [
    ("It costs 5 euros.", False), ("| 12 | 13 | 14 | x |", True), ("****** a ******", True), ("हिन्दी की किताबें", False),
    ("ภาษาไทยที่นี่", False), ("你好。", False),
])  # fmt: skip
def test_few_letters_are_counted_with_the_vowel_signs_of_scripts_that_have_them(line, breaks):
    assert rules.has_few_letters(line, "letters only", least=0.6) is breaks


def test_a_length_is_odd_against_the_usual_ratio_not_against_equality():
    usual = float(rules.log_ratio(30, 10))  # sources are usually this much longer
    pairs = [("a" * 30, "b" * 10), ("a" * 30, "b" * 30), ("a" * 90, "b" * 10)]
    assert rules.have_odd_lengths(pairs, usual=usual, most=1.5) == [False, True, True]


@pytest.mark.parametrize(("source", "target", "breaks"), [
    (ENGLISH, GERMAN, False), (ENGLISH, ENGLISH, True), (ENGLISH, ENGLISH.upper(), True), ("OK", "OK", False),
    (ENGLISH, ENGLISH.replace("newspaper", "Zeitung"), True), ("Windows 11", "Windows 11", False),
])  # fmt: skip
def test_a_copy_is_found_by_its_words_and_a_name_is_none(source, target, breaks):
    assert rules.is_copied(source, target, most=0.8) is breaks


@pytest.mark.parametrize(("line", "expected", "breaks"), [
    ("Привет", "LATIN", True), ("Привет, Bob", "CYRILLIC", False), ("123", "LATIN", False), ("你好", "CJK", False),
    ("Привет", "", False),
])  # fmt: skip
def test_a_line_in_another_script_is_found_by_most_of_its_letters(line, expected, breaks):
    assert rules.is_in_another_script(line, expected=expected) is breaks


@pytest.mark.parametrize(("expected", "found"), [
    ("de", [False, True, False]), ("de-AT", [False, True, False]), ("en", [True, False, False]),
    ("tlh", [False, False, False]),
])  # fmt: skip
def test_another_language_is_found_in_lines_long_enough_to_tell(expected, found):
    lines = [GERMAN, ENGLISH, "Bonjour"]
    assert rules.are_in_another_language(lines, expected=expected, probability=0.9) == found


@pytest.mark.parametrize(("source", "target", "breaks"), [
    ("1,000.50 euros", "1.000,50 Euro", False), ("in 1987", "1978", False), ("in 1987", "im Jahr 2024", True),
    ("two", "2", False), ("no year", "im Jahr 1987", True), ("on 05/06", "am 5.6.", False), ("١٩٨٧", "1987", False),
    ("15 of 20", "15 von 30", False),
])  # fmt: skip
def test_other_numbers_are_found_by_their_digits(source, target, breaks):
    assert rules.have_other_digits(source, target, least=0.5) is breaks


@pytest.mark.parametrize(("source", "target", "breaks"), [
    ("%s of %d", "%d von %s", False), ("%s of %d", "%s von %s", True), ("{name} left", "{name} ging", False),
    ("{name} left", "sie ging", True), ("<b>one</b>", "<b>eins</b>", False), ("<b>one</b>", "eins", True),
    ("https://en.example.org", "https://de.example.org", False), ("https://example.org", "hier", True),
    ("A&amp;B", "A&B", False), ("a@example.org", "Post", True),
])  # fmt: skip
def test_placeholders_must_be_the_same_and_addresses_as_many(source, target, breaks):
    assert rules.have_other_spans(source, target, kinds=("urls", "emails", "tags", "placeholders")) is breaks


def test_only_the_named_kinds_of_spans_count():
    assert not rules.have_other_spans("<b>%s</b>", "%s", kinds=("placeholders",))
    assert rules.have_other_spans("<b>%s</b>", "%s", kinds=("tags",))
