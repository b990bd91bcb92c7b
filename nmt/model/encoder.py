"""The encoder: source tokens -> one vector a token, and the state after the last."""

from __future__ import annotations

import keras
import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.layers.lstm import StackedLSTM
from nmt.model.embedding import Embedding
from nmt.text.tokenizer import PAD


class Encoder(keras.layers.Layer):
    """Embeddings, then the recurrent stack.

    Args:
        config: the model's settings.
        turned: as for LSTM.

    Call with source int32 [batch, source_time] padded with PAD.
    Returns outputs float32 [batch, source_time, units], with the embeddings behind them where config.lexical says so
    [.., units + embedding_size]; mask bool [batch, source_time] (True = real); and the last layer's final LSTMState.
    """

    def __init__(self, config: ModelConfig, embedding: Embedding, *, turned: bool = False, **options):
        super().__init__(autocast=False, **options)
        self.embedding = embedding
        self.lexical = config.lexical
        self.dropout = keras.layers.Dropout(config.dropout.embedding, autocast=False)
        self.stack = StackedLSTM(
            config.units,
            bidirectional_layers=config.encoder.bidirectional_layers,
            layers=config.encoder.layers,
            dropout=config.dropout.layers,
            layer_normalization=config.layer_normalization,
            recurrent_dropout=config.dropout.recurrent,
            turned=turned,
            dtype=self.dtype_policy,
            name="stack",
        )

    def build(self, source_shape=None):
        self.embedding.build(source_shape)
        self.stack.build((None, None, self.embedding.size))

    def call(self, source, training=False):
        mask = tf.not_equal(source, PAD)
        embedded = self.dropout(self.embedding(source), training=training)  # [batch, source_time, embedding_size]
        outputs, states = self.stack(embedded, mask=mask, training=training)
        if self.lexical:
            outputs = tf.concat([outputs, tf.cast(embedded, outputs.dtype)], axis=-1)
        return outputs, mask, states[-1]
