"""White space at the edges of protected spans, as the source has it.

A translation keeps a span's white space on a side where it has the same neighbour there as the source: a letter or
digit of a script that separates words by spaces, or another span; before a span also the same other character, such as
the full stop before an emoji. Elsewhere the translation's own white space stays, as languages differ: French has a
space before "!", Japanese none before a particle. Numbers keep none: "5pm" is "17 Uhr".

A text of spans is written as its gaps: what stands before, between and behind them. Python and the graph agree; imports
no TensorFlow by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nmt.text.invisible import SPACE
from nmt.text.ragged import rows_of

if TYPE_CHECKING:
    import tensorflow as tf

# Latin, Greek and Cyrillic; Arabic, Hebrew and Korean write some words without a space beside another.
_WORD = "A-Za-z0-9À-ԯ"
_BEGINS_WITH_WORD, _ENDS_IN_WORD = f"^[{_WORD}]", f"[{_WORD}]$"
_LEADING, _TRAILING = f"^{SPACE}+", f"{SPACE}+$"
PATTERNS = {"begins": _BEGINS_WITH_WORD, "ends": _ENDS_IN_WORD, "leading": _LEADING, "trailing": _TRAILING}
_A_WORD, _A_SPAN = "w", "span"  # kinds of neighbours; others are called by their character


class _Gap(NamedTuple):
    """Text beside spans: `before + core + behind`; if all of it is white space, that is `before` and `behind` both."""

    before: str  # the white space behind the span that precedes the gap
    core: str
    behind: str  # the white space before the span that follows
    first: str  # kind of neighbour that the preceding span has; "" = none that decides
    last: str  # of the following one


def copy_spaces(source: Sequence[str], target: Sequence[str], numbers: Sequence[int | None]) -> list[str]:
    """The gaps of a translation with the white space of the source.

    Args:
        source: gaps of the source, one more than it has spans.
        target: gaps of the translation, one more than it has spans.
        numbers: which span of the source each of the translation is; None = one whose white space stays.
    """
    of_source = [_gap(text, edge=place in (0, len(source) - 1)) for place, text in enumerate(source)]
    spaced = []
    for place, text in enumerate(target):
        gap = _gap(text, edge=place in (0, len(target) - 1))
        previous = numbers[place - 1] if place else None
        following = numbers[place] if place < len(numbers) else None
        before = behind = None
        if previous is not None and gap.first and gap.first == of_source[previous + 1].first:
            before = of_source[previous + 1].before
        if following is not None and gap.last and gap.last == of_source[following].last:
            behind = of_source[following].behind
        if gap.core:
            before, behind = (gap.before if before is None else before), (gap.behind if behind is None else behind)
            spaced.append(before + gap.core + behind)
        else:
            spaced.append(next(space for space in (before, behind, text) if space is not None))
    return spaced


def _gap(text: str, *, edge: bool) -> _Gap:
    rest = re.sub(_LEADING, "", text)
    core = re.sub(_TRAILING, "", rest)
    if not core:
        kind = "" if edge else _A_SPAN
        return _Gap(text, "", text, kind, kind)
    first = _A_WORD if re.search(_BEGINS_WITH_WORD, core) else ""
    last = _A_WORD if re.search(_ENDS_IN_WORD, core) else core[-1]
    return _Gap(text[: len(text) - len(rest)], core, rest[len(core) :], first, last)


class _Gaps(NamedTuple):
    """As `_Gap`, each string [all gaps]."""

    before: tf.Tensor
    core: tf.Tensor
    behind: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor


def copy_spaces_in_graph(source: tf.RaggedTensor, target: tf.RaggedTensor, numbers: tf.RaggedTensor) -> tf.RaggedTensor:
    """`copy_spaces` of each row.

    Args:
        source, target: string [batch, (gaps)].
        numbers: int64 [batch, (target gaps - 1)], -1 for None.
    """
    import tensorflow as tf  # here, as Python's side needs none

    of_source, gaps = _gaps_in_graph(source), _gaps_in_graph(target)
    none = tf.fill([target.nrows(), 1], tf.constant(-1, tf.int64))
    previous, following = (tf.concat(sides, axis=1).flat_values for sides in ((none, numbers), (numbers, none)))
    first_gap = tf.gather(source.row_starts(), rows_of(target))
    behind_previous = first_gap + previous + 1
    before_following = first_gap + tf.maximum(following, 0)

    def copied(number, kind, kind_in_source):
        return (number >= 0) & (kind != "") & (kind == kind_in_source)

    copies_before = copied(previous, gaps.first, tf.gather(of_source.first, behind_previous))
    copies_behind = copied(following, gaps.last, tf.gather(of_source.last, before_following))
    before = tf.where(copies_before, tf.gather(of_source.before, behind_previous), gaps.before)
    behind = tf.where(copies_behind, tf.gather(of_source.behind, before_following), gaps.behind)
    blank = tf.where(copies_before, before, tf.where(copies_behind, behind, target.flat_values))
    return target.with_flat_values(tf.where(gaps.core == "", blank, before + gaps.core + behind))


def _gaps_in_graph(texts: tf.RaggedTensor) -> _Gaps:
    import tensorflow as tf

    text = texts.flat_values
    rest = tf.strings.regex_replace(text, _LEADING, "")
    core = tf.strings.regex_replace(rest, _TRAILING, "")
    length = tf.strings.length(core)
    before = tf.strings.substr(text, tf.zeros_like(length), tf.strings.length(text) - tf.strings.length(rest))
    behind = tf.strings.substr(rest, length, tf.strings.length(rest) - length)
    place = tf.ragged.range(texts.row_lengths()).flat_values
    inner = (place > 0) & (place < tf.gather(texts.row_lengths(), rows_of(texts)) - 1)
    blank, kind = core == "", tf.where(inner, _A_SPAN, "")
    begins = tf.strings.regex_replace(core, _BEGINS_WITH_WORD, "") != core
    ends = tf.strings.regex_replace(core, _ENDS_IN_WORD, "") != core
    final = tf.strings.substr(" " + core, -1, 1, unit="UTF8_CHAR")
    first = tf.where(blank, kind, tf.where(begins, _A_WORD, ""))
    last = tf.where(blank, kind, tf.where(ends, _A_WORD, final))
    return _Gaps(tf.where(blank, text, before), core, tf.where(blank, text, behind), first, last)
