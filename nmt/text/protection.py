"""Spans that a translation keeps unchanged, exactly once: URLs, e-mail addresses, tags, placeholders, emoji, numbers.

Before a line is tokenized, each such span becomes a symbol, a piece of the vocabulary: span k symbol k mod 8. The
search writes each symbol as often as the source has it (search/rules.py). In the translation the j-th occurrence of a
symbol becomes the j-th span that it stood for. Training sees symbols where both sides have the same span; what only one
side has stays text there, so that the model never learns to drop a symbol or to make one up.

Everything exists twice, in Python and as a TensorFlow graph for the SavedModel, with the same regular expressions: they
keep to what Python's `re` and RE2 read alike, and match no byte that is not UTF-8. Imports no TensorFlow by itself.

Invisible characters of a source line are removed here too (invisible.py), because spans keep theirs.

A glossary's terms (glossary.py) are spans of a line to translate that come out as their translations. They are looked
for outside of all other spans but numbers, which may be part of one: "Windows 11".
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nmt.config.settings import Config
from nmt.text.glossary import Glossary, RequestGlossaries
from nmt.text.invisible import EMOJI, EMOJI_PARTS, KEYCAP, SPACE, visible, visible_in_graph
from nmt.text.ragged import rows_of
from nmt.text.span_spaces import copy_spaces, copy_spaces_in_graph
from nmt.text.target_text import RESERVED
from nmt.text.terms import A_TERM, term_target, term_target_in_graph
from nmt.text.tokenizer import JOINER, SYMBOLS, Tokenizers

if TYPE_CHECKING:
    import tensorflow as tf

# A URL's end can be seen only in scripts with spaces, so it may have letters of these; others are written as %E4%BD%A0.
_WORD = "A-Za-zÀ-ԯ0-9"
_NAME = "[A-Za-z_@][A-Za-z0-9:._-]*"
_QUOTED = "[\t !#-&(-;=-\ud7ff\ue000-\U0010ffff]"
_UNQUOTED = rf"[{_WORD}_.:/#%&;,()+*@!?$-]"
_VALUE = rf"=(?:\"(?:{_QUOTED}|')*\"|'(?:{_QUOTED}|\")*'|{_UNQUOTED}+)"
# What may stand in a tag without a value where no other attribute has one: <your name here> is text.
_FLAG = (
    "(?:async|autofocus|autoplay|checked|controls|default|defer|disabled|download|hidden|loop|multiple|muted|novalidate"
    "|open|readonly|required|reversed|selected)"
)
_ATTRIBUTES = rf"(?:[\t ]+{_NAME})*[\t ]+{_NAME}{_VALUE}(?:[\t ]+{_NAME}(?:{_VALUE})?)*|(?:[\t ]+{_FLAG})+"
_URL_END = rf"{_WORD}_~%&=+$@#/\-"
_URL = f"[{_URL_END}.,;:!?'*]"
_IN_URL = rf"\({_URL}*\)|\{{{_URL}*\}}"

# In order of precedence: of two kinds that match at the same place, the first one counts.
KINDS = {
    "urls": rf"(?:[Hh][Tt][Tt][Pp][Ss]?://|[Ff][Tt][Pp]://|[Ww][Ww][Ww]\.)"
    rf"(?:{_URL}|{_IN_URL})*(?:[{_URL_END}]|{_IN_URL})",
    # At most 64 characters before the @ (RFC 5321), so that a long word is not scanned to its end from each letter.
    "emails": rf"[{_WORD}_][{_WORD}._%+-]{{0,63}}@[{_WORD}-]+(?:\.[{_WORD}-]+)*\.[A-Za-z]{{2,}}",
    "tags": rf"</?[A-Za-z0-9][A-Za-z0-9:._-]*(?:{_ATTRIBUTES})?[\t ]*/?>"
    "|<!--[\t -;=-\ud7ff\ue000-\U0010ffff]*?-->"
    r"|&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[Xx][0-9A-Fa-f]{1,6});",
    # {{a name}}; ICU's {size, number, percent}; {name}, {0:.2f}, {x[0]}, ${name}, %{name}; \n and \u00e9, for a line
    # end and a letter; printf's %1$s, %(name)s and strftime's %Y, but not the %i of "100%ige".
    "placeholders": rf"\{{\{{\{{?[ -z|~À-ԯ]{{1,100}}\}}?\}}\}}"
    rf"|\{{ ?[{_WORD}_]+ ?, ?(?:number|date|time|spellout|ordinal|duration)(?:,[ -z|~À-ԯ]{{1,50}})? ?\}}"
    rf"|[$#%]?\{{ ?[{_WORD}_.:,!?<>^+*/=|#%$@&\[\]-]* ?\}}"
    r"|\\(?:[nrt\"\\]|u[0-9A-Fa-f]{4})"
    r"|%%|%(?:\([A-Za-z0-9_.-]+\)|[0-9]{1,2}\$)?[+#-]?[0-9]{0,3}(?:\.[0-9]{1,3})?(?:hh|ll|[hlqjzt])?(?:[sd@]|[A-Za-z]\b)",
    "emoji": f"(?:{KEYCAP}|[{EMOJI}][{EMOJI_PARTS}]*)+",
    "numbers": r"[0-9]+(?:[.,:/'’][0-9]+)*",
}
# Any span of a kind has one of these in it. To look for them takes a tenth of the time of looking for spans.
_SIGNS = {"urls": ("://", "w.", "W."), "emails": ("@",), "tags": ("<", "&"), "placeholders": ("{", "\\", "%")}
# Reserved characters in a text are spans themselves, so that none is mistaken for a symbol.
_RESERVED = f"[{SYMBOLS[0]}-{JOINER}{RESERVED}]"
_SYMBOL = f"[{SYMBOLS[0]}-{SYMBOLS[-1]}]"
# Another noncharacter, put around spans while they are searched for. One in a text counts as a space.
_MARK = chr(0xFDDF)
_SPECIAL = re.compile(f"{_RESERVED}|{_MARK}")
# After a symbol, a word gets the same piece as after a space, which is the one the model knows.
_WORD_BEHIND = f"({_SYMBOL})([A-Za-z0-9À-\u0dff\u1e00-\u1fff가-힣])"
_JOINED = rf"\1{JOINER} \2"
_JOINT = f"{JOINER} ?|{_MARK}"
# Spans whose white space is that of the target language.
_TRANSLATED = re.compile(f"{KINDS['numbers']}|{A_TERM}")
# Nothing to translate: a model would make something up.
_ONLY_SPANS = f"{SPACE}*{_SYMBOL}(?:{_SYMBOL}|{JOINER}|{SPACE})*"


class Protection:
    """What is protected. Without kinds nothing is, and only invisible characters change a line.

    Args: kinds: keys of KINDS; glossary: for lines to translate, training has none.
    Raises: ValueError for a term that has a span in it.
    """

    def __init__(self, kinds: Sequence[str] = (), glossary: Glossary | RequestGlossaries | None = None) -> None:
        self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        self.glossary = glossary or None  # one without terms is none
        self.num_symbols = len(SYMBOLS) if self.kinds else 0
        self._pattern = "|".join([*(KINDS[kind] for kind in self.kinds), _RESERVED])
        self._find = re.compile(f"({self._pattern})", re.ASCII)
        has_signs = all(kind in _SIGNS for kind in self.kinds)
        self._signs = [sign for kind in self.kinds for sign in _SIGNS[kind]] if has_signs else None
        if self.glossary:
            # What is looked for before the terms, and what behind them.
            self._before = Protection([kind for kind in self.kinds if kind != "numbers"])
            self._behind = Protection([kind for kind in self.kinds if kind == "numbers"])
            for term in self.glossary:
                if len(parts := self._before.parts(term)) > 1:
                    raise ValueError(
                        f"the glossary's term {term!r} has {parts[1]!r} in it, which comes through as it is: take the "
                        "term out of the glossary"
                    )

    @classmethod
    def of(cls, config: Config, tokenizers: Tokenizers, glossary: Glossary | None = None) -> Protection:
        """A job's; none where its tokenizers have no symbols, as those of older runs.

        Raises: ValueError for a glossary where there are no symbols.
        """
        kinds = config.protect if all(tokenizer.has_symbols for tokenizer in tokenizers) else ()
        if glossary and not kinds:
            raise ValueError(
                "a glossary needs a run that was trained with symbols for protected spans, and this one was not: train "
                'one with `protect` naming at least one kind, such as "urls"'
            )
        return cls(kinds, glossary)

    def patterns(self) -> dict[str, Any]:
        """All that finding spans and putting them back needs, for implementations in other languages; no terms."""
        return {
            "spans": self._pattern if self.kinds else None,
            "symbols": SYMBOLS,
            "mark": _MARK,
            "wordBehind": (_WORD_BEHIND, _JOINED),
            "joint": _JOINT,
            "onlySpans": _ONLY_SPANS,
            "translated": KINDS["numbers"],
        }

    def hide(self, line: str | bytes) -> tuple[str | bytes, list[str]]:
        """A source line with symbols for its spans, and the spans in order. Bytes stay bytes and need not be UTF-8."""
        if isinstance(line, bytes):
            text, spans = self._hide(line.decode("utf-8", "surrogateescape"))
            return text.encode("utf-8", "surrogateescape"), spans
        return self._hide(line)

    def hide_known(self, line: str | bytes, spans: Sequence[str]) -> str | bytes:
        """A translation, or the start of one, with a symbol for each span that `hide` found in its source.

        `reveal` uses up the spans of a symbol in order: a symbol that comes too early or too often stays as it is.
        """
        if not self.kinds:
            return line
        if isinstance(line, bytes):
            return self._hide_known(line.decode("utf-8", "surrogateescape"), spans).encode("utf-8", "surrogateescape")
        return self._hide_known(line, spans)

    def hide_common(self, source: str, target: str, *, first: int = 0) -> tuple[list[str], list[str]]:
        """A training pair in parts: outside, span, outside, ... A span that occurs on both sides is a symbol on both.

        Args: first: the number of the first symbol, for all of them must be learnt; when translating it is 0.
        """
        source_parts, target_parts = self.parts(source), self.parts(target)
        waiting = defaultdict[str, deque[int]](deque)
        for place in range(1, len(target_parts), 2):
            waiting[target_parts[place]].append(place)
            target_parts[place] = _as_text(target_parts[place])
        number = first
        for place in range(1, len(source_parts), 2):
            span = source_parts[place]
            source_parts[place] = _as_text(span)
            if waiting[span]:
                source_parts[place] = target_parts[waiting[span].popleft()] = SYMBOLS[number % len(SYMBOLS)]
                number += 1
        source_parts[::2] = map(visible, source_parts[::2])
        return source_parts, target_parts

    def join(self, parts: Sequence[str]) -> str:
        """The text of parts in which symbols stand, as it is to be tokenized."""
        text = "".join(parts)
        return re.sub(_WORD_BEHIND, _JOINED, text) if self.kinds else text

    def only_spans(self, source: str) -> bool:
        """Whether a source as `hide` returns it has nothing but spans and white space."""
        return bool(self.kinds) and re.fullmatch(_ONLY_SPANS, source) is not None

    def copied(self, line: str, source: str, spans: Sequence[str]) -> str | None:
        """What becomes of a line that has nothing but spans, or is a term; None where there is something to translate.

        Args: source, spans: as `hide` returned them.
        """
        if not self.only_spans(source):
            return None
        if not any(re.match(A_TERM, span) for span in spans):
            return line
        return term_target(spans[0]) if len(spans) == 1 else None

    def reveal(self, text: str, spans: Sequence[str], source: str) -> str:
        """A translation with the spans of its source in the places of the symbols, and the white space they had there;
        terms as they are in the target language.

        Args: source: as `hide` returned it with the spans.
        """
        if not spans:
            return re.sub(_JOINT, "", text) if self.kinds else text
        parts, source_parts = (re.split(f"({_SYMBOL})", re.sub(_JOINT, "", side)) for side in (text, source))
        numbers = _numbers(parts[1::2])
        words = [None if _TRANSLATED.fullmatch(spans[number]) else number for number in numbers]
        parts[::2] = copy_spaces(source_parts[::2], parts[::2], words)
        parts[1::2] = [term_target(spans[number]) for number in numbers]
        return "".join(parts)

    def reveal_parts(self, parts: Sequence[str], spans: Sequence[str]) -> list[str]:
        """Parts or pieces of a line: for the j-th occurrence of a symbol the j-th span that it stands for."""
        symbols = set(SYMBOLS[: self.num_symbols])
        numbers = iter(_numbers([part for part in parts if part in symbols]))
        return [spans[next(numbers)] if part in symbols else part for part in parts]

    def parts(self, line: str) -> list[str]:
        """Outside, span, outside, ..., outside."""
        if not self.kinds or not self._may_have_spans(line):
            return [line]
        return self._find.split(line.replace(_MARK, " "))

    def source_parts(self, line: str) -> list[str]:
        """`parts` of a line to translate, where terms are spans, too."""
        if not isinstance(self.glossary, Glossary):
            return self.parts(line)
        parts = _further_parts(self._before.parts(line), self.glossary.parts)
        return _further_parts(parts, self._behind.parts)

    def parts_in_graph(self, lines: tf.Tensor) -> tf.RaggedTensor:
        """`parts` of string [batch]: string [batch, (parts)]."""
        import tensorflow as tf  # imported here, so that `nmt check` does not wait for it

        if not self.kinds:
            return tf.RaggedTensor.from_row_lengths(lines, tf.ones_like(lines, tf.int64), validate=False)
        return _split_in_graph(tf.strings.regex_replace(lines, _MARK, " "), self._pattern)

    def source_parts_in_graph(self, lines: tf.Tensor, numbers: tf.Tensor | None = None) -> tf.RaggedTensor:
        """`source_parts` of string [batch]: string [batch, (parts)].

        Args: numbers: of which line of the request each is, int64 [batch]; None = lines are whole.
        """
        import tensorflow as tf

        if not self.glossary:
            return self.parts_in_graph(lines)
        parts = self._before.parts_in_graph(lines)
        numbers = rows_of(parts) if numbers is None else tf.gather(numbers, rows_of(parts))
        parts = _further_parts_in_graph(parts, self.glossary.marked_in_graph(parts.flat_values, numbers, _MARK))
        if not self._behind.kinds:
            return parts
        return _further_parts_in_graph(parts, _marked_in_graph(parts.flat_values, self._behind._pattern))

    def hide_in_graph(self, lines: tf.Tensor, numbers: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.RaggedTensor]:
        """`hide` of string [batch]: text string [batch]; spans string [batch, (spans)].

        Args: numbers: as of `source_parts_in_graph`.
        """
        import tensorflow as tf

        parts = self.source_parts_in_graph(lines, numbers)
        place = tf.ragged.range(parts.row_lengths()).flat_values  # of each part in its line: the odd ones are spans
        symbols = tf.gather(SYMBOLS, place // 2 % len(SYMBOLS))
        shown = tf.where(place % 2 == 1, symbols, visible_in_graph(parts.flat_values))
        text = tf.strings.unsorted_segment_join(shown, rows_of(parts), parts.nrows())  # [batch]
        return tf.strings.regex_replace(text, _WORD_BEHIND, _JOINED) if self.kinds else text, parts[:, 1::2]

    def only_spans_in_graph(self, source: tf.Tensor) -> tf.Tensor:
        """`only_spans` of string [batch]: bool [batch]."""
        import tensorflow as tf

        return tf.strings.regex_full_match(source, _ONLY_SPANS) if self.kinds else tf.fill([tf.size(source)], False)

    def copied_in_graph(
        self, lines: tf.Tensor, source: tf.Tensor, spans: tf.RaggedTensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Which of string [batch] are `copied`, bool [batch], and what becomes of those, string [batch]."""
        import tensorflow as tf

        only_spans = self.only_spans_in_graph(source)
        if not self.glossary:
            return only_spans, lines
        is_term = tf.cast(tf.strings.regex_full_match(spans.flat_values, A_TERM), tf.int32)
        has_term = tf.math.unsorted_segment_sum(is_term, rows_of(spans), spans.nrows()) > 0
        copied = only_spans & (~has_term | (spans.row_lengths() == 1))
        targets = term_target_in_graph(spans.flat_values)
        targets = tf.strings.unsorted_segment_join(targets, rows_of(spans), spans.nrows())
        return copied, tf.where(has_term, targets, lines)

    def reveal_in_graph(self, text: tf.Tensor, spans: tf.RaggedTensor, source: tf.Tensor) -> tf.Tensor:
        """`reveal` of string [batch] with spans string [batch, (spans)] and source string [batch]."""
        import tensorflow as tf

        if not self.kinds:
            return text
        parts, source_parts = (
            _split_in_graph(tf.strings.regex_replace(side, _JOINT, ""), _SYMBOL) for side in (text, source)
        )
        numbers = parts.with_flat_values(_numbers_in_graph(parts))[:, 1::2]
        found = self.reveal_parts_in_graph(parts, spans)[:, 1::2]
        is_translated = tf.strings.regex_full_match(found.flat_values, _TRANSLATED.pattern)
        words = numbers.with_flat_values(tf.where(is_translated, tf.constant(-1, tf.int64), numbers.flat_values))
        gaps = copy_spaces_in_graph(source_parts[:, ::2], parts[:, ::2], words)
        found = found.with_flat_values(term_target_in_graph(found.flat_values))
        behind = tf.concat([found, tf.fill([parts.nrows(), 1], "")], axis=1)
        both = gaps.flat_values + behind.flat_values
        return tf.strings.unsorted_segment_join(both, rows_of(gaps), gaps.nrows())

    def reveal_parts_in_graph(self, parts: tf.RaggedTensor, spans: tf.RaggedTensor) -> tf.RaggedTensor:
        """`reveal_parts` of string [batch, (parts)] with spans string [batch, (spans)]."""
        import tensorflow as tf

        if not self.kinds:
            return parts
        numbers = _numbers_in_graph(parts)
        starts = tf.gather(spans.row_starts(), rows_of(parts))
        places = tf.where(numbers >= 0, starts + numbers, tf.zeros_like(numbers))
        found = tf.gather(tf.concat([spans.flat_values, [""]], axis=0), places)  # never of nothing
        return parts.with_flat_values(tf.where(numbers >= 0, found, parts.flat_values))

    def _may_have_spans(self, line: str) -> bool:
        if self._signs is None or any(sign in line for sign in self._signs):
            return True
        return not line.isascii() and _SPECIAL.search(line) is not None

    def _hide(self, line: str) -> tuple[str, list[str]]:
        parts = self.source_parts(line)
        spans = parts[1::2]
        parts[::2] = map(visible, parts[::2])
        parts[1::2] = [SYMBOLS[number % len(SYMBOLS)] for number in range(len(spans))]
        return self.join(parts), spans

    def _hide_known(self, line: str, spans: Sequence[str]) -> str:
        parts = self._known_terms(spans).source_parts(line)
        parts[1::2], spans = map(term_target, parts[1::2]), list(map(term_target, spans))
        taken: set[int] = set()
        for place in range(1, len(parts), 2):
            ready = (
                number
                for number, span in enumerate(spans)
                if span == parts[place] and number not in taken
                if number < len(SYMBOLS) or number - len(SYMBOLS) in taken
            )
            if (number := next(ready, None)) is None:
                parts[place] = _as_text(parts[place])
            else:
                taken.add(number)
                parts[place] = SYMBOLS[number % len(SYMBOLS)]
        return self.join(parts)

    def _known_terms(self, spans: Sequence[str]) -> Protection:
        """Finds in a translation what the terms among the spans of its source have become."""
        if not self.glossary:
            return self
        targets = [term_target(span) for span in spans if re.match(A_TERM, span)]
        words = [target for target in targets if len(self._before.parts(target)) == 1]
        return Protection(self.kinds, Glossary(dict(zip(words, words, strict=True))))


def _further_parts(parts: Sequence[str], split: Callable[[str], list[str]]) -> list[str]:
    """Parts with what `split` finds outside of their spans as further spans."""
    return [each for place, part in enumerate(parts) for each in ([part] if place % 2 else split(part))]


def _further_parts_in_graph(parts: tf.RaggedTensor, marked: tf.Tensor) -> tf.RaggedTensor:
    """Parts string [batch, (parts)] with further spans: those in `marked`, the parts' flat values with marks around."""
    import tensorflow as tf

    place = tf.ragged.range(parts.row_lengths()).flat_values
    marked = tf.where(place % 2 == 1, _MARK + parts.flat_values + _MARK, marked)
    return tf.strings.split(tf.strings.unsorted_segment_join(marked, rows_of(parts), parts.nrows()), _MARK)


def _marked_in_graph(text: tf.Tensor, pattern: str) -> tf.Tensor:
    """Strings of any shape with a mark at both sides of each match."""
    import tensorflow as tf

    return tf.strings.regex_replace(text, pattern, rf"{_MARK}\0{_MARK}")


def _numbers(symbols: Sequence[str]) -> list[int]:
    """Which span each symbol of a translation stands for."""
    seen = dict.fromkeys(SYMBOLS, 0)
    numbers = []
    for symbol in symbols:
        numbers.append(seen[symbol] * len(SYMBOLS) + SYMBOLS.index(symbol))
        seen[symbol] += 1
    return numbers


def _numbers_in_graph(parts: tf.RaggedTensor) -> tf.Tensor:
    """Which span each of the parts [batch, (parts)] stands for: int64 [all parts], -1 where it is no symbol."""
    import tensorflow as tf

    symbols = tf.cast(parts.flat_values[:, tf.newaxis] == tf.constant(SYMBOLS), tf.int64)  # [all parts, symbols]
    earlier = tf.cumsum(symbols, exclusive=True)
    earlier -= tf.gather(earlier, tf.gather(parts.row_starts(), rows_of(parts)))  # of the same line
    numbers = tf.reduce_sum(symbols * (earlier * len(SYMBOLS) + tf.range(len(SYMBOLS), dtype=tf.int64)), axis=1)
    return tf.where(tf.reduce_max(symbols, axis=1) > 0, numbers, tf.constant(-1, tf.int64))


def _split_in_graph(text: tf.Tensor, pattern: str) -> tf.RaggedTensor:
    """Outside, match, outside, ..., outside of string [batch]: [batch, (parts)]."""
    import tensorflow as tf

    return tf.strings.split(_marked_in_graph(text, pattern), _MARK)


def _as_text(span: str) -> str:
    """A span that no symbol stands for."""
    return re.sub(_RESERVED, "\ufffd", span)
