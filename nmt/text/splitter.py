"""Long lines -> chunks of pieces, by one rule, in Python and as a TensorFlow graph for the SavedModel.

Imports no TensorFlow by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nmt.text.tokenizer import PAD, UNSPACED, Tokenizer

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

        dense = ids.to_tensor(default_value=PAD)  # [batch, width]
        quality = self._cut_quality_in_graph(dense)
        lengths = tf.cast(ids.row_lengths(), tf.int32)  # [batch]
        window = tf.range(self.limit)

        def condition(start, sizes):
            return tf.reduce_any(start < lengths)

        def body(start, sizes):
            remaining = lengths - start
            positions = tf.minimum(start[:, tf.newaxis] + window, tf.shape(dense)[1] - 1)  # [batch, limit]
            parts = -(-remaining // self.limit)
            fair = window < -(-remaining // tf.maximum(parts, 1))[:, tf.newaxis]  # [batch, limit]
            found = tf.gather(quality, positions, batch_dims=1)
            kind = tf.where(found == 2, 3, tf.where(fair, 2 * found, found - 1))
            rank = kind * self.limit + window
            cut = tf.argmax(rank, axis=1, output_type=tf.int32) + 1
            size = tf.where(remaining > self.limit, cut, tf.maximum(remaining, 0))
            return start + size, tf.concat([sizes, size[:, tf.newaxis]], axis=1)

        _, by_line = tf.while_loop(
            condition,
            body,
            (tf.zeros_like(lengths), tf.zeros([tf.shape(lengths)[0], 0], tf.int32)),
            shape_invariants=(lengths.shape, tf.TensorShape([None, None])),
        )  # [batch, chunks]
        real = by_line > 0
        sizes = tf.cast(tf.boolean_mask(by_line, real), tf.int64)
        chunks = tf.RaggedTensor.from_row_lengths(ids.flat_values, sizes, validate=False)
        counts = tf.math.count_nonzero(real, axis=1)
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

    def _cut_quality_in_graph(self, dense: tf.Tensor) -> tf.Tensor:
        """`_cut_quality` of ids int32 [batch, width]."""
        import tensorflow as tf

        def of_next(of_piece):
            return tf.pad(tf.gather(of_piece, dense)[:, 1:], [[0, 0], [0, 1]])[:, : tf.shape(dense)[1]]

        next_starts, next_unspaced = of_next(self.starts_word), of_next(self.starts_unspaced)
        ends = tf.gather(self.ends_sentence, dense) & (next_starts | next_unspaced)
        words = next_starts | (tf.gather(self.ends_clause, dense) & next_unspaced)
        return tf.where(tf.gather(self.full_stop, dense) | ends, 2, tf.cast(words, tf.int32))
