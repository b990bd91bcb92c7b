"""The lexical shortlist: the few target pieces that a source can be translated with (L'Hostis et al. 2016).

The output layer is most of the cost of a search step, and a sentence needs some dozens of its thousands of pieces.
A search over a shortlist works on columns, the positions of pieces in it, without knowing of it.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from nmt.model.maxima import BLOCK
from nmt.search.definitions import IMPOSSIBLE
from nmt.text.tokenizer import BOS, FIRST_SYMBOL


class Shortlist(NamedTuple):
    """What a batch may write. The columns are those of all rows together, but each row has its own pieces only: so its
    translation does not depend on its batch mates.
    """

    # int32 [columns], ascending: PAD, UNK, BOS, EOS and the symbols keep their numbers. The last one comes as often as
    # makes whole blocks of the columns, which a search would have to copy all scores for.
    ids: tf.Tensor
    choices: tf.Tensor  # float32 [batch, columns], 0 or -inf, added to logits: each row's own pieces

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
    batch, source_time = tf.unstack(tf.shape(source))
    reserved = tf.range(min(vocabulary, FIRST_SYMBOL + num_symbols + 1))
    always = _marked(tf.concat([reserved, lexicon[BOS]], axis=0)[tf.newaxis], vocabulary)  # [1, vocabulary]
    ids = tf.reshape(tf.gather(lexicon[:, :size], source), [batch, source_time * size])
    if prefix is not None:
        ids = tf.concat([ids, prefix], axis=1)  # [batch, listed]
    listed = _marked(ids, vocabulary) | always  # [batch, vocabulary]
    columns = tf.cast(tf.where(tf.reduce_any(listed, axis=0) | always[0])[:, 0], tf.int32)
    choices = tf.where(tf.gather(listed, columns, axis=1), 0.0, IMPOSSIBLE)
    more = -tf.size(columns) % BLOCK
    return Shortlist(
        tf.concat([columns, tf.fill([more], columns[-1])], axis=0),
        tf.pad(choices, [[0, 0], [0, more]], constant_values=IMPOSSIBLE),
    )


def _marked(ids: tf.Tensor, vocabulary: int) -> tf.Tensor:
    """Which pieces are among `ids` int32 [rows, listed]: bool [rows, vocabulary]."""
    rows, listed = tf.unstack(tf.shape(ids))
    row = tf.repeat(tf.range(rows)[:, tf.newaxis], listed, axis=1)
    none = tf.fill([rows, vocabulary], False)
    return tf.tensor_scatter_nd_update(none, tf.stack([row, ids], axis=-1), tf.fill([rows, listed], True))
