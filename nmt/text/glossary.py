"""Glossaries: terms and the translations they are to have; terms.py says what a term is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from nmt.text.invisible import SPACE
from nmt.text.lines import read_lines
from nmt.text.ragged import rows_of
from nmt.text.terms import (
    BEHIND,
    END,
    OURS,
    TermTable,
    fingerprint_in_graph,
    mark_terms_in_graph,
    marked_tokens_in_graph,
    term_span,
    token,
    token_key,
    token_keys_in_graph,
)

if TYPE_CHECKING:
    import tensorflow as tf

_NONCHARACTER = re.compile("[\ufdd0-\ufdef]")
_CACHED_TOKENS = 100_000
# A line of a request's glossary, and the white space around its fields.
_ENTRY = r"(?:[^\s#]|[^\S\t][^\t]*[^\s])[^\t]*\t[^\t]*[^\s][^\t]*"
_AROUND = rf"^(?:\s|{SPACE})+|(?:\s|{SPACE})+$"


class Glossary:
    """Terms of the source language and what each is in the target language.

    Args: terms: translations by term; ignore_case: whether "Term" and "TERM" are the term "term".
    Raises: ValueError for an empty term or translation, and for one term with two translations.
    """

    def __init__(self, terms: Mapping[str, str], *, ignore_case: bool = False) -> None:
        self.ignore_case = ignore_case
        self._targets: dict[str, str] = {}
        # Of each first token how many tokens the terms have that start with it, the most first.
        self._widths: dict[str, list[int]] = {}
        self._key = lru_cache(maxsize=_CACHED_TOKENS)(partial(token_key, ignore_case=ignore_case))
        for term, target in terms.items():
            self._add(term, target)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, ignore_case: bool = False) -> Glossary:
        """Reads "term TAB translation" lines; blank lines and those that start with "#" are passed over.

        Raises: ValueError for a line that is none of these or contradicts an earlier one, with file and line.
        """
        glossary = cls({}, ignore_case=ignore_case)
        for number, line in enumerate(read_lines(path), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split("\t")
            try:
                if len(fields) != 2:
                    raise ValueError(f"{len(fields) - 1} tabs in {line!r}; expected a term, a tab and its translation")
                glossary._add(*fields)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
        return glossary

    def __len__(self) -> int:
        return len(self._targets)

    def __iter__(self) -> Iterator[str]:
        """The terms, as they are compared: in one case where that is ignored."""
        return iter(self._targets)

    def parts(self, text: str) -> list[str]:
        """Outside, term, outside, ..., outside; a term is a span that `term_source` and `term_target` read."""
        tokens = _tokens().findall(OURS.sub(" ", text))
        keys = list(map(self._key, tokens))
        parts, begin, place = [], 0, 0
        while place < len(keys):
            width = self._width_at(keys, place)
            if width:
                source, key = ("".join(each[place : place + width]) for each in (tokens, keys))
                parts += ["".join(tokens[begin:place]), term_span(source, self._targets[key])]
                begin = place + width
            place += width or 1
        return [*parts, "".join(tokens[begin:])]

    def as_file(self) -> str:
        """The text of a file that `read` reads."""
        return "".join(f"{entry}\n" for _, entry in self._entries)

    def as_text(self, line: bytes) -> bytes:
        """The text of a glossary file with the terms that may be in a line: all that a request for it needs."""
        text = token_key(line.decode("utf-8", "replace"), ignore_case=True)
        return "\n".join(entry for term, entry in self._entries if term in text).encode()

    def marked_in_graph(self, texts: tf.Tensor, lines: tf.Tensor, mark: str) -> tf.Tensor:
        """Texts string [rows] with `mark` around each term, which is a span as in `parts`; it does not matter of which
        lines they are."""
        import tensorflow as tf  # here, so that `nmt check` does not wait for it

        return mark_terms_in_graph(texts, tf.fill(tf.shape(texts), ""), self._table, mark)

    def _add(self, term: str, target: str) -> None:
        term, target = term.strip(), target.strip()
        if not term or not target:
            raise ValueError(f"{term!r} -> {target!r}: both a term and its translation are needed")
        if _NONCHARACTER.search(term + target):
            raise ValueError(
                f"{term!r} -> {target!r} has one of the characters U+FDD0 to U+FDEF, which no text may have"
            )
        keys = list(map(self._key, _tokens().findall(term)))
        key = "".join(keys)
        if self._targets.setdefault(key, target) != target:
            same = f"{term!r} in any case" if self.ignore_case else repr(term)
            raise ValueError(f"{same} is {target!r} here, but {self._targets[key]!r} in an earlier line")
        self._widths[keys[0]] = sorted({len(keys), *self._widths.get(keys[0], ())}, reverse=True)

    def _width_at(self, keys: Sequence[str], place: int) -> int:
        """How many tokens the longest term has that starts there; 0 = none does."""
        for width in self._widths.get(keys[place], ()):
            if "".join(keys[place : place + width]) in self._targets:
                return width
        return 0

    @cached_property
    def _entries(self) -> list[tuple[str, str]]:
        """Each term without its case, and its line in a file."""
        entries = self._targets.items()
        return [(token_key(term, ignore_case=True), f"{term}\t{target}") for term, target in entries]

    @cached_property
    def _table(self) -> TermTable:
        import tensorflow as tf

        keys, targets = (np.array(each, object) for each in zip(*self._targets.items(), strict=True))
        with tf.init_scope():  # once, not in each call of a graph
            fingerprints = fingerprint_in_graph(tf.constant(keys)).numpy()
        order = np.argsort(fingerprints)
        most = max(max(widths) for widths in self._widths.values())
        return TermTable(keys[order], fingerprints[order], targets[order], most, self.ignore_case)


class RequestGlossary(Glossary):
    """A glossary that comes with a line, and is as little trusted as `RequestGlossaries`.

    Args: text: as in a file; "" = no terms.
    """

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        super().__init__({}, ignore_case=ignore_case)
        for line in _NONCHARACTER.sub("\ufffd", text).split("\n"):
            if re.fullmatch(_ENTRY, line, re.ASCII):
                with suppress(ValueError):
                    self._add(*line.split("\t"))

    def __iter__(self) -> Iterator[str]:
        """As of RequestGlossaries."""
        return iter(())


class RequestGlossaries:
    """The glossaries that come with the lines of a request, in a graph only.

    A line of one that is not a term, a tab and its translation is passed over: an error would also fail the requests of
    others in the same batch. Of a term with two translations the first counts.

    Args: glossaries: string [lines], each as in a file; "" = none.
    """

    def __init__(self, glossaries: tf.Tensor, *, ignore_case: bool) -> None:
        import tensorflow as tf

        different, number = tf.unique(tf.strings.regex_replace(glossaries, _NONCHARACTER.pattern, "\ufffd"))
        self._names = tf.gather(_name(tf.range(tf.size(different))), number)
        entries = tf.strings.split(different, "\n")
        is_entry = tf.strings.regex_full_match(entries.flat_values, _ENTRY)
        fields = tf.strings.split(tf.boolean_mask(entries.flat_values, is_entry), "\t")
        fields = tf.strings.regex_replace(fields.flat_values, _AROUND, "")
        names = _name(tf.boolean_mask(rows_of(entries), is_entry))
        # The empty term is never found.
        terms, targets, names = (tf.concat([each, [""]], axis=0) for each in (fields[::2], fields[1::2], names))
        marked = token_keys_in_graph(marked_tokens_in_graph(terms), ignore_case=ignore_case)
        marked = tf.strings.split(marked, END)[:-1]  # each with the mark behind the end before it
        most = tf.reduce_max(tf.strings.length(tf.strings.regex_replace(marked, f"[^{BEHIND}]", "")))
        keys = names + tf.strings.regex_replace(marked, BEHIND, "")
        fingerprints = fingerprint_in_graph(keys)
        order = tf.argsort(fingerprints, stable=True)
        keys, fingerprints, targets = (tf.gather(each, order) for each in (keys, fingerprints, targets))
        self._table = TermTable(keys, fingerprints, targets, most // len(BEHIND.encode()), ignore_case)

    def __iter__(self) -> Iterator[str]:
        """The terms that are known before a request comes."""
        return iter(())

    def marked_in_graph(self, texts: tf.Tensor, lines: tf.Tensor, mark: str) -> tf.Tensor:
        """As Glossary.marked_in_graph, for texts of the lines int64 [rows]."""
        import tensorflow as tf

        return mark_terms_in_graph(texts, tf.gather(self._names, lines), self._table, mark)


def _name(number: tf.Tensor) -> tf.Tensor:
    """What stands before the terms of a glossary, so that others do not have them."""
    import tensorflow as tf

    return tf.strings.as_string(number) + END


@lru_cache(maxsize=1)
def _tokens() -> re.Pattern[str]:
    """Finds tokens, each with the bytes before it that are no UTF-8."""
    return re.compile(f"[\ud800-\udfff]*(?:{token()})|[\ud800-\udfff]+")
