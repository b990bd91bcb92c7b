"""Where sentences end: a line -> its sentences and the white space between them, in Python and in a graph.

A chain of substitutions sets a mark on either side of the white space behind a sentence, and takes it away again where
an abbreviation, an initial or a lower-case letter shows that the sentence goes on. Every pattern means the same to
Python's `re` and to RE2, the graph's engine, so that both cut alike. Abbreviations are Moses's lists of nonbreaking
prefixes, as sacremoses keeps them. Imports no TensorFlow by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.text.invisible import LINE_END, SPACE
from nmt.text.letters import LOWER, UPPER
from nmt.text.protection import KINDS, Protection
from nmt.text.ragged import rows_of
from nmt.text.terms import TERM, term_source, term_source_in_graph

if TYPE_CHECKING:
    import tensorflow as tf

# Noncharacters, apart from those of protection.py: a possible end of a sentence, the start behind it, a cut, and a
# protected span, before it what it is: a term that begins in lower case, or emoji.
_LOWER_TERM, _END, _START, _CUT, _SPAN, _EMOJI = map(chr, range(0xFDD9, 0xFDDF))
_CLOSING = "(?:['\"‘“’”»›)\\]}」』）】〉》]|[ \u00a0\u202f][»›])"
_OPENING = "['\"‘“„«‹(\\[{¿¡「『（【〈《–—-]"
_TERMINATOR = "[.!?…‽؟۔।॥።෴]"
_UNSPACED_TERMINATOR = "[。！？｡．]"
# Before an abbreviation or an initial.
_BOUNDARY = f"^|[ \t\n\u00a0\u202f{_START}'\"‘“„«‹(\\[{{/–—-]"
# Japanese particles behind a quotation, whose sentence goes on.
_PARTICLES = "とはがをにでもやのっ、，"
_OURS = re.compile(f"[{_LOWER_TERM}-{_EMOJI}]")
_EMOJI_SPAN = _EMOJI + _SPAN
_IS_EMOJI = re.compile(KINDS["emoji"])
_IS_LOWER_TERM = re.compile(f"{TERM}[{LOWER}](?s:.*)")
_NORWEGIAN = "bl.a ca dr f.eks hr inkl jf nr osv pga prof st"
# What Moses's lists lack.
_MORE_PREFIXES = {
    "da": "bl.a ca dr f.eks fru hr inkl jf mht nr osv pga prof st",
    "it": "avv arch dott dr dr.ssa dott.ssa geom ing on prof prof.ssa rag sig sig.ra sig.na sigg S",
    "nb": _NORWEGIAN,
    "nl": "Dhr dhr Mevr mevr Mw mw Drs drs Ir ir Ing ing Mr mr bijv blz nr o.a enz",
    "no": _NORWEGIAN,
    "tr": "Alb Av Bkz Bn Bnb Böl Bşk Cad Doç Dr Hz İng Mah Ör Prof Sn Sok St Şti Uzm Yrd vb vd vs",
    "uk": "акад вул див ім м обл п проф р рр ст т тис напр",
}


class Sentences(NamedTuple):
    """A line in parts: `texts[0] + spaces[0] + texts[1] + ... + texts[-1]` is the line; first and last may be empty."""

    texts: list[str]
    spaces: list[str]  # white space, and emoji at either end of a sentence; one fewer


def joined(texts: Sequence[str], spaces: Sequence[str]) -> str:
    """Texts, such as the translations of a line's sentences, with the white space of that line between them."""
    return "".join(part for pair in zip(texts, [*spaces, ""], strict=True) for part in pair)


class SentenceSplitter:
    """Cuts lines of one language into sentences.

    Args:
        language: its code, such as "en" or "pt-BR"; one without a list of abbreviations gets the English one's.
        protection: no cut falls inside of what it protects.
        abbreviations: of the language; None = as `abbreviations_of` has them.
    """

    def __init__(
        self, language: str, protection: Protection | None = None, abbreviations: Sequence[str] | None = None
    ) -> None:
        self._language = primary_language(language)
        self._abbreviations = abbreviations
        # Numbers have no space in them, and "5." is read as such by the rules below.
        protection = protection or Protection()
        kinds = [kind for kind in protection.kinds if kind != "numbers"]
        self._protection = Protection(kinds, protection.glossary)

    def protecting(self, protection: Protection) -> SentenceSplitter:
        """One of the same language that protects something else."""
        return SentenceSplitter(self._language, protection, self._abbreviations)

    @cached_property
    def substitutions(self) -> tuple[tuple[str, str], ...]:
        """(pattern, replacement) in order, for `re.sub` and `tf.strings.regex_replace` alike."""
        words = abbreviations_of(self._language) if self._abbreviations is None else self._abbreviations
        prefixes = "|".join(map(re.escape, words))
        return (
            # Line ends, with the space about them, and space at either end of the text always separate.
            (f"({SPACE}*{LINE_END}(?:{SPACE}|{LINE_END})*)", rf"{_END}\1{_START}"),
            (f"^({SPACE}+)", rf"{_END}\1{_START}"),
            (f"({SPACE}+)$", rf"{_END}\1{_START}"),
            # Candidates.
            (f"({_TERMINATOR}+{_CLOSING}*)({SPACE}+)", rf"\1{_END}\2{_START}"),
            (f"({_UNSPACED_TERMINATOR}+{_CLOSING}*)({SPACE}*)", rf"\1{_END}\2{_START}"),
            # The sentence goes on.
            (f"{_END}({SPACE}+){_START}({_OPENING}*[{LOWER}{_LOWER_TERM}])", r"\1\2"),
            (f"([」』）’”]){_END}({SPACE}*){_START}([{_PARTICLES}])", r"\1\2\3"),
            (f"({_BOUNDARY})({prefixes})\\.{_END}", r"\1\2."),
            (f"(\\.[{UPPER}]{{1,2}})\\.{_END}", r"\1."),
            # "vol. 2", "Art. 5": a sentence seldom begins with a number behind so short a word.
            (f"({_BOUNDARY})([{UPPER}{LOWER}]{{1,4}})\\.{_END}({SPACE}+){_START}([0-9])", r"\1\2.\3\4"),
            # Emoji at either end of a sentence.
            (f"^((?:{_EMOJI_SPAN}{SPACE}*)+)", rf"{_END}\1{_START}"),
            (f"{_START}((?:{_EMOJI_SPAN}{SPACE}*)+)", rf"\1{_START}"),
            (f"((?:{SPACE}*{_EMOJI_SPAN})+){_END}", rf"{_END}\1"),
            (f"((?:{SPACE}*{_EMOJI_SPAN})+)$", rf"{_END}\1{_START}"),
            # What is left.
            (f"{_END}((?:{SPACE}|{LINE_END}|{_EMOJI_SPAN})*){_START}", rf"{_CUT}\1{_CUT}"),
            (f"[{_END}{_START}{_EMOJI}{_LOWER_TERM}]", ""),
            (f"{_CUT}{_CUT}({_CUT}|$)", r"\1"),  # nothing stands between
        )

    def patterns(self) -> dict[str, Any]:
        """All that `split` needs, for implementations in other languages; no terms."""
        return {
            "protection": self._protection.patterns(),
            "substitutions": self.substitutions,
            "reserved": _OURS.pattern,
            "emoji": KINDS["emoji"],
            "emojiSpan": _EMOJI_SPAN,
            "span": _SPAN,
            "cut": _CUT,
        }

    def split(self, line: str) -> Sentences:
        parts = self._protection.source_parts(_OURS.sub("\ufffd", line))
        marked = joined(parts[::2], list(map(_mark, parts[1::2])))
        parts[1::2] = map(term_source, parts[1::2])
        for pattern, replacement in self._compiled:
            marked = pattern.sub(replacement, marked)
        parts[::2] = marked.split(_SPAN)
        cut = "".join(parts).split(_CUT)
        return Sentences(cut[::2], cut[1::2])

    def split_in_graph(self, lines: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """`split` of string [batch]: texts and spaces, string [batch, (sentences)]; a line's last space is ""."""
        import tensorflow as tf  # here, so that reading a corpus does not wait for it

        lines = tf.strings.regex_replace(lines, _OURS.pattern, "\ufffd")
        parts = self._protection.source_parts_in_graph(lines)
        place = tf.ragged.range(parts.row_lengths()).flat_values  # of each part in its line: the odd ones are spans
        marked = tf.where(place % 2 == 1, _mark_in_graph(parts.flat_values), parts.flat_values)
        parts = parts.with_flat_values(term_source_in_graph(parts.flat_values))
        marked = tf.strings.unsorted_segment_join(marked, rows_of(parts), parts.nrows())
        for pattern, replacement in self.substitutions:
            marked = tf.strings.regex_replace(marked, pattern, replacement)
        outside = tf.strings.split(marked, _SPAN)  # [batch, (spans + 1)]
        ends = tf.fill([parts.nrows(), 1], _CUT)
        behind = tf.concat([parts[:, 1::2], tf.RaggedTensor.from_tensor(ends)], axis=1)
        both = outside.flat_values + behind.flat_values
        cut = tf.strings.unsorted_segment_join(both, rows_of(outside), outside.nrows())
        cut = tf.strings.split(cut, _CUT)  # [batch, (2 * sentences)]
        return cut[:, ::2], cut[:, 1::2]

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(pattern, re.ASCII), replacement) for pattern, replacement in self.substitutions]


def _mark(span: str) -> str:
    """What stands for a span while sentences are looked for."""
    if _IS_EMOJI.fullmatch(span):
        return _EMOJI_SPAN
    return _LOWER_TERM + _SPAN if _IS_LOWER_TERM.fullmatch(span) else _SPAN


def _mark_in_graph(spans: tf.Tensor) -> tf.Tensor:
    """`_mark` of string [spans]."""
    import tensorflow as tf

    term = tf.where(tf.strings.regex_full_match(spans, _IS_LOWER_TERM.pattern), _LOWER_TERM + _SPAN, _SPAN)
    return tf.where(tf.strings.regex_full_match(spans, _IS_EMOJI.pattern), _EMOJI_SPAN, term)


def primary_language(code: str) -> str:
    """ "pt-BR" -> "pt"."""
    return code.replace("_", "-").partition("-")[0].lower()


def abbreviations_of(language: str) -> list[str]:
    """The words that a full stop may follow within a sentence, the longest first."""
    from sacremoses.corpus import NonbreakingPrefixes  # here, as it takes a third of a second

    language, known = primary_language(language), NonbreakingPrefixes()
    words = {word for word in known.words(language if language in known.available_langs else "en") if " " not in word}
    words |= set(_MORE_PREFIXES.get(language, "").split())
    return sorted(words, key=lambda word: (-len(word), word))
