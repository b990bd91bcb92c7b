"""Rules that ask a lexicon, or models of both directions."""

import numpy as np
import pytest
from tiny_job import tiny_job, write_corpus

from nmt.cleaning.corpora import clean
from nmt.cleaning.scores import dual_cross_entropies, lexicon_shares, score_rules
from nmt.config.file import override_config
from nmt.search.lexicon import LISTED
from nmt.text.files import read_pairs
from nmt.text.protection import Protection
from nmt.text.tokenizer import BOS, EOS
from nmt.translation.ensemble import load_translator


def test_dual_cross_entropy_is_the_papers_formula():
    forward, backward = [np.log([0.5, 0.25]), np.log([0.1])], [np.log([0.5]), np.log([0.1, 0.1])]
    ours, theirs = 1.5 * np.log(2), np.log(2)
    np.testing.assert_allclose(
        dual_cross_entropies(forward, backward), [ours - theirs + (ours + theirs) / 2, np.log(10)], rtol=1e-6
    )


def test_a_lexicon_explains_the_share_of_rarer_pieces_that_translate_a_piece_of_the_source(tokenizers):
    lexicon = np.full((tokenizers.source.vocabulary_size, LISTED), EOS, np.int32)
    red, der, eulb = (tokenizers.source.encode([word])[0] for word in ("red", "der", "eulb"))
    lexicon[red, 0], lexicon[red, 50] = der[-1], eulb[-1]  # the second is no likely one
    lexicon[BOS, : len(der) - 1] = der[:-1]  # what all lines have says nothing
    pairs = [("red", "der"), ("red", "eulb"), ("red", " ")]
    shares = lexicon_shares(lexicon, tokenizers, Protection(), pairs)
    rare = [piece for piece in eulb if piece not in lexicon[BOS]]
    assert shares.tolist() == [1.0, sum(piece == der[-1] for piece in rare) / len(rare), 1.0]


def test_a_job_without_such_rules_loads_nothing(tmp_path):
    write_corpus(tmp_path)
    assert score_rules(tiny_job(tmp_path)) == []


def test_pairs_that_two_models_find_unlikely_are_removed(number_run, tmp_path):
    config = override_config(
        number_run.config,
        [
            f"cleaning.forward_run={number_run.path}",
            f"cleaning.backward_run={number_run.path}",
            "cleaning.language=1.0",
        ],
    )
    pairs = list(read_pairs(config.data.train[0]))[:200]
    for side, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        (tmp_path / f"some.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    config = override_config(config, [f"data.train=[{{source: {tmp_path}/some.en, target: {tmp_path}/some.de}}]"])
    translator = load_translator([number_run])
    sources, targets = zip(*pairs, strict=True)
    entropies = dual_cross_entropies(translator.score(sources, targets), translator.score(targets, sources))
    before = clean(override_config(config, ["cleaning.max_cross_entropy=1000.0"]))
    limit = float(np.median(entropies))
    after = clean(override_config(config, [f"cleaning.max_cross_entropy={limit}"]))
    assert 0 < after.tally.removed["max_cross_entropy"] < before.tally.kept
    assert after.tally.kept + after.tally.removed["max_cross_entropy"] == before.tally.kept
    unlikely = {pair for pair, entropy in zip(pairs, entropies, strict=True) if entropy > limit}
    assert {each[2:] for each in after.tally.examples["max_cross_entropy"]} <= unlikely


def test_one_run_alone_cannot_judge(number_run):
    with pytest.raises(ValueError, match="give both, or neither"):
        override_config(number_run.config, [f"cleaning.forward_run={number_run.path}"])
