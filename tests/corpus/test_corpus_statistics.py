import numpy as np
import pytest

from nmt.corpus.statistics import (
    PAIR_CHECKS,
    Block,
    length_outliers,
    profile,
    script,
    similarity,
    suspicious_blocks,
)


@pytest.fixture
def lengths() -> tuple[np.ndarray, np.ndarray]:
    """Of 2,000 aligned pairs: the target is 1.2 times as long, give or take a sixth."""
    random = np.random.default_rng(0)
    sources = random.integers(10, 120, 2_000)
    return sources, np.round(sources * 1.2 * np.exp(random.normal(0, 0.15, 2_000)))


def test_aligned_lengths_raise_no_suspicion(lengths):
    assert suspicious_blocks(*lengths) == []
    assert len(length_outliers(*lengths)) == 0


@pytest.mark.parametrize("shift", [-3, -1, 1, 5])
def test_a_shifted_stretch_is_found_with_its_shift(lengths, shift):
    sources, targets = lengths
    targets[600:1400] = np.roll(targets, shift)[600:1400]
    (block,) = suspicious_blocks(sources, targets)
    assert block.shift == shift
    assert abs(block.start - 600) <= 200
    assert abs(block.stop - 1400) <= 200


def test_one_lost_line_shifts_all_that_follow(lengths):
    sources, targets = lengths
    assert suspicious_blocks(sources, np.append(np.delete(targets, 1000), 50)) == [Block(1000, 2000, -1)]


def test_a_stretch_of_other_text_is_found(lengths):
    sources, targets = lengths
    targets[400:800] = np.random.default_rng(1).permutation(targets[400:800])
    assert suspicious_blocks(sources, targets) == [Block(400, 800, 0)]


def test_few_or_equally_long_lines_are_not_judged(lengths):
    sources, targets = lengths
    assert suspicious_blocks(sources[:40], targets[1:41]) == []
    assert suspicious_blocks(np.full(500, 30), np.full(500, 40)) == []
    assert len(length_outliers([5], [500])) == 0


def test_extreme_length_ratios_are_found_whatever_the_usual_ratio(lengths):
    sources, targets = lengths
    for usual in (1, 4):
        changed = targets * usual
        changed[[7, 70]] = [1, 9_000]
        assert length_outliers(sources, changed).tolist() == [7, 70]


def test_where_ratios_scatter_widely_a_ratio_of_three_is_not_extreme():
    random = np.random.default_rng(0)
    sources = random.integers(50, 120, 2_000)
    targets = sources * np.exp(random.normal(0, 0.5, 2_000))
    assert (targets > 3 * sources).any()
    assert len(length_outliers(sources, targets)) == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain words", "LATIN"),
        ("Grüße", "LATIN"),
        ("привет, NATO", "CYRILLIC"),
        ("日本語のテキスト", "CJK"),
        ("ひらがな", "CJK"),
        ("データー", "CJK"),
        ("ｶﾀｶﾅ", "CJK"),
        ("Ｗｉｄｅ", "LATIN"),
        ("90ºC", "LATIN"),
        ("ºº 1ª", "LATIN"),
        ("123 !?", None),
        ("١٢٣ …", None),
        ("", None),
    ],
)
def test_the_script_of_a_line_is_that_of_most_of_its_letters(line, expected):
    assert script(line) == expected


def test_profiles_are_closer_within_a_language_than_across():
    english = profile(["the dog is in the house", "the cat was there and then it went"])
    more_english = profile(["then the other man went to the house with the dog"])
    german = profile(["der Hund ist in dem Haus", "die Katze war dort und dann ging sie"])
    assert similarity(english, english) == pytest.approx(1.0)
    assert similarity(english, more_english) > 2 * similarity(english, german)
    assert similarity(english, profile([])) == 0.0


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("identical", [("a", "a")], [("a", "b"), ("", "")]),
        ("U+FFFD", [("a\ufffd", "a"), ("a", "\ufffd")], [("a", "b?")]),
        ("Latin-1", [("Gr\u00c3\u00bc\u00c3\u0178e", "a"), ("it\u00e2\u20ac\u2122s", "a")], [("Grüße Ãa Âge", "â €")]),
        ("HTML", [("a &amp; b", "c"), ("a", "<b>c</b>"), ("&#39;", "c")], [("a & b; c", "1 < 2 > 0")]),
        ("control", [("a\x07", "b"), ("a\u2028b", "c"), ("a\rb", "c")], [("a\tb", "c")]),
        ("numbers", [("in 1999", "in 1998"), ("2 of 3", "2")], [("1,000", "1.000"), ("two", "2"), ("3 of 2", "2 / 3")]),
    ],
)
def test_each_check_of_a_pair_tells_wrong_from_right(text, wrong, right):
    ((_, _, holds),) = [check for check in PAIR_CHECKS if text in check[1]]
    assert all(holds(*pair) for pair in wrong)
    assert not any(holds(*pair) for pair in right)
