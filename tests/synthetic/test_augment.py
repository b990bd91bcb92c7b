"""`nmt augment` with real models: pairs are what the models say, the report adds up, the config trains on them."""

import dataclasses
import json
import sys
from itertools import islice

import numpy as np
import pytest
from tiny_job import tiny_job

from nmt.api import load
from nmt.cli.main import main
from nmt.config.file import dump_config, load_config
from nmt.corpus.quick_check import quick_check
from nmt.model.seq2seq import build_model
from nmt.runs.run import Run
from nmt.synthetic import shards
from nmt.synthetic.augment import augment
from nmt.synthetic.request import Request
from nmt.text.lines import count_lines, read_lines

MODULE = sys.modules["nmt.synthetic.augment"]  # the room exports a function of this name
TEXT = ["six. nine.", "", "ten?", "eighty-one. two.", "seven.", "forty."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, number_run):
    """A folder with text.en, text.xx and a run from xx to en that knows nothing."""
    folder = tmp_path_factory.mktemp("augment")
    forward = number_run.config
    (folder / "text.en").write_text("\n".join([*TEXT, next(read_lines(forward.data.validation.source))]))
    (folder / "text.xx").write_text(
        "".join(line + "\n" for line in islice(read_lines(forward.data.train[0].target), 8))
    )
    corpus = {"source": forward.data.train[0].target, "target": forward.data.train[0].source}
    swapped = tiny_job(folder, f"data.train=[{json.dumps(corpus)}]", f"data.validation={json.dumps(corpus)}")
    update = {"source_language": "xx", "target_language": "en", "tokenizer": forward.tokenizer}
    config = swapped.model_copy(update=update)
    run = Run.create(config, number_run.tokenizers)
    sizes = [tokenizer.vocabulary_size for tokenizer in run.tokenizers]
    model = build_model(config, source_vocabulary=sizes[0], target_vocabulary=sizes[1])
    random = np.random.default_rng(1)
    run.save_weights("best", {weight.path: random.normal(size=weight.shape) for weight in model.weights})
    return folder


@pytest.fixture
def request_of(folder, number_run, tmp_path):
    """A request for forward translations, in an empty directory."""
    run = str(number_run.path)
    return Request(run, str(tmp_path / "made"), forward=[[run]], source_text=[str(folder / "text.en")])


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_LINES", 3)


@pytest.fixture(scope="module")
def translators():
    """Those that were loaded: each is traced once for all tests."""
    return {}


@pytest.fixture(autouse=True)
def shared_translators(translators, monkeypatch):
    def load_once(models, *, overrides):
        key = (*models, *overrides)
        if key not in translators:
            translators[key] = load(models, overrides=overrides)
        return translators[key]

    monkeypatch.setattr(MODULE, "load", load_once)


def test_pairs_are_the_lines_with_their_translations_and_the_report_counts_the_rest(request_of, folder, number_run):
    report = augment(request_of)
    lines = list(read_lines(folder / "text.en"))
    translations = MODULE.load([str(number_run.path)], overrides=()).translate(lines)
    expected = [
        (line, made.text)
        for line, made in zip(lines[:-1], translations, strict=False)
        if line and not made.degenerate  # the last line is one of the validation set
    ]
    (made,) = report.passes
    pairs = list(zip(read_lines(made.corpus.source), read_lines(made.corpus.target), strict=True))
    assert pairs == expected
    assert made.pairs + sum(made.left_out.values()) == made.lines == len(lines)
    assert made.left_out["blank"] == made.left_out["in a validation or test set"] == 1
    written = json.loads((folder / request_of.output / "report.json").read_text())["passes"][0]
    assert (written["left_out"], written["pairs"]) == (dict(made.left_out), made.pairs)


def test_stopped_anywhere_it_goes_on_with_the_shards_that_are_there(request_of, tmp_path):
    whole = augment(dataclasses.replace(request_of, output=str(tmp_path / "whole")))

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    with pytest.raises(Stop):
        augment(request_of, progress=stop)
    first = tmp_path / "made" / "shards" / "forward-1" / "000000.jsonl"
    before = first.stat()
    report = augment(request_of)
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    for side in ("source", "target"):
        one, other = (getattr(each.passes[0].corpus, side) for each in (whole, report))
        assert list(read_lines(one)) == list(read_lines(other))


def test_the_command_writes_a_config_that_trains_the_run_on_and_changes_none_that_is_there(
    folder, number_run, tmp_path, capsys
):
    output = tmp_path / "made"
    run, reverse = str(number_run.path), str(folder / "run")
    command = ["augment", run, "--output", str(output), "--forward", run, "--forward", run, run, "--back", reverse]
    command += ["--source-text", str(folder / "text.en"), "--target-text", str(folder / "text.xx")]
    command += ["--tag", "six", "--set", "search.guard=false", "--set", "search.beam_size=1"]
    assert main(command) == 0
    assert "nmt train" in capsys.readouterr().out
    config = load_config(output / "config.yaml")
    assert not quick_check(config).errors
    assert (config.training.start_from, config.model.units) == (run, number_run.config.model.units)
    own, back, *forward = config.data.train
    assert own == number_run.config.data.train[0]
    assert (back.weight, back.tag) == (1.0, "six")
    assert [(each.weight, each.tag) for each in forward] == [(0.5, None)] * 2
    assert set(read_lines(back.target)) <= set(read_lines(folder / "text.xx"))
    assert count_lines(back.target) == count_lines(back.source) > 0
    (output / "config.yaml").write_text("changed by hand")
    assert main(command) == 0
    assert (output / "config.yaml").read_text() == "changed by hand"


def test_of_a_config_it_makes_that_job_with_more_corpora(request_of, number_run, tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(dump_config(number_run.config))
    report = augment(dataclasses.replace(request_of, job=str(job)))
    config, expected = load_config(tmp_path / "made" / "config.yaml"), number_run.config
    assert config.data.train == [*expected.data.train, report.passes[0].corpus]
    assert (config.training, config.model, config.search) == (expected.training, expected.model, expected.search)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forward": [], "source_text": []}, "nothing to make"),
        ({"target_text": ["x"]}, "--back RUN"),
        ({"back": [["{run}"]]}, "from xx to en is needed"),
        ({"tag": "<back>"}, "--tag marks"),
        ({"tag": "<\N{CAT}>", "back": [["{folder}/run"]]}, "cannot spell it"),
        ({"min_confidence": 2.0}, "from 0 to 1"),
        ({"min_confidence": 0.5}, "no confidence"),
        ({"job": "{run}/none"}, "no such"),
    ],
)
def test_a_request_that_cannot_be_followed_is_refused_before_anything_is_translated(
    request_of, number_run, folder, change, message
):
    run = str(number_run.path)
    text = json.dumps(change).replace("{run}", run).replace("{folder}", str(folder))
    with pytest.raises(ValueError, match=message):
        augment(dataclasses.replace(request_of, **json.loads(text)))
