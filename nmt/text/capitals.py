"""Lines in capitals: translated as their twins in normal case, and put into capitals again.

A model has seen few capitals, and those in other pieces than the same words in normal case. Python and the graph read
a line alike: by regular expressions that `re` and RE2 share, and by Unicode's full case mappings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nmt.text.letters import LOWER, UPPER
from nmt.text.sentences import primary_language

if TYPE_CHECKING:
    import tensorflow as tf

_SHORT, _LONG, _BETWEEN = f"[{UPPER}]{{2,}}", f"[{UPPER}]{{5,}}", f"[^{LOWER}{UPPER}]+"
# Acronyms are shorter than five letters, and seldom three in a row.
_WORDS = f"{_LONG}{_BETWEEN}{_SHORT}|{_SHORT}{_BETWEEN}{_LONG}|{_SHORT}{_BETWEEN}{_SHORT}{_BETWEEN}{_SHORT}"
_FIRST_LETTER = f"^[^{LOWER}{UPPER}]*[{UPPER}]"
# Where a language has other capitals than Unicode's default: replaced before the default does the rest.
_DOTLESS_LOWER, _DOTTED_UPPER = (("I", "ı"), ("İ", "i")), (("i", "İ"),)
_SPECIAL_LOWER = {"tr": _DOTLESS_LOWER, "az": _DOTLESS_LOWER}
_SPECIAL_UPPER = {
    "tr": _DOTTED_UPPER,
    "az": _DOTTED_UPPER,
    "el": tuple(zip("άέήίόύώΐΰ", "ΑΕΗΙΟΥΩΪΫ", strict=True)),  # capitals have no accent
}


class Capitals:
    """The capitals of two languages. Args: source_language, target_language: their codes, such as "de" or "pt-BR"."""

    def __init__(self, source_language: str, target_language: str) -> None:
        self._lower = _SPECIAL_LOWER.get(primary_language(source_language), ())
        self._upper = _SPECIAL_UPPER.get(primary_language(target_language), ())

    def patterns(self) -> dict[str, Any]:
        """All that the methods below need, for implementations in other languages."""
        return {
            "lower": f"[{LOWER}]",
            "words": _WORDS,
            "firstLetter": _FIRST_LETTER,
            "toLower": self._lower,
            "toUpper": self._upper,
        }

    def found(self, source: str) -> bool:
        """Whether a line has no letter in lower case, and words that are no mere acronyms."""
        no_lower = re.fullmatch(f"[^{LOWER}\ud800-\udfff]*", source)  # RE2 matches no byte that is not UTF-8
        return bool(no_lower and re.search(_WORDS, source))

    def to_normal_case(self, source: str) -> str:
        """A line in capitals in lower case, but for its first letter."""
        first = re.match(_FIRST_LETTER, source)
        start = first.end() if first else 0
        return source[:start] + _replaced(source[start:], self._lower).lower()

    def to_capitals(self, target: str) -> str:
        return _replaced(target, self._upper).upper()

    def found_in_graph(self, source: tf.Tensor) -> tf.Tensor:
        """`found` of string [batch]: bool [batch]."""
        import tensorflow as tf  # here, so that others need not wait for it

        no_lower = tf.strings.regex_full_match(source, f"[^{LOWER}]*")
        return no_lower & tf.strings.regex_full_match(source, f"(?s:.*)(?:{_WORDS})(?s:.*)")

    def to_normal_case_in_graph(self, source: tf.Tensor) -> tf.Tensor:
        """`to_normal_case` of string [batch]."""
        import tensorflow as tf

        first = tf.strings.regex_replace(source, f"({_FIRST_LETTER})(?s:.*)", r"\1")
        rest = tf.strings.regex_replace(source, _FIRST_LETTER, "")
        return first + tf.strings.lower(_replaced_in_graph(rest, self._lower), encoding="utf-8")

    def to_capitals_in_graph(self, target: tf.Tensor) -> tf.Tensor:
        """`to_capitals` of string [batch]."""
        import tensorflow as tf

        return tf.strings.upper(_replaced_in_graph(target, self._upper), encoding="utf-8")


def _replaced(text: str, special: tuple[tuple[str, str], ...]) -> str:
    for letter, other in special:
        text = text.replace(letter, other)
    return text


def _replaced_in_graph(text: tf.Tensor, special: tuple[tuple[str, str], ...]) -> tf.Tensor:
    import tensorflow as tf

    for letter, other in special:
        text = tf.strings.regex_replace(text, letter, other)
    return text
