"""How the lines of a corpus are written: shares that are counted, and what follows from them."""

import pytest
from tiny_job import tiny_job, write_corpus

from nmt.corpus.habits import Habits, measure_habits
from nmt.runs.run import Run
from nmt.text.tokenizer import train_tokenizers


@pytest.fixture
def job(tmp_path):
    write_corpus(tmp_path)

    def make(lines, *settings):
        for side in ("en", "xx"):
            (tmp_path / f"train.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return tiny_job(tmp_path, *settings)

    return make


def test_shares_are_those_of_the_lines_that_are_not_blank(job):
    lines = ["One cat.", "One cat. Two dogs.", "THE CAT SLEEPS HERE", "Dr. Smith sees.", "", "  "]
    assert measure_habits(job(lines)) == Habits(several_sentences=1 / 4, in_capitals=1 / 4)
    assert measure_habits(job([""])) == Habits(0.0, 0.0)


def test_habits_read_back_and_what_is_none_is_refused():
    habits = Habits(0.25, 0.5)
    assert Habits.from_json(habits.as_json()) == habits
    for text in ("{", "[]", '{"mood": 1}'):
        with pytest.raises(ValueError, match="no shares of lines"):
            Habits.from_json(text)


@pytest.mark.parametrize(
    ("habits", "setting", "splits"),
    [
        (Habits(0.01, 0.0), "auto", True),
        (Habits(0.5, 0.0), "auto", False),
        (None, "auto", False),  # a run of an older version
        (Habits(0.5, 0.0), "always", True),
        (Habits(0.01, 0.0), "never", False),
    ],
)
def test_lines_are_cut_where_those_of_the_training_were_single_sentences(job, habits, setting, splits):
    config = job(["red cat", "big dog"] * 30, f"search.split_sentences={setting}")
    run = Run.create(config, train_tokenizers(config))
    if habits:
        run.save_habits(habits)
    assert (run.sentence_splitter(config.search) is not None) == splits


@pytest.mark.parametrize(("share", "normal"), [(0.01, True), (0.9, False), (None, False)])
def test_capitals_are_put_into_normal_case_where_the_training_hardly_had_any(job, share, normal):
    config = job(["red cat", "big dog"] * 30)
    run = Run.create(config, train_tokenizers(config))
    if share is not None:
        run.save_habits(Habits(0.0, share))
    assert (run.capitals() is not None) == normal
