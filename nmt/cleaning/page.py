"""What a cleaning did, as one HTML file that needs nothing else. Imports no TensorFlow."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from nmt.cleaning.corpora import Cleaned
from nmt.cleaning.judgement import MEANINGS
from nmt.cleaning.tally import LENGTHS, RATIOS, Example
from nmt.report.plots import bars
from nmt.report.template import Plot, fill


class RuleRow(NamedTuple):
    """What a rule removed; of_largest compares with the rule that removed most, 0..1."""

    name: str
    removes: str
    pairs: int
    share: float
    of_largest: float
    examples: list[Example]


def as_page(name: str, cleaned: Cleaned) -> str:
    """The page's text, to be written in UTF-8.

    Args: name: what it is called.
    """
    counts, context = cleaned
    total, largest = max(1, counts.pairs), max(1, *counts.removed.values(), 1)
    rules = [
        RuleRow(
            rule, removes, found := counts.removed[rule], found / total, found / largest, counts.examples.get(rule, [])
        )
        for rule, removes in MEANINGS.items()
    ]
    removed = counts.pairs - counts.kept
    return fill(
        "cleaning.html",
        rooms=["cleaning"],
        name=name,
        languages=" to ".join(context.languages),
        tiles=[
            ("pairs", f"{counts.pairs:,}", f"{counts.characters.total():,} characters"),
            ("kept", f"{counts.kept:,}", f"{counts.kept / total:.1%}"),
            ("removed", f"{removed:,}", f"{removed / total:.1%}"),
            ("normalized", f"{counts.edited:,}", "of the pairs kept"),
        ],
        rules=rules,
        plots=[_plot("lengths", counts.lengths, _ranges(LENGTHS), *_LENGTHS), _ratio_plot(counts.ratios)],
        settings=[(key, json.dumps(value, ensure_ascii=False)) for key, value in context.settings],
    )


_LENGTHS = ("characters of the source, from", "Pairs by length, %", "Of the pairs kept, and of those removed.")


def _ratio_plot(counts: Counter[tuple[bool, int]]) -> Plot:
    names = ["less", *(f"{2**edge:.2g}" for edge in RATIOS)]
    caption = "Characters of the target for each of the source. Empty sides are left out."
    return _plot("ratios", counts, names, "target : source, from", "Pairs by length ratio, %", caption)


def _plot(
    name: str, counts: Counter[tuple[bool, int]], classes: Sequence[str], x_label: str, title: str, caption: str
) -> Plot:
    first = 1 if name == "lengths" else 0  # no length is below 0
    places = range(first, first + len(classes))
    totals = [max(1, sum(counts[kept, place] for place in places)) for kept in (True, False)]
    shares = [
        [100 * counts[kept, place] / total for place in places]
        for kept, total in zip((True, False), totals, strict=True)
    ]
    rows = [
        [each, f"{counts[True, place]:,}", f"{counts[False, place]:,}"]
        for each, place in zip(classes, places, strict=True)
    ]
    svg = bars(name, shares, classes=classes, x_label=x_label, y_label=title)
    return Plot(Markup(svg), caption, [["from", "kept", "removed"], *rows])


def _ranges(edges: Sequence[float]) -> list[str]:
    return [f"{edge:,}" for edge in edges]
