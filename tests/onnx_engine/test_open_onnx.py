"""`nmt.load` and the commands take an ONNX export as they take the run that it was made of, with the same results."""

import json
from pathlib import Path

import numpy as np
import pytest

import nmt
from nmt.cli.main import main

LINES = ["twenty one.", "", "Forty. fifty-five? six", "SEVENTY TWO.", "<b>two</b> https://x.org/a", "one " * 150]
OPTIONS = {
    "n-best list": (["search.beam_size=4", "search.coverage_penalty=0.2"], {"n_best": 3, "alignments": True}),
    "greedy": (["search.beam_size=1", "search.no_repeat_ngram=2", "search.guard=false"], {}),
}


@pytest.fixture(scope="module")
def exported(number_run, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("onnx") / "export"
    return nmt.export(number_run, directory, format="onnx", overrides=["export.onnx_precision=float32"])


@pytest.mark.parametrize("options", OPTIONS)
def test_it_translates_as_its_run(number_run, exported, options):
    overrides, wanted = OPTIONS[options]
    expected = nmt.load(number_run, overrides=overrides, **wanted).translate(LINES)
    found = nmt.load(exported, overrides=overrides, **wanted).translate(LINES)
    for one, other in zip(found, expected, strict=True):
        assert [each.text for each in one.n_best] == [each.text for each in other.n_best]
        np.testing.assert_allclose(
            [each.score for each in one.n_best], [each.score for each in other.n_best], rtol=1e-4, atol=1e-4
        )
        assert (one.faults, one.source_pieces) == (other.faults, other.source_pieces)
        if one.alignment is not None:
            np.testing.assert_allclose(one.alignment, other.alignment, atol=1e-4)
        assert (one.confidence is None) == (other.confidence is None)


def test_it_scores_as_its_run(number_run, exported):
    pairs = ["twenty one.", "forty."], ["einundzwanzig.", "sechzig"]
    for found, expected in zip(nmt.load(exported).score(*pairs), nmt.load(number_run).score(*pairs), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_prefix_is_how_the_translation_starts(exported):
    assert nmt.load(exported).translate(["twenty one."], ["acht"])[0].text.startswith("acht")


def test_what_needs_a_run_is_refused(number_run, exported):
    with pytest.raises(ValueError, match="weights 'last' need a run"):
        nmt.load(exported, weights="last")
    with pytest.raises(ValueError, match="an ensemble is made of runs"):
        nmt.load([exported, number_run])
    with pytest.raises(ValueError, match="only settings of search"):
        nmt.load(exported, overrides=["model.units=3"])


def test_the_commands_take_it(exported, tmp_path, capsysbinary):
    lines = tmp_path / "lines.en"
    lines.write_text("twenty one.\nforty.\n", encoding="utf-8")
    assert main(["translate", str(exported), str(lines), "--jsonl", "--set", "search.beam_size=2"]) == 0
    first = json.loads(capsysbinary.readouterr().out.splitlines()[0])
    assert first["source"] == "twenty one."
    assert main(["info", str(exported)]) == 0
    assert b"for ONNX Runtime: float32" in capsysbinary.readouterr().out
    assert main(["evaluate", str(exported), "--test", "validation"]) == 0
    assert b"chrF2" in capsysbinary.readouterr().out
