import pytest
from parallel_corpus import sentences, write

from nmt.config.data import TextPair
from nmt.corpus.profile import profile_corpus


@pytest.fixture
def profile(tmp_path):
    def make(source, target):
        write(tmp_path, source=source, target=target)
        return profile_corpus(TextPair(source=str(tmp_path / "text.en"), target=str(tmp_path / "text.de")))

    return make


def test_words_are_counted_where_there_are_spaces_and_estimated_from_characters_where_not(profile):
    found = profile(["one two three four"] * 10, ["日本語の新しい本を読みました"] * 10)
    assert found.source.spaced
    assert not found.target.spaced
    assert (found.source.words, found.source.characters) == (4, 18)
    assert (found.target.words, found.target.characters) == (7, 14)
    assert (found.source.script, found.target.script) == ("LATIN", "CJK")


@pytest.mark.parametrize(
    ("line", "spaced"),
    [
        ("Donaudampfschifffahrtsgesellschaft", True),
        ("私 は 新しい 本 を 読み ました 。", True),  # tokenized before
        ("한국어는 띄어쓰기를 합니다", True),
        ("ฉันชอบอ่านหนังสือทุกวัน", False),
        ("我喜欢读书。", False),
        ("E325: スワップファイルが見つかりました %s", False),
        ("", True),
    ],
)
def test_whether_words_have_spaces_between_them_is_seen_in_the_text(profile, line, spaced):
    assert profile(["x"], [line]).target.spaced is spaced


def test_repeated_pairs_are_text_once(profile):
    source, target = sentences("LATIN", 500), sentences("CYRILLIC", 500)
    once, twice = profile(source, target), profile(source * 2, target * 2)
    assert (once.pairs, twice.pairs) == (500, 1000)
    assert once.different_pairs == twice.different_pairs
    assert twice.words == pytest.approx(once.words)


def test_spans_of_each_kind_are_counted_with_the_share_that_both_sides_have(profile):
    found = profile(["%s of {0}", "in 1999 or 2000", "write to a@b.org"], ["von %s", "1999 2000 2000", "nichts"]).spans
    assert found["placeholders"] == (2, 0.5)
    assert found["numbers"] == (2, 1.0)
    assert found["emails"] == (1, 0.0)
    assert found["urls"] == (0, 0.0)


def test_shares_are_of_the_pairs(profile):
    source = ["in 1999", "see https://example.org", "Same", "no"]
    found = profile(source, ["1999", "siehe", "Same", "nein"])
    assert (found.digits, found.identical) == (0.25, 0.25)
    assert (found.source.capitals, found.target.capitals) == (0.25, 0.25)


def test_an_alphabet_is_the_characters_that_are_nearly_all_of_the_text(profile):
    found = profile(["ab" * 5_000, "z"], ["ab" * 5_000, "ab"])
    assert (found.source.different_characters, found.source.alphabet) == (3, 2)
    assert (found.target.different_characters, found.target.alphabet) == (2, 2)


def test_a_sample_is_spread_over_the_corpus(profile):
    lines = [str(number) for number in range(100_000)]
    assert profile(lines, lines).sample == [(line, line) for line in lines[1::2]]
