"""The metrics are sacrebleu's: the same numbers and signatures as its own command, and laws every metric must keep."""

import json
import random
import subprocess
import sys

import pytest
import sacrebleu
from tiny_job import tiny_job

from nmt.text.metrics import bleu_tokenize, bootstrap, has_spaces, language_code, paired_bootstrap, score, sentence_chrf

REFERENCES = [f"der {noun} steht {place} und wartet {number} Minuten ." for noun, place, number in
              zip(["Mann", "Hund", "Zug", "Bus"] * 10, ["dort", "hier"] * 20, range(40), strict=True)]  # fmt: skip


def damaged(lines, *, share, seed):
    """The lines without a random share of their words."""
    drawn = random.Random(seed)
    return [" ".join(word for word in line.split() if drawn.random() >= share) for line in lines]


def test_scores_equal_those_of_the_sacrebleu_command(tmp_path):
    hypotheses = damaged(REFERENCES, share=0.2, seed=1)
    (tmp_path / "reference").write_text("\n".join(REFERENCES) + "\n")
    (tmp_path / "system").write_text("\n".join(hypotheses) + "\n")
    command = [sys.executable, "-m", "sacrebleu", "reference", "-i", "system", "-m", "bleu", "chrf", "ter", "-w", "6"]
    expected = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout)

    found = score(hypotheses, REFERENCES)

    assert [round(metric.value, 6) for metric in found] == [metric["score"] for metric in expected]
    assert [metric.signature for metric in found] == [metric["signature"] for metric in expected]


def test_the_chrf_of_a_line_is_that_of_a_test_set_of_this_line():
    hypotheses = damaged(REFERENCES, share=0.4, seed=2)
    found = sentence_chrf(hypotheses, REFERENCES)
    for value, hypothesis, reference in zip(found, hypotheses, REFERENCES, strict=True):
        assert value == pytest.approx(score([hypothesis], [reference]).chrf.value)
    with pytest.raises(ValueError, match="2 lines but the references have 1"):
        sentence_chrf(["a", "b"], ["a"])


def test_a_perfect_translation_has_the_best_value_of_every_metric():
    found = score(REFERENCES, REFERENCES)
    assert [round(metric.value, 6) for metric in found] == [100.0, 100.0, 0.0]


def test_more_damage_scores_worse_in_every_metric():
    little, much = (score(damaged(REFERENCES, share=share, seed=1), REFERENCES) for share in (0.1, 0.5))
    assert little.bleu.value > much.bleu.value
    assert little.chrf.value > much.chrf.value
    assert little.ter.value < much.ter.value


def test_scores_without_ter_equal_those_with_it():
    hypotheses = damaged(REFERENCES, share=0.2, seed=1)
    full, quick = score(hypotheses, REFERENCES), score(hypotheses, REFERENCES, with_ter=False)
    assert quick == full._replace(ter=None)


def test_lowercase_forgives_case_and_says_so_in_the_signature():
    shouted = [line.upper() for line in REFERENCES]
    assert score(shouted, REFERENCES).bleu.value < 50
    forgiven = score(shouted, REFERENCES, lowercase=True)
    assert forgiven.bleu.value == pytest.approx(100)
    assert forgiven.chrf.value == pytest.approx(100)
    assert "case:lc" in forgiven.bleu.signature


@pytest.mark.parametrize(
    ("language", "tokenize"),
    [
        ("de", "13a"),
        ("deu", "13a"),
        ("zh", "zh"),
        ("zh-TW", "zh"),
        ("ZH_cn", "zh"),
        ("cmn", "zh"),
        ("zho-Hant", "zh"),
        ("ja", "char"),
        ("jpn", "char"),
        ("ko", "char"),
        ("th", "char"),
        ("KHM", "char"),
    ],
)
def test_languages_without_word_spaces_are_scored_by_character_and_the_signature_says_so(language, tokenize, tmp_path):
    job = tiny_job(tmp_path, f"target_language={language}")
    found = score(["一二三四五"], ["一二三四六"], tokenize=bleu_tokenize(job))
    assert f"tok:{tokenize}" in found.bleu.signature
    assert ("asian:yes" in found.ter.signature) == (tokenize != "13a")


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("Japanese", "ja"),
        ("CHINESE", "zh"),
        ("korean", "ko"),
        ("ja", None),
        ("zh-Hans", None),
        ("pt_BR", None),
        ("Deutsch", ""),
    ],
)
def test_a_name_of_a_language_is_told_from_a_code(language, code):
    assert language_code(language) == code
    assert has_spaces(language) == (language.lower() not in ("japanese", "chinese", "korean", "ja", "zh-hans"))


def test_a_job_whose_text_is_tokenized_already_is_scored_by_its_own_words(tmp_path):
    hypotheses, references = ["a b-c, d. e f g"], ["a b-c, d. e f h"]
    apart = score(hypotheses, references, tokenize=bleu_tokenize(tiny_job(tmp_path)))
    kept = score(hypotheses, references, tokenize=bleu_tokenize(tiny_job(tmp_path, "data.bleu_tokenize=none")))
    assert "tok:none" in kept.bleu.signature
    assert kept.bleu.value == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references], tokenize="none").score)
    assert kept.bleu.value < apart.bleu.value  # which counts commas and full stops as words


def test_one_wrong_character_of_an_unspaced_line_is_one_edit_of_its_length():
    assert score(["一二三四五"], ["一二三四六"], tokenize="zh").ter.value == pytest.approx(100 * 1 / 5)


def test_the_bootstrap_tells_a_clear_difference_from_none():
    better, worse = (damaged(REFERENCES, share=share, seed=1) for share in (0.05, 0.5))
    twin = damaged(REFERENCES, share=0.05, seed=1)
    table = paired_bootstrap(REFERENCES, {"better": better, "worse": worse, "twin": twin}, samples=300)

    assert [row.system for row in table] == ["better", "worse", "twin"] * 3
    assert [row.metric for row in table[::3]] == ["BLEU", "chrF2", "TER"]
    for first, other, same in zip(table[::3], table[1::3], table[2::3], strict=True):
        assert first.p_value is None
        assert other.p_value < 0.01
        assert same.value == first.value
        assert same.p_value == pytest.approx(1 / 301)  # sacrebleu's (count + 1) / (samples + 1): no sample exceeds 0


def test_the_bootstrap_is_reproducible_and_its_values_are_the_plain_scores():
    systems = {"a": damaged(REFERENCES, share=0.1, seed=1), "b": damaged(REFERENCES, share=0.2, seed=2)}
    table = paired_bootstrap(REFERENCES, systems, samples=100)
    assert table == paired_bootstrap(REFERENCES, systems, samples=100)
    for name, hypotheses in systems.items():
        plain = [metric.value for metric in score(hypotheses, REFERENCES)]
        assert [row.value for row in table if row.system == name] == pytest.approx(plain)
    assert all(abs(row.mean - row.value) < row.interval and "bs:100|seed:12345" in row.signature for row in table)


def test_the_bootstrap_table_can_be_written_as_json():
    systems = {"a": REFERENCES, "b": damaged(REFERENCES, share=0.2, seed=2)}
    rows = [row._asdict() for row in paired_bootstrap(REFERENCES, systems, samples=50)]
    assert json.loads(json.dumps(rows)) == rows


def test_unequal_line_counts_are_refused_with_both_counts():
    with pytest.raises(ValueError, match="39 lines but the references have 40"):
        score(REFERENCES[:-1], REFERENCES)
    with pytest.raises(ValueError, match="short has 38 lines but the references have 40"):
        paired_bootstrap(REFERENCES, {"whole": REFERENCES, "short": REFERENCES[:-2]})


def test_nothing_to_score_or_to_compare_is_refused():
    with pytest.raises(ValueError, match="no line"):
        score([], [])
    with pytest.raises(ValueError, match="at least two systems, got 1: alone"):
        paired_bootstrap(REFERENCES, {"alone": REFERENCES})


def test_one_system_has_the_same_scores_and_intervals_alone_as_in_a_pair():
    ours, theirs = damaged(REFERENCES, share=0.2, seed=1), damaged(REFERENCES, share=0.3, seed=2)
    paired = paired_bootstrap(REFERENCES, {"ours": ours, "theirs": theirs})
    alone = bootstrap(REFERENCES, "ours", ours)
    for found, expected in zip(alone, [entry for entry in paired if entry.system == "ours"], strict=True):
        assert found[:2] == expected[:2]
        assert found[2:5] == pytest.approx(expected[2:5], rel=1e-5)
        assert found.signature == expected.signature


@pytest.mark.parametrize(("language", "spaces"), [("en", True), ("pt-BR", True), ("zh_Hant", False), ("JA", False)])
def test_which_languages_put_spaces_between_words(language, spaces):
    assert has_spaces(language) is spaces


def test_importing_the_metrics_imports_no_tensorflow():
    code = "import sys, nmt.text.metrics; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("tokenize", "warned"), [("none", False), ("13a", True)])
def test_text_that_is_said_to_be_tokenized_is_scored_without_a_warning_that_it_is(tokenize, warned, caplog):
    lines = ["ein hund läuft ."] * 200
    assert score(lines, lines, tokenize=tokenize).bleu.value == pytest.approx(100.0)
    assert bool(caplog.records) == warned
