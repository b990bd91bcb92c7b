"""The encoder: source tokens -> one vector a token, and the state after the last."""

from __future__ import annotations

import keras
import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.layers.lstm_kernel import LSTMState
from nmt.layers.stacked_lstm import StackedLSTM
from nmt.model.embedding import Embedding
from nmt.model.inference_layers import TransposedStackedLSTM
from nmt.text.tokenizer import PAD


class Encoder(keras.layers.Layer):
    """Embeddings, then the recurrent stack.

    Args:
        config: the model's settings.
        translating: store the LSTMs' kernels as their transposes, with which translating is faster.

    Call with source int32 [batch, source_time] padded with PAD.
    Returns outputs float32 [batch, source_time, units], with the embeddings behind them where config.lexical says so
    [.., units + embedding_size]; mask bool [batch, source_time] (True = real); and the last layer's final LSTMState.
    """

    def __init__(self, config: ModelConfig, embedding: Embedding, *, translating: bool = False, **options):
        super().__init__(autocast=False, **options)
        self.embedding = embedding
        self.lexical = config.lexical
        self.dropout = keras.layers.Dropout(config.dropout.embedding, autocast=False)
        stack = TransposedStackedLSTM if translating else StackedLSTM
        self.stack = stack(
            config.units,
            config.encoder.bidirectional_layers + config.encoder.layers,
            bidirectional_layers=config.encoder.bidirectional_layers,
            dropout=config.dropout.layers,
            layer_normalization=config.layer_normalization,
            recurrent_dropout=config.dropout.recurrent,
            dtype=self.dtype_policy,
            name="stack",
        )

    def build(self, source_shape=None):
        self.embedding.build(source_shape)
        self.stack.build((None, None, self.embedding.size))

    def call(self, source, training=False):
        mask = tf.not_equal(source, PAD)
        embedded = self.dropout(self.embedding(source), training=training)  # [batch, source_time, embedding_size]
        outputs, states = self.stack.scan(embedded, mask=mask, training=training)
        if self.lexical:
            outputs = tf.concat([outputs, tf.cast(embedded, outputs.dtype)], axis=-1)
        final = states[-1]  # hidden, cell; of a bidirectional layer once for each direction
        return outputs, mask, LSTMState(tf.concat(final[::2], axis=-1), tf.concat(final[1::2], axis=-1))
