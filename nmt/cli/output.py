"""Translations as text: plain, tab-separated, Moses n-best lists, Pharaoh alignments, JSON lines, an HTML page.

Imports no TensorFlow.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from nmt.report.alignments import PAGE_END, page_section, page_start
from nmt.translation.translation import Hypothesis, Translation

_BETWEEN = "|||"  # the fields of a Moses n-best list


class OutputFormat(NamedTuple):
    """What is written of each translation."""

    n_best: bool = False  # a Moses n-best list: "number ||| text ||| score"; "|||" in a text is "&#124;&#124;&#124;"
    scores: bool = False  # "score<TAB>text"
    # "hard" = "0-0 1-2" (Pharaoh) or "soft" = all weights, after a tab or in the object; "html" = a page of heat maps
    alignments: str | None = None
    json_lines: bool = False  # an object a line, with all but the alignments, which have to be asked for


def beginning(output_format: OutputFormat) -> str:
    """What is written before the first line."""
    return page_start() + "\n" if output_format.alignments == "html" else ""


def ending(output_format: OutputFormat) -> str:
    """What is written after the last line."""
    return PAGE_END + "\n" if output_format.alignments == "html" else ""


def render(translation: Translation, *, source: bytes, number: int, output_format: OutputFormat) -> str:
    """The output for one line of input, without its last line end.

    Args:
        number: of the line, from 0, as Moses counts.
    """
    if output_format.alignments == "html":
        return page_section(translation, source.decode("utf-8", "replace"), number + 1, n_best=output_format.n_best)
    if output_format.json_lines:
        return json.dumps(_as_json(translation, source, output_format), ensure_ascii=False)
    hypotheses = translation.n_best if output_format.n_best else translation.n_best[:1]
    return "\n".join(_render(hypothesis, number, output_format) for hypothesis in hypotheses)


def hard_alignment(alignment: np.ndarray) -> str:
    """Pharaoh format, "source-target": for each target piece the source piece it reads most, counted from 0."""
    return " ".join(f"{weights.argmax()}-{target}" for target, weights in enumerate(alignment))


def _render(hypothesis: Hypothesis, number: int, output_format: OutputFormat) -> str:
    text = hypothesis.line
    # As Moses escapes them: what stands between the fields must not stand in one.
    fields = [text.replace(_BETWEEN, "&#124;" * 3) if output_format.n_best else text]
    score = f"{hypothesis.score:.4f}"
    if output_format.n_best:
        fields = [str(number), *fields, score]
    elif output_format.scores:
        fields = [score, *fields]
    alignment = _alignment(hypothesis, output_format)
    if alignment is not None:
        fields.append(alignment if isinstance(alignment, str) else json.dumps(alignment))
    return (f" {_BETWEEN} " if output_format.n_best else "\t").join(fields)


def _as_json(translation: Translation, source: bytes, output_format: OutputFormat) -> dict[str, Any]:
    n_best = []
    for hypothesis in translation.n_best:
        entry: dict[str, Any] = {"translation": hypothesis.text, "score": float(hypothesis.score)}
        alignment = _alignment(hypothesis, output_format)
        if alignment is not None:
            entry |= {"pieces": hypothesis.pieces, "alignment": alignment}
        n_best.append(entry)
    aligned = output_format.alignments and translation.source_pieces
    pieces = {"source_pieces": translation.source_pieces} if aligned else {}
    judgement: dict[str, Any] = {"confidence": translation.confidence}
    if translation.degenerate:
        judgement["degenerate"] = True
    if translation.truncated:
        judgement["truncated"] = True
    return {"source": source.decode("utf-8", "replace"), **n_best[0], **judgement, **pieces, "n_best": n_best}


def _alignment(hypothesis: Hypothesis, output_format: OutputFormat) -> str | list[list[float]] | None:
    """As it was asked for; None where it was not, and where there is none. All weights of a long line are many."""
    if output_format.alignments is None or hypothesis.alignment is None:
        return None
    if output_format.alignments == "hard":
        return hard_alignment(hypothesis.alignment)
    return [[round(float(weight), 4) for weight in row] for row in hypothesis.alignment]
