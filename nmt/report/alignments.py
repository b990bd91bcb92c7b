"""Translations with heat maps of their attention as one HTML page, written line by line. Imports no TensorFlow."""

from __future__ import annotations

from html import escape
from pathlib import Path

from nmt.translation.heat_map import FORBIDDEN, STYLE, heat_map
from nmt.translation.translation import Hypothesis, Translation

PAGE_END = "</main>\n</body>\n</html>"


def page_start() -> str:
    """What comes before the first line."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<title>Translations and their attention</title>\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}{STYLE}</style>\n</head>\n<body>\n<h1>Translations and their attention</h1>\n"
        '<p class="quiet">A row is a piece of the translation; its cells are as strong as the weight with which it '
        "reads each piece of the source. &#x2581; stands for the space before a word.</p>\n<main>"
    )


def page_section(translation: Translation, source: str, number: int, *, n_best: bool = False) -> str:
    """A line with its translation.

    Args:
        number: of the line, from 1.
        n_best: show all hypotheses and not only the best.
    """
    facts = [] if translation.confidence is None else [f"confidence {translation.confidence:.2f}"]
    facts += [name for name in ("degenerate", "truncated") if getattr(translation, name)]
    hypotheses = translation.n_best if n_best else translation.n_best[:1]
    section = (
        f'<section>\n<h2 dir="auto">{escape(source)}</h2>\n'
        f'<p class="quiet">{", ".join([f"Line {number:,}", *facts])}</p>\n'
        f"{''.join(_hypothesis(each, translation.source_pieces) for each in hypotheses)}</section>"
    )
    return FORBIDDEN.sub("\ufffd", section)


def _hypothesis(hypothesis: Hypothesis, source_pieces: tuple[str, ...]) -> str:
    shown = ""
    if hypothesis.alignment is not None:
        shown = heat_map(source_pieces, hypothesis.pieces, hypothesis.alignment) + "\n"
    return f'<h3 dir="auto">{escape(hypothesis.text)}</h3>\n<p class="quiet">score {hypothesis.score:.2f}</p>\n{shown}'
