"""What a line becomes, whichever engine translates it: a `Translation` with its `Hypothesis` list.

Imports no TensorFlow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

import numpy as np

from nmt.translation.heat_map import STYLE, heat_map

_LINE_ENDS = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class Hypothesis:
    """One translation of a line."""

    text: str
    score: float  # log-probability under the length penalty; higher is better
    pieces: tuple[str, ...] = ()  # of the text; empty where the engine does not return them
    # float32 [pieces, source pieces], 0..1: how much each piece read each source piece; None where not asked for
    alignment: np.ndarray | None = None

    @property
    def line(self) -> str:
        """The text as a line of a file: without line ends, and with "?" for what UTF-8 cannot write."""
        return _LINE_ENDS.sub(" ", self.text).encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Translation:
    """The translation of one line: its hypotheses, best first, and a judgement of the best one."""

    n_best: tuple[Hypothesis, ...]
    source_pieces: tuple[str, ...] = ()  # of the line; empty where the engine does not return them
    degenerate: bool = False  # repeats itself, is far too short or long, or leaves much of the line untranslated
    faults: tuple[str, ...] = ()  # why it is degenerate, of search.faults.FAULTS; empty where the engine does not say
    truncated: bool = False  # the line was too long for the engine, and its end is not translated
    confidence: float | None = None  # expected chrF / 100 (search/confidence.py); None where it is not calibrated
    features: tuple[float, ...] = ()  # what confidence is computed from, in the order of search.confidence.FEATURES

    @property
    def text(self) -> str:
        """The best translation."""
        return self.n_best[0].text

    @property
    def score(self) -> float:
        """That of the best translation."""
        return self.n_best[0].score

    @property
    def alignment(self) -> np.ndarray | None:
        """That of the best translation, float32 [pieces, source pieces]; None where not asked for."""
        return self.n_best[0].alignment

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """What a notebook shows: the text, its judgement and, where it has an alignment, a heat map of it."""
        best, flags = self.n_best[0], [name for name in ("degenerate", "truncated") if getattr(self, name)]
        facts = [f"score {best.score:.2f}"]
        if self.confidence is not None:
            facts.append(f"confidence {self.confidence:.2f}")
        if flags:
            facts.append(", ".join(flags) + (f" ({', '.join(self.faults)})" if self.faults else ""))
        shown = [
            f'<p dir="auto" style="margin:0"><strong>{escape(best.text)}</strong></p>',
            f'<p style="margin:0 0 0.5em;opacity:0.7">{escape(" · ".join(facts))}</p>',
        ]
        if best.alignment is not None:
            shown += [f"<style>{STYLE}</style>", heat_map(self.source_pieces, best.pieces, best.alignment)]
        return "<div>\n" + "\n".join(shown) + "\n</div>"
