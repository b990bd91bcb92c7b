"""What a term is in a text, and the search for terms in a graph; glossary.py has Python's.

A text is cut into tokens: words (with the numbers in them), runs of white space, other characters one by one, each with
what is invisible in it or behind it. Where scripts put no spaces between words, and in Korean, whose particles follow a
word without one, each character is a token. A term is a row of whole tokens. Of terms that start at the same token the
longest counts, and the search goes on behind it. Which white space stands between words makes no difference.

A term that was found is a span of its line (protection.py), which carries its translation with it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nmt.text.invisible import CONTROLS, DEFAULT_IGNORABLE, SPACE, visible, visible_in_graph
from nmt.text.letters import without_case, word_characters

if TYPE_CHECKING:
    import tensorflow as tf

# Noncharacters, apart from those of protection.py and sentences.py: around the two halves of a term's span, behind a
# token, and what no term has: the end of a row in the graph.
TERM, BEHIND, END = map(chr, range(0xFDE3, 0xFDE6))
OURS = re.compile(f"[{TERM}-{END}]")
A_TERM = f"{TERM}(?s:.*)"  # a pattern of spans
_SPAN = re.compile(f"{TERM}([^{TERM}]*){TERM}([^{TERM}]*)")
_LINE_END = "[\n-\r]"
_FINGERPRINTS = 1 << 62


def term_span(source: str, target: str) -> str:
    return f"{TERM}{source}{TERM}{target}"


def term_source(span: str) -> str:
    """A span as it stands in the source, a term or not."""
    return _SPAN.sub(r"\1", span)


def term_target(span: str) -> str:
    """A span as it is to stand in the translation, a term or not."""
    return _SPAN.sub(r"\2", span)


def term_source_in_graph(spans: tf.Tensor) -> tf.Tensor:
    """`term_source` of strings of any shape."""
    import tensorflow as tf  # here, so that `nmt check` does not wait for it

    return tf.strings.regex_replace(spans, _SPAN.pattern, r"\1")


def term_target_in_graph(spans: tf.Tensor) -> tf.Tensor:
    """`term_target` of strings of any shape."""
    import tensorflow as tf

    return tf.strings.regex_replace(spans, _SPAN.pattern, r"\2")


@lru_cache(maxsize=1)
def token() -> str:
    """A token, for `re` and RE2 alike; no byte that is not UTF-8 is part of one."""
    word, invisible = word_characters(), f"[{CONTROLS}{DEFAULT_IGNORABLE}]*"
    number = "[0-9]+(?:[.,:/'’][0-9]+)*"
    other = f"(?:{SPACE}+|[\\x00-\ud7ff\ue000-\U0010ffff]){invisible}"
    return f"{END}|[{word}]*{number}[{word}]*|[{word}]+|{other}"


def token_key(token: str, *, ignore_case: bool) -> str:
    """What a token is compared by."""
    key = re.sub(f"{SPACE}+", " ", visible(re.sub(_LINE_END, END, token)))
    return key.translate(without_case()) if ignore_case else key


def marked_tokens_in_graph(texts: tf.Tensor) -> tf.Tensor:
    """Texts string [rows] as one string [], with BEHIND behind each token, END behind each row."""
    import tensorflow as tf

    joined = tf.strings.reduce_join(tf.strings.regex_replace(texts, OURS.pattern, " ") + END)
    return tf.strings.regex_replace(joined, token(), rf"\0{BEHIND}")


def token_keys_in_graph(marked: tf.Tensor, *, ignore_case: bool) -> tf.Tensor:
    """`token_key` of all tokens in string []; they stay as many as they are."""
    import tensorflow as tf

    keys = visible_in_graph(tf.strings.regex_replace(marked, _LINE_END, END))
    keys = tf.strings.regex_replace(keys, f"{SPACE}+", " ")
    if not ignore_case:
        return keys
    letters, folded = (np.array(each, np.int32) for each in zip(*sorted(without_case().items()), strict=True))
    codes = tf.strings.unicode_decode(keys, "UTF-8")
    place = tf.minimum(tf.searchsorted(letters, codes), len(letters) - 1)
    codes = tf.where(tf.gather(letters, place) == codes, tf.gather(folded, place), codes)
    return tf.strings.unicode_encode(codes, "UTF-8")


def fingerprint_in_graph(texts: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.strings.to_hash_bucket_fast(texts, _FINGERPRINTS)


class TermTable(NamedTuple):
    """Terms for a graph, in the order of their fingerprints, as tensors or arrays; at least one."""

    keys: Any  # string [terms]: the keys of their tokens, behind the name of the glossary that has them
    fingerprints: Any  # int64 [terms], of the keys
    targets: Any  # string [terms]
    most: Any  # int32 []: no term has more tokens
    ignore_case: bool

    def find(self, texts: tf.Tensor) -> tf.Tensor:
        """Which term each of string [n] is: int32 [n], -1 = none."""
        import tensorflow as tf

        place = tf.searchsorted(self.fingerprints, fingerprint_in_graph(texts))
        place = tf.minimum(place, tf.size(self.keys) - 1)
        return tf.where(tf.gather(self.keys, place) == texts, place, -1)


def mark_terms_in_graph(texts: tf.Tensor, names: tf.Tensor, table: TermTable, mark: str) -> tf.Tensor:
    """Texts string [rows] with `mark` around each term, which is a span as of `term_span`.

    Args: names: string [rows], of the glossary whose terms count.
    """
    import tensorflow as tf

    marked = marked_tokens_in_graph(texts)
    keys = token_keys_in_graph(marked, ignore_case=table.ignore_case)
    tokens, keys = (tf.strings.split(each, BEHIND)[:-1] for each in (marked, keys))
    is_end = tf.cast(tf.strings.regex_replace(tokens, END, "") != tokens, tf.int32)  # bytes before it may be no UTF-8
    widths, terms = _longest_terms(keys, tf.gather(names, tf.cumsum(is_end, exclusive=True)), table)
    starts = (widths > 0) & _visited(tf.maximum(widths, 1))
    count = tf.size(tokens)
    last = tf.where(starts, tf.range(count) + widths - 1, count)  # a start's last token
    term_that_ends = tf.math.unsorted_segment_max(terms, last, count + 1)[:-1]
    targets = tf.gather(table.targets, tf.maximum(term_that_ends, 0))
    before = tf.where(starts, mark + TERM, "")
    behind = tf.where(term_that_ends >= 0, TERM + targets + mark, "")
    return tf.strings.split(tf.strings.reduce_join(before + tokens + behind), END)[:-1]


def _longest_terms(keys: tf.Tensor, names: tf.Tensor, table: TermTable) -> tuple[tf.Tensor, tf.Tensor]:
    """Of tokens and the names of their glossaries, string [tokens]: how many tokens the longest term has that starts
    there (0 = none), and which term that is (-1 = none), int32 [tokens] each."""
    import tensorflow as tf

    count = tf.size(keys)
    following = tf.concat([keys, tf.fill([table.most], END)], axis=0)
    none = tf.zeros_like(keys, tf.int32)

    def condition(width, texts, widths, terms):
        return width <= table.most

    def body(width, texts, widths, terms):
        """`texts` string [tokens]: the `width` tokens from each on."""
        found = table.find(texts)
        is_term = (found >= 0) & (keys != "")  # it starts with none that is invisible
        widths, terms = tf.where(is_term, width, widths), tf.where(is_term, found, terms)
        return width + 1, texts + following[width : width + count], widths, terms

    start = (1, names + keys, none, none - 1)
    return tf.while_loop(condition, body, start, parallel_iterations=1)[2:]


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
