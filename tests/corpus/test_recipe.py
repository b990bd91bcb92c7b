import numpy as np
import pytest

from nmt.config.data import DataConfig
from nmt.corpus.profile import CorpusProfile, SideProfile, Spans
from nmt.corpus.recipe import AMOUNTS, TABLE, choose, choose_budget, choose_lengths, epochs, halved, rounded
from nmt.text.protection import KINDS

SIZES = [1_000 * 2**power for power in range(17)]  # pairs
FALLING = ("dropout", "lexical", "sampling_alpha", "learning_rate", "length_penalty")  # the more text, the less


def side(script="LATIN", *, spaced=True, alphabet=70, characters=90) -> SideProfile:
    return SideProfile(
        script=script,
        spaced=spaced,
        words=12.0,
        characters=60.0,
        different_characters=characters,
        alphabet=alphabet,
        cased=True,
        capitals=0.9,
    )


def profile(pairs=30_000, *, source=None, target=None, digits=0.0, **spans: Spans) -> CorpusProfile:
    return CorpusProfile(
        pairs=pairs,
        different_pairs=pairs,
        source=source or side(),
        target=target or side(),
        sample=[],
        identical=0.0,
        digits=digits,
        spans={kind: spans.get(kind, Spans(0, 0.0)) for kind in KINDS},
    )


def chosen(of: CorpusProfile) -> dict:
    return {choice.setting: choice.value for choice in choose(of)}


def budget(pairs: int) -> dict:
    data = DataConfig.model_construct(batch_tokens=chosen(profile(pairs))["data.batch_tokens"], max_length=100)
    choices = choose_budget(profile(pairs), [(15, 14), (12, 18), (10, 9)] * 100, data)
    return {choice.setting: choice.value for choice in choices} | {"batch_tokens": data.batch_tokens}


def ordered(values, *, rising: bool) -> bool:
    steps = np.diff(np.asarray(list(values), dtype=np.float64))
    return bool((steps >= 0).all() if rising else (steps <= 0).all())


@pytest.mark.parametrize(
    ("setting", "rising"), [(setting, not any(word in setting for word in FALLING)) for setting in TABLE]
)
def test_more_text_never_means_a_smaller_model_fewer_pieces_or_more_dropout(setting, rising):
    values = [chosen(profile(pairs))[setting] for pairs in SIZES]
    assert ordered(values, rising=rising)
    assert ordered(TABLE[setting][0], rising=rising)


def test_more_text_means_fewer_epochs_and_more_of_it_seen():
    assert ordered(map(epochs, SIZES), rising=False)
    found = [budget(pairs) for pairs in SIZES]
    assert ordered((each["training.max_steps"] * each["batch_tokens"] for each in found), rising=True)
    assert all(each["training.schedule.warmup_steps"] * 10 <= each["training.max_steps"] for each in found)


def test_no_step_pulls_weights_to_0_further_than_was_found_to_help():
    """Learning rate x weight decay of 1e-4 to 3e-4 helped, 6e-4 harmed (docs/results.md)."""
    for pairs in SIZES:
        choices = choose(profile(pairs))
        while choices:
            of = {choice.setting: choice.value for choice in choices}
            assert of["training.optimizer.name"] == "adamw"
            pull = of["training.schedule.learning_rate"] * of["training.optimizer.arguments"]["weight_decay"]
            assert 5e-5 < pull <= 3.001e-4
            choices = halved(choices)


def test_the_table_has_a_column_for_each_amount():
    assert {len(row) for row, _ in TABLE.values()} == {len(AMOUNTS)}


def test_one_script_shares_all_embeddings_and_two_have_vocabularies_of_their_own():
    shared, apart = chosen(profile()), chosen(profile(target=side("CYRILLIC")))
    assert shared["model.tied_embeddings"] == "all"
    assert "tokenizer.joint" not in shared
    assert apart["tokenizer.joint"] is False
    assert "model.tied_embeddings" not in apart
    assert apart["tokenizer.vocabulary_size"] < shared["tokenizer.vocabulary_size"]


def test_many_characters_have_room_in_the_vocabulary_and_the_rarest_are_bytes():
    few = chosen(profile(target=side("CJK", spaced=False)))
    many = chosen(profile(target=side("CJK", spaced=False, alphabet=1_800, characters=2_500)))
    assert many["tokenizer.vocabulary_size"] >= few["tokenizer.vocabulary_size"] + 1_500 + 256
    assert (many["tokenizer.character_coverage"], many["tokenizer.byte_fallback"]) == (0.9995, True)
    assert not {"tokenizer.character_coverage", "tokenizer.byte_fallback"} & few.keys()
    # Of a small alphabet whatever is rare is still a letter, beside many signs of which each is met once.
    signs = chosen(profile(target=side(alphabet=70, characters=400)))
    assert many["tokenizer.character_coverage"] < signs["tokenizer.character_coverage"] < 1
    assert signs["tokenizer.byte_fallback"]


def test_what_translations_change_is_not_protected_and_its_digits_are_pieces():
    kept, changed, rare = Spans(500, 0.95), Spans(500, 0.2), Spans(3, 0.0)
    assert not {"protect", "tokenizer.user_defined_symbols"} & chosen(profile(digits=0.3, numbers=kept)).keys()
    assert "protect" not in chosen(profile(numbers=rare))
    found = chosen(profile(digits=0.3, numbers=changed, urls=kept))
    assert found["protect"] == [kind for kind in KINDS if kind != "numbers"]
    assert found["tokenizer.user_defined_symbols"] == [*"0123456789"]


def test_every_reason_of_an_amount_names_the_words_found():
    reasons = [choice.reason for choice in choose(profile(30_000)) if choice.setting in TABLE]
    assert len(reasons) == len(TABLE)
    assert all("360,000 words are few" in reason for reason in reasons)


def test_long_lines_and_long_translations_are_given_room():
    def lengths(source, target):
        return {choice.setting: choice.value for choice in choose_lengths([(source, target)] * 1_000)}

    assert lengths(95, 40) == {"search.max_source_length": 100}
    assert lengths(95, 341) == {"data.max_length": 250, "search.max_source_length": 100, "search.max_length_ratio": 3.5}
    assert lengths(2_000, 10)["data.max_length"] == lengths(2_000, 10)["search.max_source_length"] == 250
    assert lengths(10, 2_000)["search.max_length_ratio"] == 5.0


@pytest.mark.parametrize(("pieces", "limit"), [(2, 30), (44, 50), (141, 150), (999, 250)])
def test_lines_longer_than_the_model_has_seen_are_translated_in_parts(pieces, limit):
    choices = {choice.setting: choice.value for choice in choose_lengths([(pieces, pieces)] * 1_000)}
    assert choices["search.max_source_length"] == limit


def test_paragraphs_that_are_all_too_long_are_refused():
    with pytest.raises(ValueError, match="no pair has at most 100 pieces a side: a line should hold one sentence"):
        choose_budget(profile(), [(300, 10)], DataConfig.model_construct(batch_tokens=1024, max_length=100))


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (7, 7), (99, 99), (104, 100), (115, 120), (345_678, 350_000)])
def test_rounding_keeps_two_digits(number, expected):
    assert rounded(number) == expected
