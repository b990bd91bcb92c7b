"""Which translations make pairs to train on, and why the others do not. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Collection

from nmt.synthetic.shards import Made

NO_CONFIDENCE = (
    "--min-confidence: these translations have no confidence. It is that of one run's best weights, after `nmt "
    "calibrate RUN`, or of its export; an ensemble has none"
)


def why_left_out(line: str, made: Made, *, held_out: Collection[str], min_confidence: float | None) -> str | None:
    """Why a line and its translation make no pair; None where they make one.

    Args:
        held_out: lines of validation and test sets, without white space at their ends.

    Raises:
        ValueError: where a confidence is asked for and the translation has none.
    """
    if not line.strip() or not made.text.strip():
        return "blank"
    if line.strip() in held_out or made.text.strip() in held_out:
        return "in a validation or test set"
    if made.faults:
        return made.faults[0]
    if min_confidence is None:
        return None
    if made.confidence is None:
        raise ValueError(NO_CONFIDENCE)
    return "low confidence" if made.confidence < min_confidence else None
