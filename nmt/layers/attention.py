"""Attention: where the decoder reads the source.

All time steps ask at once: nothing here depends on the attention of an earlier step (see docs/architecture.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nmt.layers.lstm_kernel import accumulator, product, turn
from nmt.layers.shapes import group_rows, sizes, ungroup_rows

MASKED = -1e9  # what makes a score one that softmax turns into an exact 0


class Memory(NamedTuple):
    """The source as the decoder sees it: only read while decoding, so it is neither reordered nor repeated per beam."""

    values: tf.Tensor  # [batch, heads, source_time, size], of the products' dtype
    keys: tf.Tensor  # [batch, heads, source_time, units / heads]; likewise, but float32 for the additive score
    masking: tf.Tensor  # float32 [batch, 1, 1, source_time], added to scores: 0 where the source is real, else MASKED


class Score(NamedTuple):
    """Which sides of a score function are projected before they meet."""

    projects_queries: bool
    projects_keys: bool


SCORES = {
    "dot": Score(projects_queries=False, projects_keys=False),  # Luong et al. 2015, eq. 8: q . v
    "general": Score(projects_queries=False, projects_keys=True),  # Luong et al. 2015, eq. 8: q . W v
    "scaled": Score(projects_queries=True, projects_keys=True),  # Vaswani et al. 2017, eq. 1: U q . W v / sqrt(depth)
    "additive": Score(projects_queries=True, projects_keys=True),  # Bahdanau et al. 2015, A.1.2: w . tanh(U q + W v)
}


@keras.saving.register_keras_serializable("nmt")
class Attention(keras.layers.Layer):
    """Reads a memory with queries.

    Args:
        units: size of queries, and of all heads' keys together.
        score: a name in SCORES.
        heads: independent heads (Vaswani et al. 2017, 3.2.2), a divisor of units. With more than one, values are
            projected to `units` and each head reads its share.
        turned: keep the queries' kernel as its transpose: see lstm_kernel.product.

    `memorize(values, mask)` prepares a source once; then call with queries [rows, time, units] and that Memory, which
    has a row for each `beam` neighbours of them.
    Returns context [rows, time, size], of the dtype of products, which alone read it, and weights float32 [rows, time,
    source_time], the heads' mean, which sum to 1 over real positions and are 0 on padding.
    """

    def __init__(self, units, *, score="scaled", heads=1, turned=False, **options):
        super().__init__(autocast=False, **options)
        if score not in SCORES:
            raise ValueError(f"Unknown attention score {score!r}; expected one of {', '.join(SCORES)}.")
        if units % heads:
            raise ValueError(f"Attention units must be a multiple of heads; got {units} units, {heads} heads.")
        self.units = units
        self.score = score
        self.heads = heads
        self.turned = turned
        self.depth = units // heads

    def build(self, values_size):
        """`values_size`: the last dimension of what `memorize` will be given."""
        if self.score == "dot" and values_size != self.units:
            raise ValueError(
                f"Attention score dot needs queries and values of one size; got {self.units}, {values_size}."
            )
        kind = SCORES[self.score]
        if kind.projects_queries:
            self.query_kernel = self._weight("query_kernel", (self.units, self.units))  # or its transpose
        if kind.projects_keys:
            self.key_kernel = self._weight("key_kernel", (values_size, self.units))
        if self.heads > 1:
            self.value_kernel = self._weight("value_kernel", (values_size, self.units))
        if self.score == "additive":
            self.bias = self._weight("bias", (self.units,), "zeros")
            self.score_kernel = self._weight("score_kernel", (self.heads, self.depth))
        self.context_size = self.units if self.heads > 1 else values_size
        self.built = True

    def _weight(self, name, shape, initializer="glorot_uniform"):
        # Keras would round it to the compute dtype; what is multiplied is cast where it is multiplied.
        return self.add_weight(shape, initializer=initializer, name=name, autocast=False)

    def memorize(self, values, mask) -> Memory:
        """values float [batch, source_time, size], mask bool [batch, source_time], True = real."""
        keys = self._product(values, self.key_kernel) if SCORES[self.score].projects_keys else values
        values = self._product(values, self.value_kernel) if self.heads > 1 else values
        # What only products read is cast to their dtype here, once, and not at every step.
        values = tf.cast(values, self.compute_dtype)
        keys = keys if self.score == "additive" else tf.cast(keys, self.compute_dtype)
        masking = tf.where(mask, tf.zeros([], accumulator(tf.as_dtype(self.compute_dtype))), MASKED)
        return Memory(self._by_head(values), self._by_head(keys), masking[:, tf.newaxis, tf.newaxis])

    def call(self, queries, memory, beam=1):
        memory = Memory(*memory)
        # The rows of a beam ask as further times would: so their memory is read once.
        asked = group_rows(queries, beam)
        scores = self._scores(asked, memory)  # [batch, heads, asked, source_time]
        weights = tf.nn.softmax(scores + memory.masking, axis=-1)
        context = tf.matmul(tf.cast(weights, self.compute_dtype), memory.values)  # [batch, heads, asked, depth]
        weights = tf.reduce_mean(weights, axis=1)  # [batch, asked, source_time]
        return ungroup_rows(self._of_all_heads(context), beam), ungroup_rows(weights, beam)

    def arrange(self, weights: dict[str, np.ndarray]) -> None:
        """As LSTM's."""
        if self.turned and SCORES[self.score].projects_queries:
            turn(weights, self.query_kernel)

    def get_config(self) -> dict[str, Any]:
        names = ("units", "score", "heads", "turned")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _product(self, left, right, **options):
        return product(left, right, tf.as_dtype(self.compute_dtype), **options)

    def _by_head(self, values):
        """[batch, time, size] -> [batch, heads, time, size / heads]."""
        if self.heads == 1:
            return values[:, tf.newaxis]
        batch, time, size = sizes(values)
        split = tf.reshape(values, [batch, time, self.heads, size // self.heads])
        return tf.transpose(split, [0, 2, 1, 3])

    def _of_all_heads(self, values):
        """[batch, heads, time, size / heads] -> [batch, time, size]."""
        if self.heads == 1:
            return tf.squeeze(values, axis=1)
        batch, _, time, _ = sizes(values)
        return tf.reshape(tf.transpose(values, [0, 2, 1, 3]), [batch, time, self.units])

    def _scores(self, queries, memory: Memory):
        """How well each of queries [batch, asked, units] matches each key: [batch, heads, asked, source_time]."""
        if SCORES[self.score].projects_queries:
            queries = self._product(queries, self.query_kernel.value, turned=self.turned)
        if self.score == "additive":
            queries += tf.cast(self.bias.value, queries.dtype)
            summed = self._by_head(queries)[..., tf.newaxis, :] + memory.keys[:, :, tf.newaxis]
            # [batch, heads, asked, source_time, depth] . [heads, depth]
            return tf.einsum("bhtsd,hd->bhts", tf.tanh(summed), tf.cast(self.score_kernel.value, summed.dtype))
        scores = self._product(self._by_head(queries), memory.keys, transpose_b=True)
        return scores * self.depth**-0.5 if self.score == "scaled" else scores
