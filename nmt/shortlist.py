"""The lexical shortlist: the few target pieces that a source can be translated with (L'Hostis et al. 2016).

The output layer is most of what a step of a search costs, and of its thousands of pieces a sentence needs some dozens.
A search over a shortlist works on columns, the places of pieces in it, and knows nothing of this.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from nmt.search_rules import IMPOSSIBLE
from nmt.tokenizer import BOS, FIRST_SYMBOL


class Shortlist(NamedTuple):
    """What a batch may write. The columns are those of all rows together, but each row has its own pieces only: so its
    translation does not depend on its batch mates.
    """

    ids: tf.Tensor  # int32 [columns], ascending: PAD, UNK, BOS, EOS and the symbols keep their numbers
    bias: tf.Tensor  # float32 [batch, columns], 0 or -inf

    def columns(self, ids: tf.Tensor) -> tf.Tensor:
        """Where `ids` int32 [...], all of them in the list, stand in it."""
        return tf.reshape(tf.searchsorted(self.ids, tf.reshape(ids, [-1])), tf.shape(ids))


def make_shortlist(
    source: tf.Tensor, lexicon: tf.Tensor, *, size: int, vocabulary: int, num_symbols: int, prefix: tf.Tensor | None
) -> Shortlist:
    """Lists the `size` likeliest translations of each source piece, the most frequent pieces, and what must be there.

    Args:
        source: int32 [batch, source_time], padded with PAD.
        lexicon: int32 [source vocabulary, lexicon.LISTED].
        vocabulary: number of target pieces.
        num_symbols: so many ids from FIRST_SYMBOL on, and the joiner after them, are always there.
        prefix: int32 [batch, prefix_time] or None: pieces that will be written in any case.
    """
    batch = tf.shape(source)[0]
    likely = tf.reshape(tf.gather(lexicon[:, :size], source), [batch, tf.shape(source)[1] * size])
    always = tf.concat([tf.range(min(vocabulary, FIRST_SYMBOL + num_symbols + 1)), lexicon[BOS]], axis=0)
    ids = tf.concat([likely, tf.repeat(always[tf.newaxis], batch, axis=0)], axis=1)
    if prefix is not None:
        ids = tf.concat([ids, prefix], axis=1)  # [batch, listed]
    rows = tf.broadcast_to(tf.range(batch)[:, tf.newaxis], tf.shape(ids))
    listed = tf.tensor_scatter_nd_update(
        tf.fill([batch, vocabulary], IMPOSSIBLE), tf.stack([rows, ids], axis=-1), tf.zeros_like(ids, tf.float32)
    )
    # For an empty batch too there are the columns that rules speak of.
    needed = tf.reduce_any(listed == 0.0, axis=0) | (tf.range(vocabulary) < FIRST_SYMBOL + num_symbols)
    columns = tf.cast(tf.where(needed)[:, 0], tf.int32)
    return Shortlist(columns, tf.gather(listed, columns, axis=1))


def forbid_unlisted(logits: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Takes each row's choice down to its own pieces.

    Args: logits float32 [models, rows, columns], rows = batch x beam; bias float32 [batch, columns], see Shortlist.
    """
    shape = tf.shape(logits)
    batch = tf.shape(bias)[0]
    by_row = tf.reshape(logits, [shape[0], batch, shape[1] // tf.maximum(batch, 1), shape[2]])
    return tf.reshape(by_row + bias[:, tf.newaxis], shape)
