"""Pairs as training sees them: symbols on both sides or none, another case now and then, the rest as it was."""

import re

import numpy as np
import pytest

from nmt.config.data import Corpus, DataConfig, TextPair
from nmt.text.augmentation import augmented
from nmt.text.protection import KINDS, Protection
from nmt.text.tokenizer import JOINER, SYMBOLS

PLAIN = [("A dog sees it.", "Ein Hund sieht es!"), ("the old cat", "die alte Katze")]
WITH_SPANS = [("See {Name} at https://X.org or 5 Dogs.", "Siehe {Name} bei https://X.org oder fünf Hunde.")]


def augment(pairs, *, protect=KINDS, planted=0.0, case=0.0, seed=1):
    settings = DataConfig(
        train=[Corpus(source="a", target="b")],
        validation=TextPair(source="a", target="b"),
        planted_symbols=planted,
        case_augmentation=case,
    )
    return augmented(pairs, settings, Protection(list(protect)), np.random.default_rng(seed))


def symbols_of(line):
    return sorted(re.findall(f"[{''.join(SYMBOLS)}]", line))


def letters_of(line):
    return re.sub(f"[{''.join(SYMBOLS)}{JOINER} ]", "", line)


def test_pairs_are_a_pure_function_of_the_generator():
    everything = {"planted": 0.3, "case": 0.3}
    assert augment(PLAIN * 100, **everything) == augment(PLAIN * 100, **everything)
    assert augment(PLAIN * 100, **everything) != augment(PLAIN * 100, **everything, seed=2)


def test_with_all_of_it_off_pairs_are_as_they_were():
    assert augment(PLAIN + WITH_SPANS, protect=()) == PLAIN + WITH_SPANS
    assert augment(PLAIN) == PLAIN


def test_all_symbols_are_learnt_equally_and_follow_each_other():
    seen = np.zeros(len(SYMBOLS))
    for source, target in augment(WITH_SPANS * 2_000):
        first, second = map(SYMBOLS.index, re.findall(f"[{''.join(SYMBOLS)}]", source))
        assert second == (first + 1) % len(SYMBOLS)
        assert symbols_of(source) == symbols_of(target)
        seen[first] += 1
    np.testing.assert_allclose(seen / 2_000, 1 / len(SYMBOLS), atol=0.03)


def test_a_pair_with_an_empty_side_stays_as_it_is_for_it_is_left_out():
    pairs = [("", "Hallo Welt"), ("hello world", "  "), ("...", "hello")] * 100
    assert augment(pairs, planted=0.99) == pairs


def test_a_share_of_the_pairs_without_a_span_gets_the_same_symbols_on_both_sides():
    found = augment(PLAIN * 2_000 + WITH_SPANS, planted=0.2)[:-1]
    planted = [(pair, before) for pair, before in zip(found, PLAIN * 2_000, strict=True) if pair != before]
    assert len(planted) / 4_000 == pytest.approx(0.2, abs=0.02)
    for (source, target), (source_before, target_before) in planted:
        assert symbols_of(source) == symbols_of(target) != []
        assert letters_of(source) == letters_of(source_before)
        assert letters_of(target) == letters_of(target_before)
    shapes = {re.sub(f"[{''.join(SYMBOLS)}]", "S", source).replace(JOINER, "+") for (source, _), _ in planted}
    assert shapes == {
        *("S A dog sees it.", "A dog sees it S.", "S+ A dog sees itS.", "S+ A dog sees it.S"),
        *("S the old cat", "the old cat S", "S+ the old catS"),
    }
    assert {symbol for (source, _), _ in planted for symbol in symbols_of(source)} == set(SYMBOLS)
    assert augment(PLAIN * 100, planted=0.9, protect=()) == PLAIN * 100
    assert {len(symbols_of(source)) for source, _ in augment(WITH_SPANS * 100, planted=0.9)} == {2}


def test_a_word_that_both_sides_have_once_is_the_one_that_a_symbol_takes_the_place_of():
    pair = ("Anna met Johannes in Rome, Rome!", "Rome: Anna traf Johannes.")
    (source, target) = augment([pair], planted=0.999)[0]
    assert symbols_of(source) == symbols_of(target)
    (symbol,) = symbols_of(source)
    assert (source, target) == tuple(side.replace("Johannes", symbol) for side in pair)


def test_a_share_of_the_pairs_is_in_capitals_on_both_sides_and_as_many_sources_in_lower_case():
    pairs = augment(PLAIN[:1] * 4_000, case=0.3)
    source, target = PLAIN[0]
    counts = {kind: pairs.count(kind) / 4_000 for kind in set(pairs)}
    assert set(counts) == {(source, target), (source.upper(), target.upper()), (source.lower(), target)}
    assert counts[source.upper(), target.upper()] == pytest.approx(0.15, abs=0.02)
    assert counts[source.lower(), target] == pytest.approx(0.15, abs=0.02)


def test_spans_keep_their_case_those_too_that_no_symbol_stands_for():
    pair = ("See https://X.org/Ab now", "Siehe https://X.org/Cd jetzt")
    found = set(augment([pair] * 100, case=0.9))
    assert found == {
        pair,
        ("SEE https://X.org/Ab NOW", "SIEHE https://X.org/Cd JETZT"),
        ("see https://X.org/Ab now", "Siehe https://X.org/Cd jetzt"),
    }
    for source, _ in augment(WITH_SPANS * 100, case=0.9):
        assert len(symbols_of(source)) == 2


def test_scripts_without_case_stay_as_they_are():
    pair = ("猫は赤い。", "החתול אדום.")
    assert set(augment([pair] * 100, case=0.9)) == {pair}
