import pytest

from nmt.model import precision
from nmt.model.precision import choose_precision


def test_what_is_set_is_not_measured(capsys):
    assert [choose_precision(setting) for setting in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    assert capsys.readouterr().err == ""


def test_auto_measures_and_says_so(capsys):
    choice = choose_precision("auto")
    assert f"precision: {choice} (a matrix product takes " in capsys.readouterr().err


@pytest.mark.parametrize(("narrow", "choice"), [(0.5, "bfloat16"), (0.9, "float32"), (3.0, "float32")])
def test_bfloat16_is_chosen_where_it_is_much_faster(narrow, choice, monkeypatch):
    monkeypatch.setattr(precision, "_product_seconds", lambda: [1.0, narrow])
    assert choose_precision("auto") == choice


def test_workers_agree_on_the_slowest(monkeypatch):
    monkeypatch.setattr(precision, "_product_seconds", lambda: [1.0, 0.1])
    asked = []
    assert choose_precision("auto", for_any=lambda slower: asked.append(slower) or True) == "float32"
    assert asked == [False]
