"""A plot has its points where its data are, and takes colours and letters from the page."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from nmt.report.plots import Line, bars, curves, reliability_diagram

X, Y = [100, 200, 400, 700], [8.0, 1.0, 4.0, 2.0]
SVG = "{http://www.w3.org/2000/svg}"


def curve(svg: str, colour: str = "var(--first)") -> np.ndarray:
    """The points of the longest curve of a colour: float [points, 2]."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*style="fill: none;[^"]*stroke: {re.escape(colour)}', svg)
    points = [re.findall(r"[ML] (\S+) (\S+)", path) for path in paths]
    return np.array(max(points, key=len), float)


def is_affine(drawn, data) -> bool:
    slope, offset = np.polyfit(data, drawn, 1)
    return np.allclose(drawn, slope * np.asarray(data) + offset, atol=0.01)


@pytest.mark.parametrize("log", [False, True])
def test_points_are_drawn_to_scale(log):
    drawn = curve(curves("a", [Line(0, X, Y)], x_label="step", y_label="Loss", log=log))
    assert is_affine(drawn[:, 0], X)
    assert is_affine(drawn[:, 1], np.log(Y) if log else Y)
    assert is_affine(drawn[:, 1], Y) is not log
    assert drawn[0, 1] < drawn[1, 1]  # SVG counts down


def test_bars_are_as_high_as_their_values():
    svg = bars("a", [[0.5, 0.25], [1.0, float("nan")]], classes=["one", "two"], x_label="x", y_label="y")
    heights = {}
    for colour in ("first", "second"):
        paths = re.findall(rf'<path d="([^"]*)"[^>]*style="fill: var\(--{colour}\)', svg)
        corners = [np.array(re.findall(r"[ML] (\S+) (\S+)", path), float) for path in paths]
        heights[colour] = [np.ptp(points[:, 1]) for points in corners if len(points) and np.isfinite(points).all()]
    assert heights["first"] == pytest.approx([heights["second"][0] / 2, heights["second"][0] / 4], rel=1e-3)


def test_a_perfect_reliability_lies_on_the_diagonal():
    promised = [0.1, 0.4, 0.9]
    svg = reliability_diagram("a", [Line(1, promised, promised, "test set")])
    diagonal, drawn = curve(svg, "currentColor"), curve(svg, "var(--second)")
    slope, offset = np.polyfit(*diagonal.T, 1)
    np.testing.assert_allclose(drawn[:, 1], slope * drawn[:, 0] + offset, atol=0.01)


def test_colours_are_the_pages_letters_are_text_and_ids_begin_with_the_plots_name():
    lines = [Line(0, X, Y, "training", faint=True), Line(1, X, Y, error=[1.0] * 4)]
    svg = curves("set0-bleu", lines, x_label="a < b & c", y_label="BLEU")
    tree = ElementTree.fromstring(svg)
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)
    texts = ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]
    assert {"a < b & c", "BLEU", "training"} <= set(texts)
    assert all(name.startswith("set0-bleu-") for name in re.findall(r'\bid="([^"]*)"', svg))
    assert tree.get("role") == "img"
    assert tree.get("aria-label") == "BLEU"


def test_the_same_plot_is_the_same_text():
    first, second = (curves("a", [Line(0, X, Y)], x_label="step", y_label="Loss") for _ in range(2))
    assert first == second
