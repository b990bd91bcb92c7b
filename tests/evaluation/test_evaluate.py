"""An evaluation's numbers are sacrebleu's own, on the translations that the command line gives."""

import json

import pytest
import sacrebleu
from tiny_job import tiny_job, write_corpus

from nmt.config.data import TextPair
from nmt.evaluation.evaluate import evaluate
from nmt.runs.run import Run
from nmt.training.train import train
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("job")
    write_corpus(folder)
    tests = f"data.test={{one: {{source: {folder}/valid.en, target: {folder}/valid.xx}}}}"
    return train(tiny_job(folder, tests, "training.max_steps=20", "search.beam_size=2"))


@pytest.fixture(scope="module")
def report(run):
    return evaluate(run)


@pytest.fixture(scope="module")
def lines(run):
    pair = run.config.data.test["one"]
    return [open(path, encoding="utf-8").read().splitlines() for path in (pair.source, pair.target)]


def test_scores_are_sacrebleus_of_the_translators_lines(run, report, lines):
    sources, references = lines
    engine = ModelEngine([run.load_model()])
    translator = Translator(engine, run.tokenizers, run.config.search, protection=run.protection)
    translations = translator.translate(sources)
    expected = sacrebleu.corpus_bleu([translation.text for translation in translations], [references]).score
    (result,) = report.results
    assert (result.name, result.lines) == ("one", len(sources))
    assert result.scores.bleu.value == pytest.approx(expected)
    assert "tok:13a" in result.scores.bleu.signature


def test_the_validation_pair_can_be_named_like_a_test_set_and_several_are_scored_as_named(run):
    for names in (["validation"], ["validation", "one"]):
        assert [result.name for result in evaluate(run, test_sets=names).results] == names


def test_perfect_output_beats_the_run_and_the_report_says_so(run, lines, tmp_path):
    perfect = tmp_path / "perfect"
    perfect.write_text("\n".join(lines[1]) + "\n", encoding="utf-8")
    report = evaluate(run, against=str(perfect))
    first, second = (entry for entry in report.results[0].comparison if entry.metric == "BLEU")
    assert first.system == str(perfect)
    assert first.value == pytest.approx(100.0)
    assert second.system == f"{run.path} (this run)"
    assert second.p_value is not None
    assert str(perfect) in str(report)


def test_a_run_against_itself_differs_by_nothing(run):
    report = evaluate(run, against=str(run.path))
    values = {entry.value for entry in report.results[0].comparison if entry.metric == "chrF2"}
    assert len(values) == 1


def test_a_run_together_with_itself_scores_as_it_does_alone(run, report):
    together = evaluate(run, ensemble=[run])
    assert together.results[0].scores == report.results[0].scores
    assert str(together).startswith(f"{run.path} + {run.path} (")


def test_the_json_holds_what_the_table_shows(report):
    data = json.loads(report.as_json())
    result = report.results[0]
    assert data["search"]["beam_size"] == 2
    assert data["results"][0]["bleu"] == {"value": result.scores.bleu.value, "signature": result.scores.bleu.signature}
    assert result.scores.ter is not None
    assert f"{result.scores.ter.value:.2f}" in str(report)


def test_an_unknown_test_set_is_named_with_those_there_are(run):
    with pytest.raises(ValueError, match=r"no test set 'two' .* there are: one, validation"):
        evaluate(run, test_sets=["two"])


def test_an_output_with_too_few_lines_is_refused_with_both_counts(run, tmp_path):
    (tmp_path / "short").write_text("a\n")
    # Before any work: with these weights there can be none.
    with pytest.raises(ValueError, match="1 lines but the references have 6"):
        evaluate(run, against=str(tmp_path / "short"), weights="of no step")


def test_an_empty_test_set_is_named(run, tmp_path):
    for language in ("en", "de"):
        (tmp_path / f"none.{language}").touch()
    empty = TextPair(source=f"{tmp_path}/none.en", target=f"{tmp_path}/none.de")
    data = run.config.data.model_copy(update={"test": {"gone": empty}})
    emptied = Run(run.path, run.config.model_copy(update={"data": data}), run.tokenizers)
    with pytest.raises(ValueError, match=r"test set gone: .*none\.en and .*none\.de are empty"):
        evaluate(emptied)
