"""A translation shows itself in a notebook: text, judgement and attention, with nothing of a text taken for markup."""

from xml.etree import ElementTree

import numpy as np
import pytest

from nmt.translation.translation import Hypothesis, Translation

WEIGHTS = np.array([[0.25, 0.75], [0.0, 1.0]], np.float32)
ALIGNED = Hypothesis("<b> & x", -1.5, ("▁<b>", "▁&"), WEIGHTS)


def shown(translation: Translation) -> ElementTree.Element:
    return ElementTree.fromstring(translation._repr_html_())


def test_text_score_and_alignment_are_those_of_the_best_hypothesis():
    translation = Translation((ALIGNED, Hypothesis("y", -3.0)))
    assert (translation.text, translation.score, str(translation)) == ("<b> & x", -1.5, "<b> & x")
    assert translation.alignment is WEIGHTS


def test_a_notebook_shows_the_text_and_its_attention():
    html = shown(Translation((ALIGNED,), ("▁a", "</td>"), confidence=0.25))
    text, facts = html.findall("p")
    assert "".join(text.itertext()) == "<b> & x"
    assert facts.text == "score -1.50 · confidence 0.25"
    rows = html.find("div").find("table").find("tbody").findall("tr")
    assert [[float(cell.get("title", 0)) for cell in row.findall("td")] for row in rows] == WEIGHTS.tolist()


@pytest.mark.parametrize("flag", ["degenerate", "truncated"])
def test_a_notebook_shows_what_is_wrong_with_it(flag):
    plain, flagged = Translation((Hypothesis("x", 0.0),)), Translation((Hypothesis("x", 0.0),), **{flag: True})
    assert flag not in plain._repr_html_()
    assert flag in flagged._repr_html_()


def test_a_translation_without_alignment_has_no_heat_map():
    assert shown(Translation((Hypothesis("x", 0.0),))).find("div") is None
