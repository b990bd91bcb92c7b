"""Long lines -> chunks of pieces, by one rule, in Python and as a TensorFlow graph for the SavedModel.

Imports no TensorFlow by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nmt.text.ragged import rows_of
from nmt.text.tokenizer import UNSPACED, Tokenizer

if TYPE_CHECKING:
    import tensorflow as tf

SENTENCE_END = re.compile(r"[.!?…؟।]['\"’”»)\]]*$")  # ends a sentence where a new word follows
CLAUSE_END = re.compile(r"[、，,;；]['\"’”»)\]」』]*$")  # ends a clause of a text without spaces
FULL_STOP = re.compile(r"[。！？]['\"’”»)\]」』]*$")  # ends one in any case
WORD_START = "▁"


class Splitter:
    """Cuts long lines into chunks of at most `limit` pieces: after the last sentence that ends there, else after a
    word, into parts of about the same length, as a scrap that is left over would be translated out of all context.
    """

    def __init__(self, tokenizer: Tokenizer, limit: int):
        self.limit = limit
        pieces = tokenizer.pieces(range(tokenizer.vocabulary_size))
        self.starts_word = np.array([piece.startswith(WORD_START) for piece in pieces])
        self.starts_unspaced = np.array([bool(UNSPACED.match(piece)) for piece in pieces])
        self.ends_sentence = np.array([bool(SENTENCE_END.search(piece)) for piece in pieces])
        self.ends_clause = np.array([bool(CLAUSE_END.search(piece)) for piece in pieces])
        self.full_stop = np.array([bool(FULL_STOP.search(piece)) for piece in pieces])

    def split(self, ids: Sequence[int]) -> list[list[int]]:
        """Chunks of a line's ids; no pieces, no chunks."""
        quality, window = self._cut_quality(np.asarray(ids, np.int32)), np.arange(self.limit)
        chunks, rest = [], list(ids)
        while len(rest) > self.limit:
            found = quality[len(ids) - len(rest) :][: self.limit]  # [limit]
            parts = -(-len(rest) // self.limit)
            fair = window < -(-len(rest) // parts)
            # Sentences first, fair words, other words, then any fair place; of each the last one.
            kind = np.where(found == 2, 3, np.where(fair, 2 * found, found - 1))
            cut = int(np.argmax(kind * self.limit + window)) + 1
            chunks.append(rest[:cut])
            rest = rest[cut:]
        return [*chunks, rest] if rest else chunks

    def split_in_graph(self, ids: tf.RaggedTensor) -> tf.RaggedTensor:
        """`split` of each line: ids int32 [batch, (pieces)] -> [batch, (chunks), (pieces)]."""
        import tensorflow as tf  # here, as Python's side needs none

        pieces, line = ids.flat_values, rows_of(ids)
        last = tf.concat([line[1:] != line[:-1], tf.ones_like(line[:1], tf.bool)], axis=0)  # of its line
        quality = self._cut_quality_in_graph(pieces, last)
        window = tf.range(self.limit, dtype=tf.int64)
        ends = ids.row_limits()  # [batch], as all positions among the pieces of all lines

        def condition(start, end, begins):
            return tf.size(start) > 0

        def body(start, end, begins):
            """Cuts one chunk off each line whose rest is longer than the limit."""
            long = end - start > self.limit
            start, end = start[long], end[long]  # [long lines]
            remaining = end - start
            parts = -(-remaining // self.limit)
            fair = window < -(-remaining // parts)[:, tf.newaxis]  # [long lines, limit]
            found = tf.gather(quality, start[:, tf.newaxis] + window)
            kind = tf.where(found == 2, tf.ones_like(found) * 3, tf.where(fair, 2 * found, found - 1))
            start += tf.argmax(kind * self.limit + window, axis=1) + 1
            return start, end, tf.concat([begins, start], axis=0)

        *_, begins = tf.while_loop(
            condition, body, (ids.row_starts(), ends, ends[:0]), shape_invariants=(tf.TensorShape([None]),) * 3
        )
        cuts = tf.scatter_nd(begins[:, tf.newaxis], tf.ones_like(begins), tf.shape(pieces, tf.int64))
        first = (cuts > 0) | tf.concat([tf.ones_like(last[:1]), last[:-1]], axis=0)  # of its chunk
        chunks = tf.RaggedTensor.from_row_starts(pieces, tf.where(first)[:, 0], validate=False)
        counts = tf.math.unsorted_segment_sum(tf.cast(first, tf.int64), line, ids.nrows())
        return tf.RaggedTensor.from_row_lengths(chunks, counts, validate=False)

    def _cut_quality(self, ids: np.ndarray) -> np.ndarray:
        """How good a cut after each piece is: 2 = a sentence ends, 1 = a word does, 0 = neither; int [pieces].

        Where there are no spaces the end of a clause counts as that of a word.
        """

        def of_next(of_piece: np.ndarray) -> np.ndarray:
            return np.append(of_piece[ids], False)[1:]

        next_starts, next_unspaced = of_next(self.starts_word), of_next(self.starts_unspaced)
        ends = self.ends_sentence[ids] & (next_starts | next_unspaced)
        words = next_starts | (self.ends_clause[ids] & next_unspaced)
        return np.where(self.full_stop[ids] | ends, 2, words)

    def _cut_quality_in_graph(self, ids: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        """`_cut_quality` int64 [pieces] of the ids of all lines, int32 [pieces]; last: of its line, bool [pieces]."""
        import tensorflow as tf

        def of_next(of_piece):
            following = tf.gather(of_piece, ids[1:])
            return tf.concat([following, tf.zeros_like(last[:1])], axis=0) & ~last

        next_starts, next_unspaced = of_next(self.starts_word), of_next(self.starts_unspaced)
        ends = tf.gather(self.ends_sentence, ids) & (next_starts | next_unspaced)
        words = next_starts | (tf.gather(self.ends_clause, ids) & next_unspaced)
        return tf.where(tf.gather(self.full_stop, ids) | ends, tf.constant(2, tf.int64), tf.cast(words, tf.int64))
