"""Attention as a heat map in HTML: a table of target pieces by source pieces, each cell as strong as its weight.

For notebooks and for pages. Imports no TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import numpy as np

from nmt.text.tokenizer import JOINER

# What HTML forbids: control characters and noncharacters, such as those that stand for protected spans in pieces.
_LAST_OF_PLANES = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
FORBIDDEN = re.compile(f"[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef{_LAST_OF_PLANES}]")
_SHOWN = 0.005  # a smaller weight is left blank: of long sentences most are, and a page stays small

# Colours work on any background, as a notebook's theme need not be the system's. Notebooks also stripe and pad tables.
STYLE = """
.nmt-heat-map { --nmt-heat: 37 99 235; max-width: 100%; overflow-x: auto; }
@media (prefers-color-scheme: dark) { .nmt-heat-map { --nmt-heat: 88 166 255; } }
.nmt-heat-map table { border-collapse: collapse; width: auto; margin: 0; font-size: 0.8125rem; line-height: 1.2; }
.nmt-heat-map tr { background: none !important; }
.nmt-heat-map th { border: 0; padding: 0.15em 0.4em; font-weight: normal; white-space: nowrap; }
.nmt-heat-map th[scope=col] { padding: 0.4em 0.15em; vertical-align: bottom; }
.nmt-heat-map th[scope=col] span { writing-mode: vertical-rl; transform: rotate(180deg); }
.nmt-heat-map th[scope=row] { text-align: right; }
.nmt-heat-map i { font-style: normal; opacity: 0.35; }
.nmt-heat-map tbody td {
  box-sizing: border-box; width: 1.6em; min-width: 1.6em; height: 1.6em; padding: 0;
  border: 1px solid rgb(128 128 128 / 0.25); background: rgb(var(--nmt-heat) / var(--weight, 0));
}
"""


def heat_map(source: Sequence[str], target: Sequence[str], weights: np.ndarray) -> str:
    """The attention of one translation as an HTML fragment, for a page or notebook that has `STYLE`.

    A row for each target piece, a column for each source piece; a cell's title is its weight.

    Args: weights float [target, source], 0..1: how much each target piece reads each source piece.
    Raises: ValueError where the weights are of another shape.
    """
    if np.shape(weights) != (len(target), len(source)):
        raise ValueError(
            f"attention weights of shape {np.shape(weights)} came, "
            f"({len(target)} target pieces, {len(source)} source pieces) was expected"
        )
    columns = "".join(f'<th scope="col"><span dir="auto">{_piece(piece)}</span></th>' for piece in source)
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{_piece(piece)}</th>{"".join(map(_cell, row))}</tr>\n'
        for piece, row in zip(target, weights, strict=True)
    )
    return (
        '<div class="nmt-heat-map"><table aria-label="Attention: target pieces by source pieces">\n'
        f"<thead><tr><td></td>{columns}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )


def _piece(piece: str) -> str:
    """A word's first piece begins with SentencePiece's mark of a space, which should not distract from its letters."""
    shown = FORBIDDEN.sub("\ufffd", piece.replace(JOINER, "\u203f"))
    return escape(shown).replace("\u2581", "<i>\u2581</i>")


def _cell(weight: float) -> str:
    if weight < _SHOWN:
        return "<td></td>"
    return f'<td style="--weight:{weight:.2f}" title="{weight:.2f}"></td>'
