"""The decoder: writes the target, reading the source through attention.

The first layer's output asks the attention; its answer, the context, goes to the layers above and to the output (the
shape of GNMT, Wu et al. 2016, with the context of the same step instead of the last one's). So nothing at time t needs
the attention of t-1, and one function serves whole sequences (training) and single steps (search).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.layers.attention import Attention, Memory
from nmt.layers.lstm import LSTM
from nmt.layers.lstm_kernel import LSTMState
from nmt.layers.products import rounded_product
from nmt.model.beams import group_rows, ungroup_rows
from nmt.model.decoder_stack import DecoderStack
from nmt.model.embedding import Embedding
from nmt.model.inference_layers import FusedLSTM, TransposedAttention, TransposedLSTM
from nmt.model.linear import Linear, concatenate, transpose_weights, with_bias, with_ones
from nmt.model.precomputed import Precomputed

TOKEN_GATES_BYTES = 2**27  # that are kept at most: see Decoder


class DecoderState(NamedTuple):
    """What each step changes: the only thing search reorders."""

    layers: tuple[LSTMState, ...]
    feed: tf.Tensor  # the last attentional vector, float32 [rows, size]; size 0 without input feeding


class OutputLayer(NamedTuple):
    """Turns attentional vectors into logits; all of it, and these, of the products' dtype.

    Passes over [rows, vocab] wait for memory, and half as much of it is read and written in half as much time.

    A product of the few rows of one sentence in float32 takes half as long again with a matrix of a row for each token,
    as embeddings are, and transposing that takes as long as some steps: so a decoder that only translates stores it
    transposed. Only rows can be taken out of it fast, for a shortlist, and in bfloat16 they are as good.
    """

    kernel: tf.Tensor  # [vocab, size], or [size, vocab] of a decoder with a transposed output
    # [1, vocab], or one for each row of the memory (and the beam's rows of it); None: the kernel is one with_bias.
    bias: tf.Tensor | None


class Decoder(keras.layers.Layer):
    """Embeddings, first layer, attention, upper layers, attentional vector, output.

    Args:
        config: the model's settings.
        vocabulary: number of target tokens.
        embedding: of the target; with tied embeddings its matrix is the output's too (Press & Wolf 2017).
        translating: store the matrices of a step as inference_layers has them.
        transposed_output: the output layer's matrix, the embedding's where they are tied, is [size, vocab].

    What a token's embedding adds to the first layer's gates is the same wherever it is written. So a decoder that
    translates in float32, unless it is layer-normalized or its vocabulary too large, keeps it of each token:
    `token_gates` [vocab, 4 * units]. Looking them up is faster than that third of the layer's product. (bfloat16's
    products are so fast that for many rows it is slower.)

    `start(outputs, mask, final_state)` turns what the encoder returns into a Memory and the first DecoderState; then
    call with tokens int32 [rows, time], that state and that memory, each row of which `beam` rows of tokens read.
    Returns logits [rows, time, vocab], of the products' dtype, the next DecoderState, and attention weights float32
    [rows, time, source_time].
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: int,
        embedding: Embedding,
        *,
        translating: bool = False,
        transposed_output: bool = False,
        **options,
    ):
        super().__init__(autocast=False, **options)
        self.tied = config.tied_embeddings != "none"
        self.translating = translating
        self.transposed_output = transposed_output
        self.input_feeding = config.decoder.input_feeding
        self.embedding = embedding
        policy = self.dtype_policy
        self.fused = translating and not config.layer_normalization
        self.token_gates = None
        shape = (vocabulary, 4 * config.units)
        fits = math.prod(shape) * tf.as_dtype(self.compute_dtype).size <= TOKEN_GATES_BYTES
        if self.fused and self.compute_dtype != "bfloat16" and fits:
            self.token_gates = Precomputed(self._gates_of_tokens, shape, self.compute_dtype)
        self.first = self._lstm(config, "first")
        upper = [self._lstm(config, f"layer_{place}") for place in range(config.decoder.layers - 1)]
        self.upper = DecoderStack(upper, dropout=config.dropout.layers, dtype=policy, name="upper")
        score, heads = config.attention.score, config.attention.heads
        # q U . W v = q . (W U') v: to translate, the general score's one kernel does what a scaled one's two do.
        self.merges_kernels = translating and score == "scaled" and heads == 1
        score = "general" if self.merges_kernels else score
        attention = TransposedAttention if translating else Attention
        self.attention = attention(config.units, score=score, heads=heads, dtype=policy, name="attention")
        linear = {"transposed": translating, "dtype": policy}
        self.bridge = Linear(2 * config.units * config.decoder.layers, name="bridge", **linear)
        self.readout = Linear(config.embedding_size if self.tied else config.units, name="readout", **linear)
        self.lexical = None
        if config.lexical:
            self.lexical = Linear(self.readout.units, use_bias=False, name="lexical", **linear)
        self.embedding_dropout = keras.layers.Dropout(config.dropout.embedding, autocast=False)
        self.layer_dropout = keras.layers.Dropout(config.dropout.layers, autocast=False)
        self.output_dropout = keras.layers.Dropout(config.dropout.output, autocast=False)
        self.vocabulary = vocabulary

    def _lstm(self, config: ModelConfig, name: str) -> LSTM | FusedLSTM:
        if self.fused:
            return FusedLSTM(config.units, dtype=self.dtype_policy, name=name)
        layer = TransposedLSTM if self.translating else LSTM
        return layer(
            config.units,
            layer_normalization=config.layer_normalization,
            recurrent_dropout=config.dropout.recurrent,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, encoder_size: int):
        """`encoder_size`: of the encoder's state; with a lexical path its outputs have the embeddings behind that."""
        units, readout_size = self.first.units, self.readout.units
        feed_size = readout_size if self.input_feeding else 0
        entering_size = self.embedding.size + feed_size
        if self.token_gates:
            shape = (4 * units, self.embedding.size)
            self.token_kernel = self.add_weight(shape, name="token_kernel", autocast=False)
            entering_size = feed_size
        self.first.build((None, None, entering_size))
        values_size = encoder_size + (self.embedding.size if self.lexical else 0)
        self.attention.build((None, None, units), (None, None, values_size))
        context_size = self.attention.context_size(values_size)
        self.upper.build((None, None, units), (None, None, context_size))
        self.bridge.build((None, 2 * encoder_size))
        self.readout.build((None, None, units + context_size))
        if self.lexical:
            self.lexical.build((None, None, self.embedding.size))
        if not self.tied:
            shape = (readout_size, self.vocabulary) if self.transposed_output else (self.vocabulary, readout_size)
            self.output_kernel = self.add_weight(shape, name="output_kernel", autocast=False)
        self.output_bias = self.add_weight((self.vocabulary,), initializer="zeros", name="output_bias", autocast=False)
        self.built = True

    def start(self, outputs, mask, final_state: LSTMState) -> tuple[Memory, DecoderState]:
        """The memory of a source, and the state before the first token, made from the encoder's last state."""
        bridged = self.bridge(tf.concat(final_state, axis=-1))
        parts = tf.split(bridged, 2 * (1 + len(self.upper.layers)), axis=-1)
        layers = tuple(
            LSTMState(tf.cast(tf.tanh(hidden), self.compute_dtype if self.fused else hidden.dtype), cell)
            for hidden, cell in zip(parts[::2], parts[1::2], strict=True)
        )
        feed_size = self.readout.units if self.input_feeding else 0
        return self.attention.memorize(outputs, mask), DecoderState(layers, tf.zeros([tf.shape(mask)[0], feed_size]))

    def call(self, tokens, state, memory, output=None, beam=1, training=False):
        """`output`: what `output_layer` returns; a caller that goes step by step makes it once."""
        readouts, state, weights = self.read(tokens, state, memory, beam=beam, training=training)
        kernel, bias = output or self.output_layer()
        dtype = tf.as_dtype(self.compute_dtype)
        entering = with_ones(readouts, dtype) if bias is None else readouts
        logits = rounded_product(entering, kernel, dtype, transpose_b=not self.transposed_output)
        if bias is not None:
            logits = ungroup_rows(group_rows(logits, beam) + bias[:, tf.newaxis], beam)
        return logits, state, weights

    def output_layer(self, ids=None, choices=None) -> OutputLayer:
        """The output layer, of the products' dtype.

        Args:
            ids: int32 [columns], the only tokens there are to be logits of; None = all.
            choices: float32 [batch, columns], with ids: 0 or -inf, which of them each row may choose.
        """
        # Tensors, as to gather from a variable makes each later reading of it a copy.
        kernel, bias = (tf.convert_to_tensor(weight.value) for weight in self.output_weights)
        if ids is not None:
            kernel, bias = tf.gather(kernel, ids, axis=int(self.transposed_output)), tf.gather(bias, ids)
        if self.translating and not self.transposed_output and choices is None:
            return OutputLayer(with_bias(kernel, bias, self.compute_dtype), None)
        kernel, bias = tf.cast(kernel, self.compute_dtype), tf.cast(bias, self.compute_dtype)
        return OutputLayer(kernel, bias[tf.newaxis] if choices is None else bias + tf.cast(choices, bias.dtype))

    def read(self, tokens, state, memory, *, beam=1, training=False):
        """As `call`, with what the output layer reads, the attentional vectors [rows, time, size], for the logits."""
        if self.token_gates:
            embedded = tf.gather(self.token_gates.read(), tokens)  # [rows, time, 4 * units]
        else:
            embedded = self.embedding_dropout(self.embedding(tokens), training=training)  # [rows, time, embedding_size]
        steps = self._fed_steps if self.input_feeding and tokens.shape[1] != 1 else self._steps
        readouts, state, weights = steps(embedded, DecoderState(*state), Memory(*memory), beam, training)
        return self.output_dropout(readouts, training=training), state, weights

    @property
    def output_weights(self):
        """The output layer's kernel [vocab, size], or [size, vocab] of a transposed output, and bias [vocab]."""
        return (self.embedding.embeddings if self.tied else self.output_kernel), self.output_bias

    def convert_weights(self, weights: dict[str, np.ndarray]) -> None:
        """See Seq2Seq.converted_weights."""
        kernel = self.first.bias.path.removesuffix("bias") + "kernel"
        if self.token_gates and kernel in weights:
            weights[self.token_kernel.path] = weights[kernel][: self.embedding.size].T
            weights[kernel] = weights[kernel][self.embedding.size :]
        if self.transposed_output:
            transpose_weights(weights, self.output_weights[0])
        if self.merges_kernels:
            keys = self.attention.key_kernel.path
            queries = keys.removesuffix("key_kernel") + "query_kernel"
            if weights.keys() >= {queries, keys}:
                weights[keys] = self.attention.units**-0.5 * weights[keys] @ weights.pop(queries).T

    def _gates_of_tokens(self):
        """What token_gates holds, with the bias: [vocab, 4 * units]."""
        embeddings = self.embedding(tf.range(self.vocabulary)[tf.newaxis])[0]  # [vocab, embedding_size]
        gates = rounded_product(embeddings, self.token_kernel.value, self.compute_dtype, transpose_b=True)
        return gates + self.first.bias.value

    def _steps(self, embedded, state: DecoderState, memory: Memory, beam, training):
        """All given steps at once: attentional vectors [rows, time, size], state, weights [rows, time, source_time].

        The state's feed enters at each step, so with input feeding there may be one only. `embedded` is what was looked
        up of the tokens: where token_gates are kept it enters the gates as it is, and no product.
        """
        entering = embedded[..., :0] if self.token_gates else embedded
        if self.input_feeding:
            entering = concatenate([entering, state.feed[:, tf.newaxis]], self.compute_dtype)
        gate_inputs = {"gate_inputs": embedded} if self.token_gates else {}
        hidden, first_state = self.first.scan(entering, initial_state=state.layers[0], training=training, **gate_inputs)
        # The rows of a beam ask as further time steps would: so their memory is read once.
        context, weights = self.attention.attend(group_rows(hidden, beam), memory)
        context, weights = ungroup_rows(context, beam), ungroup_rows(weights, beam)
        hidden, upper_states = self.upper(
            self.layer_dropout(hidden, training=training), context, state.layers[1:], training=training
        )
        read = concatenate([hidden, context], self.compute_dtype)
        readouts = tf.tanh(self.readout(read))  # Luong et al. 2015, eq. 5
        if self.lexical:
            words = context[..., -self.embedding.size :]  # what attention read of the source's embeddings
            readouts += self.lexical(words)  # Nguyen & Chiang 2018, 4, by the one output matrix
        feed = readouts[:, -1] if self.input_feeding else state.feed
        return readouts, DecoderState((first_state, *upper_states), feed), weights

    def _fed_steps(self, embedded, state: DecoderState, memory: Memory, beam, training):
        """As `_steps`, one step after the other, for input feeding (Luong et al. 2015, 3.3)."""
        time = tf.shape(embedded)[1]
        rows, source_time = embedded.shape[0], memory.masking.shape[-1]
        inputs = tf.TensorArray(embedded.dtype, time).unstack(tf.transpose(embedded, [1, 0, 2]))
        results = (
            tf.TensorArray(tf.float32, time, element_shape=[rows, self.readout.units]),
            tf.TensorArray(tf.float32, time, element_shape=[rows, source_time]),
        )

        def condition(step, state, results):
            return step < time

        def body(step, state, results):
            readout, state, weights = self._steps(inputs.read(step)[:, tf.newaxis], state, memory, beam, training)
            return step + 1, state, (results[0].write(step, readout[:, 0]), results[1].write(step, weights[:, 0]))

        _, state, results = tf.while_loop(condition, body, (tf.constant(0), state, results))
        readouts, weights = (tf.transpose(result.stack(), [1, 0, 2]) for result in results)
        return readouts, state, weights
