"""A translation has exactly the glossary's terms, once for each in its source, whatever the model makes of the rest."""

import shutil
from pathlib import Path

import pytest
from tiny_job import tiny_job

import nmt
from nmt.config.file import dump_config
from nmt.config.settings import Config
from nmt.corpus.quick_check import quick_check
from nmt.runs.run import Run
from nmt.text.capitals import Capitals
from nmt.text.glossary import Glossary
from nmt.text.sentences import SentenceSplitter
from nmt.text.tokenizer import SYMBOLS
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator

# None of them in the training text.
TERMS = {
    "gizmo": "Dingsda",
    "blue gizmo": "Blaudings",
    "TURBO": "Turbolader",
    "Acme Inc.": "Acme AG",
    "7 of 9": "Sieben",
}


@pytest.fixture(scope="module")
def translator(number_run):
    engine = ModelEngine([number_run.load_model()])

    def make(glossary=None, *, alignments=False, **settings):
        protection = number_run.translation_protection(Glossary(TERMS) if glossary is None else glossary)
        return Translator(
            engine,
            number_run.tokenizers,
            number_run.config.search.model_copy(update={"guard": False, **settings}),
            protection=protection,
            alignments=alignments,
            sentences=SentenceSplitter("en", protection),
            capitals=Capitals("en", "de"),
        )

    return make


def count_terms(text: str, terms: dict[str, str] = TERMS) -> dict[str, int]:
    return {target: text.count(target) for target in terms.values()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("twenty gizmo four?", ["Dingsda"]),
        ("gizmo", ["Dingsda"]),
        ("gizmo gizmo, seven gizmo. gizmo!", ["Dingsda"] * 4),
        ("one blue gizmo. blue four gizmo.", ["Blaudings", "Dingsda"]),
        ("ten gizmos, Gizmo?", []),
        ("see Acme Inc. Seven? four.", ["Acme AG"]),
        (
            "one gizmo. 7 of 9 two, 7 of 8.\nfour gizmo? https://gizmo.org/gizmo <b>gizmo</b>",
            [*["Dingsda"] * 3, "Sieben"],
        ),
        ("SEVENTY TURBO FOURTEEN", ["Turbolader"]),
        (" ".join(["seventy gizmo four"] * 30), ["Dingsda"] * 30),  # longer than a chunk, and than there are symbols
    ],
)
def test_each_term_comes_out_as_the_glossary_has_it_once_for_each(translator, line, expected):
    for settings in ({}, {"n_best": 3}):
        (found,) = translator(max_source_length=20, **settings).translate([line])
        for hypothesis in found.n_best:
            text = hypothesis.text.replace("https://gizmo.org/gizmo", "")
            assert count_terms(text) == {target: expected.count(target) for target in TERMS.values()}
            assert "gizmo" not in text or not expected
    assert translator(max_source_length=20).translate([line.encode()])[0].text == found.text


def test_ignoring_case_a_line_in_capitals_has_its_terms(translator):
    found = translator(Glossary(TERMS, ignore_case=True)).translate(["SEVENTY BLUE GIZMO", "Gizmo?"])
    assert [count_terms(each.text)["Blaudings"] for each in found] == [1, 0]
    assert "Dingsda" in found[1].text


def test_alignments_show_the_term_in_the_source_and_its_translation_in_the_target(translator):
    (found,) = translator(alignments=True).translate(["seven blue gizmo. four"])
    assert found.source_pieces.count("blue gizmo") == found.n_best[0].pieces.count("Blaudings") == 1
    assert found.alignment.shape == (len(found.n_best[0].pieces), len(found.source_pieces))


def test_a_term_in_the_prefix_counts(translator):
    (found,) = translator().translate(["seven gizmo four gizmo."], ["Dingsda und"])
    assert found.text.startswith("Dingsda und")
    assert found.text.count("Dingsda") == 2


def test_a_translations_terms_are_scored_as_the_symbols_that_the_model_writes(translator, number_run):
    (scores,) = translator().score(["seven gizmo four"], ["sieben Dingsda vier"])
    (ids,) = number_run.tokenizers.target.encode([f"sieben {SYMBOLS[0]} vier"])
    assert len(scores) == len(ids) + 1


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_with_glossary(number_run, tmp_path) -> Run:
    """A copy of the run that was begun with a glossary, whose file is gone."""
    path = Path(shutil.copytree(number_run.path, tmp_path / "run"))
    terms = tmp_path / "terms.tsv"
    terms.write_text("# things\ngizmo\tDingsda\n", encoding="utf-8")
    config = number_run.config.model_copy(update={"run": str(path), "glossary": str(terms)})
    Run.resume(config)
    terms.unlink()
    return Run.open(path)


def test_a_run_keeps_a_copy_of_its_glossary_wherever_it_is_moved(run_with_glossary, tmp_path):
    moved = Run.open(shutil.move(run_with_glossary.path, tmp_path / "moved"))
    assert list(moved.glossary()) == ["gizmo"]
    assert list(moved.translation_protection().glossary) == ["gizmo"]
    assert moved.protection.glossary is None  # training has none
    assert list(moved.translation_protection(Glossary({"cat": "Katze"})).glossary) == ["cat"]
    assert moved.translation_protection(Glossary({})).glossary is None


def test_a_run_resumed_without_a_glossary_has_none(run_with_glossary, number_run):
    config = run_with_glossary.config.model_copy(update={"glossary": None})
    assert Run.resume(config).glossary() is None


def test_nmt_load_takes_a_file_a_dictionary_or_a_glossary(run_with_glossary, tmp_path):
    (tmp_path / "other.tsv").write_text("cat\tKatze\n", encoding="utf-8")
    search = ["search.guard=false"]
    for glossary in (tmp_path / "other.tsv", {"cat": "Katze"}, Glossary({"cat": "Katze"})):
        loaded = nmt.load(run_with_glossary, glossary=glossary, overrides=search)
        assert list(loaded.protection.glossary) == ["cat"]
    ensemble = nmt.load([run_with_glossary, run_with_glossary], overrides=search)
    assert ensemble.translate(["seven gizmo"])[0].text.count("Dingsda") == 1


def test_a_run_without_symbols_cannot_have_a_glossary(number_run):
    config = number_run.config.model_copy(update={"protect": []})
    unprotected = Run(number_run.path, config, number_run.tokenizers)
    with pytest.raises(ValueError, match="a glossary needs a run that was trained with symbols"):
        nmt.load(unprotected, glossary={"cat": "Katze"})
    with pytest.raises(ValueError, match="glossary needs the symbols"):
        Config.model_validate({**config.model_dump(), "glossary": "terms.tsv"})


def test_a_bad_glossary_is_found_before_training(tmp_path):
    (tmp_path / "terms.tsv").write_text("cat Katze\n", encoding="utf-8")
    report = quick_check(tiny_job(tmp_path, f"glossary={tmp_path}/terms.tsv"))
    assert any(str(finding).startswith("glossary:") and "line 1: 0 tabs" in str(finding) for finding in report.errors)
    assert "glossary: " in dump_config(tiny_job(tmp_path, f"glossary={tmp_path}/terms.tsv"))
