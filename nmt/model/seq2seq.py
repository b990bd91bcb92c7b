"""The model: encoder and decoder as one `keras.Model`.

The shape words of this package, in every `# [...]` comment:
    batch         sentence pairs; rows where a beam may be folded in (batch x beam)
    time          positions of the target; source_time those of the source
    units         the LSTM's hidden state and cell; size any other last dimension
    vocab         the tokens the output layer chooses from
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.config.settings import Config
from nmt.data.batches import Batch
from nmt.layers.attention import Memory
from nmt.layers.products import accumulator
from nmt.model.decoder import Decoder, DecoderState
from nmt.model.embedding import Embedding
from nmt.model.encoder import Encoder
from nmt.model.losses import summed_loss
from nmt.model.precomputed import Precomputed
from nmt.text.tokenizer import PAD

# While training, bfloat16 weights are kept in float32 beside: small updates would be lost in rounding.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class Seq2Seq(keras.Model):
    """Encoder-decoder with attention.

    Args:
        translating: store matrices in the layouts in which a model that only translates is fastest.
        shortlist: to translate, the output layer is asked for some of the tokens at a time, so that each is one row.

    Call with source int32 [batch, source_time] and target_in int32 [batch, time], padded with PAD.
    Returns logits float32 [batch, time, vocab] for the token after each of target_in's.
    """

    def __init__(
        self,
        config: ModelConfig,
        source_vocabulary: int,
        target_vocabulary: int,
        *,
        translating: bool = False,
        shortlist: bool = False,
        **options,
    ):
        super().__init__(autocast=False, **options)
        transposed_output = translating and self.compute_dtype != "bfloat16" and not shortlist
        shape = {"size": config.embedding_size, "spread": config.embedding_range, "dtype": self.variable_dtype}
        tied = config.tied_embeddings
        source_embedding = Embedding(
            source_vocabulary, transposed=transposed_output and tied == "all", name="source_embedding", **shape
        )
        if tied == "all":
            target_embedding = source_embedding
        else:
            target_embedding = Embedding(
                target_vocabulary, transposed=transposed_output and tied == "target", name="target_embedding", **shape
            )
        policy = self.dtype_policy
        self.encoder = Encoder(config, source_embedding, translating=translating, dtype=policy, name="encoder")
        self.decoder = Decoder(
            config,
            target_vocabulary,
            target_embedding,
            translating=translating,
            transposed_output=transposed_output,
            dtype=policy,
            name="decoder",
        )
        self.decoder.build(config.units)

    def build(self, source_shape=None, target_in_shape=None):
        """Creates the weights, none of which depends on shapes: to call the model for that takes thrice as long."""
        self.encoder.build()
        if not self.decoder.embedding.built:
            with keras.name_scope(self.decoder.name, override_parent=""):  # the path that runs know it by
                self.decoder.embedding.build()

    def converted_weights(self, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A trained model's weights by their paths, in the layouts in which this model stores them.

        Each layer that stores weights in another layout than the training layer replaces those of them that are its own
        (`convert_weights`).
        """
        converted = dict(weights)
        for layer in self._flatten_layers():
            if hasattr(layer, "convert_weights"):
                layer.convert_weights(converted)
        return converted

    @property
    def precomputed(self) -> list[Precomputed]:
        """What a graph reads beside the weights, and makes of them when they are loaded."""
        return [self.decoder.token_gates] if self.decoder.token_gates else []

    def encode(self, source, training=False) -> tuple[Memory, DecoderState]:
        """What decoding starts from."""
        return self.decoder.start(*self.encoder(source, training=training))

    def call(self, source, target_in, training=False):
        memory, state = self.encode(source, training)
        logits, _, _ = self.decoder(target_in, state, memory, training=training)
        return tf.cast(logits, accumulator(logits.dtype))

    def training_loss(self, batch: Batch, *, smoothing: float, consistency: float = 0.0):
        """losses.summed_loss over a batch's target tokens, with dropout: float32 scalar.

        Where consistency is asked for, every pair goes through the network twice, and the loss is half the sum.
        """
        passes = 2 if consistency else 1
        source, target_in = (tf.tile(ids, [passes, 1]) for ids in (batch.source, batch.target_in))
        memory, state = self.encode(source, training=True)
        readouts, _, _ = self.decoder.read(target_in, state, memory, training=True)
        flat = tf.reshape(batch.target_out, [-1])  # [batch * time]
        real = tf.where(flat != PAD)[:, 0]  # [tokens]
        readouts = tf.reshape(readouts, [passes, -1, readouts.shape[-1]])  # [passes, batch * time, size]
        kernel, bias = self.decoder.output_weights
        loss = summed_loss(
            tf.gather(readouts, real, axis=1),
            kernel,
            bias,
            tf.gather(flat, real),
            smoothing=smoothing,
            consistency=consistency,
            dtype=tf.as_dtype(self.compute_dtype),
        )
        return loss / passes


def build_model(
    config: Config,
    *,
    source_vocabulary: int,
    target_vocabulary: int,
    precision: str = "float32",
    trainable: bool = True,
    shortlist: bool = False,
) -> Seq2Seq:
    """A model with its weights, initialized as config.seed says.

    Args:
        precision: "float32" or "bfloat16", of the matrix products; states and softmax are float32 in any case.
        trainable: keep the weights in float32 too; else they have the precision and the layout of the
            products, none of which has to cast or transpose them then.
        shortlist: where it is not trainable, choose the layout for translating with one.
    """
    keras.utils.set_random_seed(config.seed)
    policy = keras.DTypePolicy(POLICIES[precision] if trainable else precision)
    layout = {"translating": not trainable, "shortlist": shortlist}
    model = Seq2Seq(config.model, source_vocabulary, target_vocabulary, **layout, dtype=policy, name="model")
    model.build()
    return model
