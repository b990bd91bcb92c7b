"""A lexicon finds out what translates what, from nothing but pairs."""

import shutil

import numpy as np
import pytest
from tiny_job import tiny_job, write_corpus

from nmt.runs.run import Run
from nmt.search.lexicon import LISTED, fit, learn_lexicon
from nmt.text.tokenizer import BOS, EOS, FIRST_SYMBOL, train_tokenizers
from nmt.translation.ensemble import load_translator

WORDS = range(10, 40)


def pairs(count, *, seed=1, translate=lambda word: word + 50, always=()):
    """Bags of words with their translations in another order, and words that all targets have."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        source = random.choice(WORDS, size=random.integers(1, 8))
        target = [*always, *(translate(word) for word in source)]
        random.shuffle(target)
        yield source.tolist(), [int(word) for word in target]


@pytest.mark.parametrize("joint", [False, True])
def test_a_words_translation_is_listed_first_whatever_the_order_of_words(joint):
    # So many frequent words that those of the dictionary are listed for their own word only.
    always = range(100, 100 + LISTED)
    lexicon = fit(pairs(600, always=always), 60, 210, joint=joint)
    own = lexicon[WORDS, int(joint)]
    assert own.tolist() == [word + 50 for word in WORDS]
    if joint:
        assert lexicon[WORDS, 0].tolist() == list(WORDS)


def test_what_every_sentence_may_have_is_in_the_row_of_bos_and_in_no_other():
    always = range(100, 100 + LISTED)
    lexicon = fit(pairs(300, always=always), 60, 210, joint=False)
    assert sorted(lexicon[BOS]) == list(always)
    assert not np.isin(lexicon[WORDS], always).any()


def test_a_word_with_few_translations_has_only_these():
    lexicon = fit([([10, 11], [60, 61])] * 3, 20, 70, joint=False)
    assert set(lexicon[BOS]) == {60, 61, EOS}
    assert set(lexicon[10]) == {EOS}


def test_no_pairs_are_an_error():
    with pytest.raises(ValueError, match="no pair to learn translations"):
        fit([], 20, 70, joint=False)


def test_a_job_learns_its_own_dictionary(tmp_path):
    write_corpus(tmp_path)
    symbols = "tokenizer.user_defined_symbols=[red, der, blue, eulb]"
    config = tiny_job(tmp_path, symbols, "tokenizer.vocabulary_size=70", "protect=[]")
    tokenizers = train_tokenizers(config)
    lexicon = learn_lexicon(config, tokenizers)
    red, der, blue, eulb = (tokenizers.source.encode([word])[0][-1] for word in ("red", "der", "blue", "eulb"))
    assert min(red, der, blue, eulb) >= FIRST_SYMBOL
    for word, translation in ((red, der), (blue, eulb)):
        assert translation in {*lexicon[word], *lexicon[BOS]}


def test_a_run_learns_its_lexicon_once_and_then_goes_without_its_corpora(number_run, tmp_path, capfd):
    run = Run.open(shutil.copytree(number_run.path, tmp_path / "run"))
    search = run.config.search.model_copy(update={"shortlist": 20})
    lines = ["twenty-one. four?", "", "ninety-nine? eighty. ten?"]
    first = [each.text for each in load_translator([run], search=search).translate(lines)]
    assert "learning" in capfd.readouterr().err

    elsewhere = {"source": str(tmp_path / "gone.en"), "target": str(tmp_path / "gone.xx")}
    data = run.config.data.model_copy(update={"train": [run.config.data.train[0].model_copy(update=elsewhere)]})
    run.config = run.config.model_copy(update={"data": data})
    assert [each.text for each in load_translator([run], search=search).translate(lines)] == first
    assert "learning" not in capfd.readouterr().err
    (run.path / "lexicon.npz").unlink()
    with pytest.raises(ValueError, match=r"gone.en: no such file"):
        load_translator([run], search=search)
