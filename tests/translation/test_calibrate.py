"""A run's confidence is fitted on its own translations of its validation set, and each translation then has one."""

import json
import shutil
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from tiny_job import tiny_job, write_corpus

from nmt.config.data import TextPair
from nmt.runs.run import Run
from nmt.search.confidence import TooFewLinesError, calibrate
from nmt.text.augmentation import concatenate
from nmt.text.files import read_pairs
from nmt.text.metrics import sentence_chrf
from nmt.training.train import train
from nmt.translation.calibrate import calibrate_run
from nmt.translation.model_engine import ModelEngine
from nmt.translation.translator import Translator

LINES = ["twenty-one. four?", "", "seven。", "  \t", "ninety-nine? eighty. ten?", "x" * 30]
LONG = " ".join(["fourteen.", "sixty-two?", "five", "one", "eleven"] * 5)


@pytest.fixture(scope="module")
def run(number_run, tmp_path_factory):
    """A copy of the number run whose validation set is larger, calibrated."""
    folder = tmp_path_factory.mktemp("calibrated")
    for side, path in (("en", number_run.config.data.train[0].source), ("xx", number_run.config.data.train[0].target)):
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()[:80]
        (folder / f"valid.{side}").write_text("".join([*lines[:40], "\n", *lines[40:]]), encoding="utf-8")
    validation = TextPair(source=str(folder / "valid.en"), target=str(folder / "valid.xx"))
    data = number_run.config.data.model_copy(update={"validation": validation})
    shutil.copytree(number_run.path, folder / "run")
    run = Run(folder / "run", number_run.config.model_copy(update={"data": data}), number_run.tokenizers)
    calibrate_run(run)
    return run


@pytest.fixture(scope="module")
def translator(run):
    options = run.config.search.model_copy(update={"max_source_length": 20})
    return Translator(ModelEngine([run.load_model()]), run.tokenizers, options, calibration=run.calibration())


def test_the_fit_is_that_on_the_runs_own_translations_of_all_lines_with_pieces(run):
    validation = run.config.data.validation
    pairs = [(source, reference) for source, reference in read_pairs(validation) if source]
    pairs += [concatenate(*both) for both in pairwise(pairs)] + [concatenate(pair, pair) for pair in pairs[::5]]
    translator = Translator(ModelEngine([run.load_model()]), run.tokenizers, run.config.search)
    translations = translator.translate([source for source, _ in pairs])
    quality = sentence_chrf([each.text for each in translations], [reference for _, reference in pairs]) / 100
    expected = calibrate(np.array([each.features for each in translations]), quality)

    found = run.calibration()

    assert found.lines == expected.lines == len(pairs)
    features = np.array([each.features for each in translations])
    np.testing.assert_allclose(found.confidence(features), expected.confidence(features), atol=1e-4)
    assert found.pearson == pytest.approx(expected.pearson, abs=1e-3)


def test_a_confidence_lies_between_0_and_1_and_a_line_without_pieces_is_sure(translator):
    confidences = [translation.confidence for translation in translator.translate([*LINES, LONG])]
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert [confidences[1], confidences[3]] == [1.0, 1.0]
    assert len({round(confidence, 3) for confidence in confidences}) >= 4


def test_a_lines_confidence_depends_on_that_line_alone(translator):
    together = translator.translate([*LINES, LONG])
    for line, translation in zip([*LINES, LONG], together, strict=True):
        (alone,) = translator.translate([line])
        assert alone.confidence == pytest.approx(translation.confidence, abs=1e-5)


def test_the_features_of_a_long_line_are_the_mean_of_its_chunks_by_their_pieces(run, translator):
    (whole,) = translator.translate([LONG])
    chunks = translator._split(run.tokenizers.source.encode([LONG]))[0]
    parts = translator.translate(run.tokenizers.source.decode(chunks))
    assert len(parts) > 2
    lengths = [len(part.source_pieces) for part in parts]
    expected = np.average([part.features for part in parts], axis=0, weights=lengths)
    np.testing.assert_allclose(whole.features, expected, atol=1e-4)
    assert whole.confidence == pytest.approx(run.calibration().confidence(expected), abs=1e-4)


def test_without_a_calibration_there_is_no_confidence(number_run):
    assert number_run.calibration() is None
    translator = Translator(ModelEngine([number_run.load_model()]), number_run.tokenizers, number_run.config.search)
    assert translator.translate(["seven"])[0].confidence is None


def test_too_small_a_validation_set_is_refused(number_run):
    with pytest.raises(TooFewLinesError, match=r"4 lines.*50"):
        calibrate_run(number_run)


def test_training_calibrates_the_best_weights_at_its_end_also_where_it_was_stopped(tmp_path):
    write_corpus(tmp_path)
    for side in ("en", "xx"):
        lines = (tmp_path / f"train.{side}").read_text().splitlines()[:60]
        (tmp_path / f"valid.{side}").write_text("".join(f"{line}\n" for line in lines))
    job = partial(
        tiny_job,
        tmp_path,
        "search.beam_size=2",
        "training.validate_every=2",
    )
    whole = train(job("training.max_steps=4"))
    assert whole.calibration().lines == 60 + 59 + 12  # on their own, with the next one behind them, twice
    train(job("training.max_steps=2", f"run={tmp_path}/parts"))
    parts = train(job("training.max_steps=4", f"run={tmp_path}/parts"))
    for run in (whole, parts):
        told = json.loads((run.path / "log.jsonl").read_text().splitlines()[-1])
        assert (told["event"], told["step"], told["pearson"]) == ("calibration", 4, run.calibration().pearson)
    best = (run.path / "best.npz" for run in (whole, parts))
    assert len({path.read_bytes() for path in best}) == 1
    assert parts.calibration() == whole.calibration() == calibrate_run(whole)


def test_new_best_weights_end_a_calibration_and_others_do_not(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    copy = Run.open(tmp_path / "run")
    copy.save_weights(7, run.load_weights())
    assert copy.calibration() == run.calibration()
    copy.save_weights("best", run.load_weights())
    assert copy.calibration() is None


def test_a_file_that_is_no_calibration_is_named(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / "confidence.json").write_text("{}")
    with pytest.raises(ValueError, match=r"confidence\.json: .*`nmt calibrate RUN`"):
        Run.open(tmp_path / "run").calibration()
