"""Glossaries: terms and the translations they are to have, found in lines to translate, in Python and in a graph.

A line is cut into tokens: words (with the numbers in them), runs of white space, other characters one by one, each with
what is invisible in it or behind it. Where scripts put no spaces between words, and in Korean, whose particles follow a
word without one, each character is a token. A term is a row of whole tokens. Of terms that start at the same token the
longest counts, and the search goes on behind it. Which white space stands between words makes no difference.

A term that was found is a span of its line (protection.py), which carries its translation with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nmt.text.files import read_lines
from nmt.text.invisible import CONTROLS, DEFAULT_IGNORABLE, SPACE, visible, visible_in_graph
from nmt.text.letters import without_case, word_characters

if TYPE_CHECKING:
    import tensorflow as tf

# Noncharacters, apart from those of protection.py and sentences.py: around the two halves of a term's span, behind a
# token, and what no term has: the end of a row in the graph.
TERM, _BEHIND, _END = map(chr, range(0xFDE3, 0xFDE6))
_OURS = re.compile(f"[{TERM}-{_END}]")
_NONCHARACTER = re.compile("[\ufdd0-\ufdef]")
_LINE_END = "[\n-\r]"
_CACHED_TOKENS = 100_000
_FINGERPRINTS = 1 << 62
_SPAN = re.compile(f"{TERM}([^{TERM}]*){TERM}([^{TERM}]*)")
A_TERM = f"{TERM}(?s:.*)"  # a pattern of spans


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
        self._key = lru_cache(maxsize=_CACHED_TOKENS)(self._compared_by)
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
        tokens = _tokens().findall(_OURS.sub(" ", text))
        keys = list(map(self._key, tokens))
        parts, begin, place = [], 0, 0
        while place < len(keys):
            width = self._width_at(keys, place)
            if width:
                source, key = ("".join(each[place : place + width]) for each in (tokens, keys))
                parts += ["".join(tokens[begin:place]), f"{TERM}{source}{TERM}{self._targets[key]}"]
                begin = place + width
            place += width or 1
        return [*parts, "".join(tokens[begin:])]

    def marked_in_graph(self, texts: tf.Tensor, mark: str) -> tf.Tensor:
        """Texts string [rows] with `mark` around each term, which is a span as in `parts`."""
        import tensorflow as tf  # here, so that `nmt check` does not wait for it

        texts = tf.strings.regex_replace(texts, _OURS.pattern, " ") + _END
        marked = tf.strings.regex_replace(tf.strings.reduce_join(texts), _token(), rf"\0{_BEHIND}")
        tokens, keys = (tf.strings.split(each, _BEHIND)[:-1] for each in (marked, self._keys_in_graph(marked)))
        widths, terms = self._longest_in_graph(keys)
        starts = (widths > 0) & _visited(tf.maximum(widths, 1))
        count = tf.size(tokens)
        last = tf.where(starts, tf.range(count) + widths - 1, count)  # a start's last token
        term_that_ends = tf.math.unsorted_segment_max(terms, last, count + 1)[:-1]
        targets = tf.gather(["", *self._targets.values()], tf.maximum(term_that_ends, -1) + 1)
        before = tf.where(starts, mark + TERM, "")
        behind = tf.where(term_that_ends >= 0, TERM + targets + mark, "")
        return tf.strings.split(tf.strings.reduce_join(before + tokens + behind), _END)[:-1]

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

    def _compared_by(self, token: str) -> str:
        key = re.sub(f"{SPACE}+", " ", visible(re.sub(_LINE_END, _END, token)))
        return key.translate(without_case()) if self.ignore_case else key

    def _keys_in_graph(self, marked: tf.Tensor) -> tf.Tensor:
        """`_key` of all tokens in string []; they stay as many as they are."""
        import tensorflow as tf

        keys = visible_in_graph(tf.strings.regex_replace(marked, _LINE_END, _END))
        keys = tf.strings.regex_replace(keys, f"{SPACE}+", " ")
        if not self.ignore_case:
            return keys
        letters, folded = (np.array(each, np.int32) for each in zip(*sorted(without_case().items()), strict=True))
        codes = tf.strings.unicode_decode(keys, "UTF-8")
        place = tf.minimum(tf.searchsorted(letters, codes), len(letters) - 1)
        codes = tf.where(tf.gather(letters, place) == codes, tf.gather(folded, place), codes)
        return tf.strings.unicode_encode(codes, "UTF-8")

    def _longest_in_graph(self, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Of string [tokens]: int32 [tokens], how many tokens the longest term has that starts there (0 = none), and
        which term that is (-1 = none)."""
        import tensorflow as tf

        lookup = _Lookup(list(self._targets))
        count, most = tf.size(keys), max(max(widths) for widths in self._widths.values())
        following = tf.concat([keys, tf.fill([most], _END)], axis=0)
        none = tf.zeros_like(keys, tf.int32)

        def condition(width, texts, widths, terms):
            return width <= most

        def body(width, texts, widths, terms):
            """`texts` string [tokens]: the `width` tokens from each on."""
            found = lookup.find(texts)
            is_term = (found >= 0) & (keys != "")  # it starts with none that is invisible
            widths, terms = tf.where(is_term, width, widths), tf.where(is_term, found, terms)
            return width + 1, texts + following[width : width + count], widths, terms

        start = (1, keys, none, none - 1)
        return tf.while_loop(condition, body, start, parallel_iterations=1)[2:]


def term_source(span: str) -> str:
    """A span as it stands in the source, a term or not."""
    return _SPAN.sub(r"\1", span)


def term_target(span: str) -> str:
    """A span as it is to stand in the translation, a term or not."""
    return _SPAN.sub(r"\2", span)


def term_source_in_graph(spans: tf.Tensor) -> tf.Tensor:
    """`term_source` of strings of any shape."""
    import tensorflow as tf

    return tf.strings.regex_replace(spans, _SPAN.pattern, r"\1")


def term_target_in_graph(spans: tf.Tensor) -> tf.Tensor:
    """`term_target` of strings of any shape."""
    import tensorflow as tf

    return tf.strings.regex_replace(spans, _SPAN.pattern, r"\2")


@lru_cache(maxsize=1)
def _token() -> str:
    """A token, for `re` and RE2 alike; no byte that is not UTF-8 is part of one."""
    word, invisible = word_characters(), f"[{CONTROLS}{DEFAULT_IGNORABLE}]*"
    number = "[0-9]+(?:[.,:/'’][0-9]+)*"
    other = f"(?:{SPACE}+|[\\x00-\ud7ff\ue000-\U0010ffff]){invisible}"
    return f"{_END}|[{word}]*{number}[{word}]*|[{word}]+|{other}"


@lru_cache(maxsize=1)
def _tokens() -> re.Pattern[str]:
    """Finds tokens, each with the bytes before it that are no UTF-8."""
    return re.compile(f"[\ud800-\udfff]*(?:{_token()})|[\ud800-\udfff]+")


class _Lookup:
    """Finds strings [n] among `terms` in a graph, by fingerprints in order."""

    def __init__(self, terms: Sequence[str]) -> None:
        import tensorflow as tf

        with tf.init_scope():  # once, not in each call of the graph
            fingerprints = tf.strings.to_hash_bucket_fast(terms, _FINGERPRINTS).numpy()
        order = np.argsort(fingerprints)
        self._terms = [terms[place] for place in order]
        self._order, self._fingerprints = order.astype(np.int32), fingerprints[order]

    def find(self, found: tf.Tensor) -> tf.Tensor:
        """Which term each of string [n] is: int32 [n], -1 = none."""
        import tensorflow as tf

        place = tf.searchsorted(self._fingerprints, tf.strings.to_hash_bucket_fast(found, _FINGERPRINTS))
        place = tf.minimum(place, len(self._terms) - 1)
        return tf.where(tf.gather(self._terms, place) == found, tf.gather(self._order, place), -1)


def _visited(steps: tf.Tensor) -> tf.Tensor:
    """Which places a walk from 0 comes to that takes `steps` int32 [n], each at least 1: bool [n]."""
    import tensorflow as tf

    count = tf.size(steps)

    def condition(visited, following, length):
        return length <= count

    def body(visited, following, length):
        """All places within twice as many steps."""
        reached = tf.math.unsorted_segment_max(visited, following, count + 1)
        return tf.maximum(visited, reached), tf.gather(following, following), 2 * length

    following = tf.concat([tf.minimum(tf.range(count) + steps, count), [count]], axis=0)
    visited, _, _ = tf.while_loop(condition, body, (tf.one_hot(0, count + 1, dtype=tf.int32), following, 1))
    return visited[:-1] > 0
