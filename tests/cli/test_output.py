"""Translations written out: one line for each line, in the formats that other tools read."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest

from nmt.cli.output import OutputFormat, hard_alignment, render
from nmt.translation.translation import Hypothesis, Translation

WEIGHTS = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)
BEST = Hypothesis("ein Haus", -1.25, ("▁ein", "▁Haus"), WEIGHTS)
SECOND = Hypothesis("das Haus", -2.5, ("▁das", "▁Haus"), WEIGHTS[::-1])
TRANSLATION = Translation((BEST, SECOND), ("▁a", "▁hou", "se"))


def line(**wanted) -> str:
    return render(TRANSLATION, source=b"a house", number=7, output_format=OutputFormat(**wanted))


def test_plain_output_is_the_best_translation():
    assert line() == "ein Haus"


def test_scores_come_before_a_tab_and_alignments_after_one():
    assert line(scores=True) == "-1.2500\tein Haus"
    assert line(alignments="hard") == "ein Haus\t1-0 0-1"
    assert line(scores=True, alignments="hard") == "-1.2500\tein Haus\t1-0 0-1"


def test_soft_alignments_are_the_weights():
    text, weights = line(alignments="soft").split("\t")
    assert text == "ein Haus"
    np.testing.assert_allclose(json.loads(weights), WEIGHTS, atol=1e-4)


def test_what_separates_fields_is_escaped_inside_one_as_moses_does():
    translation = Translation((replace(BEST, text="a ||| b |||| c || d"),))
    fields = render(translation, source=b"a", number=0, output_format=OutputFormat(n_best=True)).split("|||")
    assert len(fields) == 3
    assert html.unescape(fields[1]) == " a ||| b |||| c || d "


def test_n_best_lists_are_those_of_moses():
    assert line(n_best=True) == "7 ||| ein Haus ||| -1.2500\n7 ||| das Haus ||| -2.5000"
    assert line(n_best=True, alignments="hard").splitlines()[1] == "7 ||| das Haus ||| -2.5000 ||| 0-0 1-1"


def test_a_json_line_has_everything():
    found = json.loads(line(json_lines=True, alignments="soft"))
    assert found["source"] == "a house"
    assert (found["translation"], found["score"], found["pieces"]) == (BEST.text, BEST.score, list(BEST.pieces))
    assert found["source_pieces"] == list(TRANSLATION.source_pieces)
    assert [each["translation"] for each in found["n_best"]] == [BEST.text, SECOND.text]
    np.testing.assert_allclose(found["n_best"][1]["alignment"], WEIGHTS[::-1], atol=1e-4)
    assert "truncated" not in found


def test_a_json_line_has_alignments_as_they_were_asked_for_only():
    assert json.loads(line(json_lines=True, alignments="hard"))["alignment"] == "1-0 0-1"
    plain = json.loads(line(json_lines=True))
    assert not {"alignment", "pieces", "source_pieces"} & plain.keys()
    assert plain["n_best"][1] == {"translation": SECOND.text, "score": SECOND.score}


def test_a_json_line_says_where_a_line_was_cut():
    cut = replace(TRANSLATION, truncated=True)
    text = render(cut, source=b"", number=0, output_format=OutputFormat(json_lines=True))
    assert json.loads(text)["truncated"] is True


def test_a_json_line_has_the_confidence_and_says_where_the_translation_is_degenerate():
    for confidence, degenerate in ((None, False), (0.25, True)):
        judged = replace(TRANSLATION, confidence=confidence, degenerate=degenerate)
        found = json.loads(render(judged, source=b"", number=0, output_format=OutputFormat(json_lines=True)))
        assert found["confidence"] == confidence
        assert found.get("degenerate", False) is degenerate


@pytest.mark.parametrize("output_format", [OutputFormat(), OutputFormat(scores=True), OutputFormat(json_lines=True)])
def test_a_translation_with_line_ends_in_it_is_still_one_line(output_format):
    translation = Translation((Hypothesis("a\nb\r\nc", 0.0),))
    text = render(translation, source=b"x\xff\r", number=0, output_format=output_format)
    assert "\n" not in text
    assert "\r" not in text
    if not output_format.json_lines:
        assert text.endswith("a b c")


def test_an_empty_translation_has_an_empty_alignment():
    assert hard_alignment(np.zeros([0, 0], np.float32)) == ""
