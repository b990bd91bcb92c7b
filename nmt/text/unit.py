"""What a file of both sides is read as: one `Unit` after another, each a pair or the reason why it is none.

Imports no TensorFlow.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE_BREAKS = re.compile(r"[^\S\n\r]*[\n\r]\s*")


class Unit(NamedTuple):
    """A pair of lines."""

    source: str = ""
    target: str = ""
    left_out: str = ""  # why it is not used
    remark: str = ""  # what was done to it


def unit(source: str | None, target: str | None, *, remark: str = "") -> Unit:
    """A pair, each side in one line, or the reason why it is none."""
    source, target = ((_LINE_BREAKS.sub(" ", side) if side else "").strip() for side in (source, target))
    if not source:
        return Unit(left_out="without source text")
    if not target:
        return Unit(left_out="without a translation")
    return Unit(source, target, remark=remark)


def same_language(asked: str | None, found: str | None) -> bool:
    """Whether one code is the other, or the other with a region or a script: "de" and "de_AT", not "en-GB" and "en-US".

    What a file does not say is what is asked for.
    """
    if not asked or not found:
        return True
    first, second = (code.lower().replace("_", "-").split("-") for code in (asked, found))
    return all(mine == theirs for mine, theirs in zip(first, second, strict=False))
