"""A page of heat maps is valid, complete and shows every text as it is."""

import html5lib
import numpy as np
import pytest

from nmt.report.alignments import PAGE_END, page_section, page_start
from nmt.translation.translation import Hypothesis, Translation

BEST = Hypothesis("ein <b>", -0.5, ("▁ein", "▁<b>"), np.array([[0.75, 0.25], [0.0, 1.0]]))
SECOND = Hypothesis("", -3.0, (), np.zeros([0, 2]))
TRANSLATIONS = [
    Translation((BEST, SECOND), ("▁one", "▁&"), confidence=0.5, degenerate=True),
    Translation((Hypothesis("served", -1.0),)),
]


def parse(*, n_best: bool):
    sections = [page_section(each, "one \x07 & <b>", 7, n_best=n_best) for each in TRANSLATIONS]
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse("\n".join([page_start(), *sections, PAGE_END]))


@pytest.mark.parametrize(
    ("n_best", "translations"), [(False, ["ein <b>", "served"]), (True, ["ein <b>", "", "served"])]
)
def test_each_line_has_its_source_and_its_translations_or_the_best_of_them(n_best, translations):
    page = parse(n_best=n_best)
    assert [heading.text for heading in page.iter("h2")] == ["one \ufffd & <b>"] * 2
    assert ["".join(heading.itertext()) for heading in page.iter("h3")] == translations


def test_a_heat_map_is_there_where_there_is_an_alignment():
    first, second = parse(n_best=False).iter("section")
    weights = [[cell.get("title") for cell in row.findall("td")] for row in first.find(".//tbody")]
    assert weights == [["0.75", "0.25"], [None, "1.00"]]
    assert second.find(".//table") is None


def test_what_is_thought_of_a_translation_is_said():
    facts = [paragraph.text for paragraph in parse(n_best=False).iter("p") if paragraph.text.startswith("Line")]
    assert facts == ["Line 7, confidence 0.50, degenerate", "Line 7"]
