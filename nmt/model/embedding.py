"""Token vectors."""

from __future__ import annotations

import keras
import tensorflow as tf


class Embedding(keras.layers.Layer):
    """A vector for each token.

    Args:
        vocabulary: number of tokens.
        size: of a vector.
        spread: new vectors are drawn evenly from +- this.
        transposed: store the matrix as [size, vocab] instead of [vocab, size]. Looking tokens up is slower then, and a
            product with the matrix, as an output layer that is tied to it makes, much faster (decoder.OutputLayer).

    Call with tokens int32 [rows, time]. Returns float [rows, time, size], of the weights' dtype.
    """

    def __init__(self, vocabulary: int, size: int, *, spread: float, transposed: bool = False, **options):
        super().__init__(autocast=False, **options)
        self.vocabulary = vocabulary
        self.size = size
        self.transposed = transposed
        self.initializer = keras.initializers.RandomUniform(-spread, spread)

    def build(self, tokens_shape=None):
        shape = (self.size, self.vocabulary) if self.transposed else (self.vocabulary, self.size)
        self.embeddings = self.add_weight(shape, initializer=self.initializer, name="embeddings", autocast=False)

    def call(self, tokens):
        # A tensor, as to gather from a variable makes each later reading of it a copy.
        matrix = tf.convert_to_tensor(self.embeddings.value)
        if self.transposed:
            columns = tf.gather(matrix, tf.reshape(tokens, [-1]), axis=1)  # [size, rows * time]
            return tf.reshape(tf.transpose(columns), [*tf.unstack(tf.shape(tokens)), self.size])
        return tf.gather(matrix, tokens)  # [rows, time, size]
