"""A run's log is read whatever state it was left in, and what cannot be read is said."""

import json

import pytest

from nmt.runs.info import run_facts
from nmt.runs.log import read_log

TRAINED = {"event": "train", "step": 10, "epoch": 0, "seconds": 60.0}
SCORES = {"bleu": 1.0, "chrf": 2.0, "loss": 3.0, "perplexity": 20.0}


@pytest.fixture
def logged(number_run, tmp_path):
    """The log of a run whose log.jsonl has these lines."""

    def read(*lines: str):
        copy = type(number_run)(tmp_path, number_run.config, number_run.tokenizers)
        (tmp_path / "log.jsonl").write_text("".join(lines))
        return copy, read_log(copy)

    return read


def test_a_run_without_a_log_has_an_empty_one(number_run, tmp_path):
    assert read_log(type(number_run)(tmp_path, number_run.config, number_run.tokenizers)) == ([], [])


def test_a_line_still_being_written_is_left_out_and_a_broken_one_is_named(logged):
    run, log = logged(json.dumps(TRAINED) + "\n", '{"event": "tr\n', "12\n", json.dumps(TRAINED)[:-1])
    assert log.training == [TRAINED]
    assert log.unreadable == [2, 3]
    assert run_facts(run, log)["unreadable"] == "log.jsonl, line 2, 3"


def test_the_best_is_the_last_that_was_best_when_it_was_logged(logged):
    validations = [
        {**TRAINED, **SCORES, "event": "validation", "step": step, "best": best}
        for step, best in ((10, True), (20, True), (30, False))
    ]
    run, log = logged(*(json.dumps(each) + "\n" for each in validations))
    assert log.best == validations[1]
    facts = run_facts(run, log)
    assert facts["trained"].startswith("30 steps")
    assert facts["last"].startswith("step 30")
    assert facts["best"].startswith("step 20")
