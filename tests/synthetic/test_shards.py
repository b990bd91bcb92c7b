"""Translations in shards: nothing is translated twice, nothing is lost, whatever ends the process."""

import json
import os
import signal
from multiprocessing import get_context

import pytest

from nmt.synthetic import shards
from nmt.synthetic.shards import Made, Shards, TextIdentity
from nmt.translation.translation import Hypothesis, Translation

LINES = [f"line {number}" for number in range(11)]
ORIGIN = {"models": ["a model"]}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_LINES", 3)


def backwards(lines):
    return [Translation((Hypothesis(line[::-1], 0.0),), confidence=0.5) for line in lines]


def opened(directory, origin=ORIGIN, lines=LINES):
    return Shards(directory, TextIdentity.of(lines), origin)


def fill_until_killed(directory, last):
    def translate(lines):
        if last in lines:
            os.kill(os.getpid(), signal.SIGKILL)
        return backwards(lines)

    shards.SHARD_LINES = 3
    list(opened(directory).fill(iter(LINES), translate))


def test_after_kill_9_only_what_is_missing_is_translated_and_all_lines_are_there(tmp_path):
    process = get_context("fork").Process(target=fill_until_killed, args=(tmp_path, LINES[7]))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    translated = []

    def translate(lines):
        translated.extend(lines)
        return backwards(lines)

    again = opened(tmp_path)
    assert not again.complete
    assert list(again.fill(iter(LINES), translate)) == [9, 11]
    assert translated == LINES[6:]
    assert again.complete
    assert [made.text for made in again.read()] == [line[::-1] for line in LINES]


def test_what_is_left_of_a_shard_that_was_being_written_does_not_count(tmp_path):
    (tmp_path / "000000.jsonl.unfinished").write_text('["half a l')
    filled = opened(tmp_path)
    assert list(filled.fill(iter(LINES), backwards))
    assert len(list(filled.read())) == len(LINES)


@pytest.mark.parametrize("change", [{"origin": {"models": ["another"]}}, {"lines": [*LINES, "one more"]}])
def test_translations_of_another_text_or_model_are_refused(tmp_path, change):
    opened(tmp_path)
    opened(tmp_path)  # the same again is welcome
    with pytest.raises(ValueError, match="made otherwise"):
        opened(tmp_path, **change)


@pytest.mark.parametrize("damage", ["", '["one", [], null]\n', "[1, 2]\n" * 3, "no JSON\n" * 3])
def test_a_damaged_shard_is_named(tmp_path, damage):
    filled = opened(tmp_path)
    list(filled.fill(iter(LINES), backwards))
    (tmp_path / "000001.jsonl").write_text(damage)
    with pytest.raises(ValueError, match=r"000001.jsonl is damaged"):
        list(filled.read())


def test_a_translation_comes_back_with_all_that_pairs_are_chosen_by(tmp_path):
    faulty = Translation((Hypothesis("a\r\nb\u2028c", 0.0),), degenerate=True, faults=("length",), confidence=0.25)
    of_export = Translation((Hypothesis("", 0.0),), degenerate=True, truncated=True)
    filled = opened(tmp_path, lines=["x", "y"])
    list(filled.fill(iter(["x", "y"]), lambda _: [faulty, of_export]))
    assert list(filled.read()) == [
        Made("a b\u2028c", ("length",), 0.25),
        Made("", ("degenerate", "truncated"), None),
    ]
    assert json.loads((tmp_path / "manifest.json").read_text())["text"]["lines"] == 2


def test_a_model_is_told_from_another_in_the_same_place_whatever_it_is_kept_as(tmp_path):
    onnx = tmp_path / "onnx"
    (onnx / "tokenizer").mkdir(parents=True)
    for name in ("manifest.json", "config.yaml", "weights.bin"):
        (onnx / name).write_text("one")
    (tmp_path / "saved" / "1").mkdir(parents=True)
    (tmp_path / "saved" / "1" / "saved_model.pb").write_text("one")
    for place, file in ((onnx, "weights.bin"), (tmp_path / "saved", "1/saved_model.pb")):
        before = shards.model_identity(str(place))
        assert shards.model_identity(str(place)) == before
        (place / file).write_text("two")
        assert shards.model_identity(str(place)) != before


def test_a_shard_may_be_written_by_two_at_once(tmp_path):
    once, again = opened(tmp_path), opened(tmp_path)
    interrupted = (
        each if each.text[-1] != "0" else again.write(0, backwards(LINES[:3])) or each for each in backwards(LINES[:3])
    )
    once.write(0, interrupted)
    assert [path.name for path in tmp_path.iterdir() if path.name != "manifest.json"] == ["000000.jsonl"]
    assert once.has(0)
