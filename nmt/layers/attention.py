"""Attention: reading a sequence at the places that match a query.

All queries are answered at once: no step depends on the attention of an earlier one (see docs/architecture.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from nmt.layers.products import accumulator, product
from nmt.layers.shapes import sizes

MASKED = -1e9  # what makes a score one that softmax turns into an exact 0


class Memory(NamedTuple):
    """What queries read: a sequence of values, prepared once however often it is read."""

    values: tf.Tensor  # [batch, heads, source_time, size], of the products' dtype
    keys: tf.Tensor  # [batch, heads, source_time, units / heads]; likewise, but float32 for the additive score
    masking: tf.Tensor  # float32 [batch, 1, 1, source_time], added to scores: 0 where it is real, else MASKED


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
    """Reads values with queries.

    Args:
        units: size of queries, and of all heads' keys together.
        score: a name in SCORES.
        heads: independent heads (Vaswani et al. 2017, 3.2.2), a divisor of units. With more than one, values are
            projected to `units` and each head reads its share.

    Call with queries [batch, time, units] and values [batch, source_time, size], optionally `values_mask` bool [batch,
    source_time] (True = real), which a layer before may have attached to the values.
    Returns context [batch, time, size], or [batch, time, units] of several heads, of the dtype of products. With
    `return_attention_scores=True` the weights follow, float32 [batch, time, source_time], the heads' mean, which sum to
    1 over real positions and are 0 on padding.

    What is read many times, as a decoder reads its source, is prepared once by `memorize(values, mask)` and then read
    by `attend(queries, memory)`, which returns context and weights.
    """

    def __init__(self, units, *, score="scaled", heads=1, **options):
        super().__init__(autocast=False, **options)
        if score not in SCORES:
            raise ValueError(f"Unknown attention score {score!r}; expected one of {', '.join(SCORES)}.")
        if units % heads:
            raise ValueError(f"Attention units must be a multiple of heads; got {units} units, {heads} heads.")
        self.units = units
        self.score = score
        self.heads = heads
        self.depth = units // heads
        self.supports_masking = True

    def build(self, queries_shape, values_shape):
        values_size = values_shape[-1]
        if queries_shape[-1] != self.units:
            raise ValueError(f"This Attention needs queries of its units, {self.units}; got {queries_shape[-1]}.")
        if self.score == "dot" and values_size != self.units:
            raise ValueError(
                f"Attention score dot needs queries and values of one size; got {self.units}, {values_size}."
            )
        kind = SCORES[self.score]
        if kind.projects_queries:
            self.query_kernel = self._weight("query_kernel", (self.units, self.units))
        if kind.projects_keys:
            self.key_kernel = self._weight("key_kernel", (values_size, self.units))
        if self.heads > 1:
            self.value_kernel = self._weight("value_kernel", (values_size, self.units))
        if self.score == "additive":
            self.bias = self._weight("bias", (self.units,), "zeros")
            self.score_kernel = self._weight("score_kernel", (self.heads, self.depth))
        self.built = True

    def context_size(self, values_size: int) -> int:
        """Of what is read of values of that size."""
        return self.units if self.heads > 1 else values_size

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

    def attend(self, queries, memory: Memory):
        """queries [batch, time, units] -> context [batch, time, size], weights float32 [batch, time, source_time]."""
        scores = self._scores(queries, memory)  # [batch, heads, time, source_time]
        weights = tf.nn.softmax(scores + memory.masking, axis=-1)
        context = tf.matmul(tf.cast(weights, self.compute_dtype), memory.values)  # [batch, heads, time, depth]
        return self._of_all_heads(context), tf.reduce_mean(weights, axis=1)

    def call(self, queries, values, values_mask=None, return_attention_scores=False):
        mask = tf.ones(tf.shape(values)[:2], tf.bool) if values_mask is None else tf.cast(values_mask, tf.bool)
        context, weights = self.attend(queries, self.memorize(values, mask))
        return (context, weights) if return_attention_scores else context

    def compute_output_shape(self, queries_shape, values_shape):
        return (*queries_shape[:-1], self.context_size(values_shape[-1]))

    def compute_output_spec(self, queries, values, values_mask=None, return_attention_scores=False):
        context = keras.KerasTensor(self.compute_output_shape(queries.shape, values.shape), self.compute_dtype)
        if not return_attention_scores:
            return context
        shape = (*queries.shape[:-1], values.shape[1])
        return context, keras.KerasTensor(shape, accumulator(tf.as_dtype(self.compute_dtype)).name)

    def compute_mask(self, queries, mask=None):
        return mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "score": self.score, "heads": self.heads}

    def _product(self, left, right, **options):
        return product(left, right, tf.as_dtype(self.compute_dtype), **options)

    def _project_queries(self, queries):
        return self._product(queries, self.query_kernel.value)

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
        """How well each of queries [batch, time, units] matches each key: [batch, heads, time, source_time]."""
        if SCORES[self.score].projects_queries:
            queries = self._project_queries(queries)
        if self.score == "additive":
            queries += tf.cast(self.bias.value, queries.dtype)
            summed = self._by_head(queries)[..., tf.newaxis, :] + memory.keys[:, :, tf.newaxis]
            # [batch, heads, time, source_time, depth] . [heads, depth]
            return tf.einsum("bhtsd,hd->bhts", tf.tanh(summed), tf.cast(self.score_kernel.value, summed.dtype))
        scores = self._product(self._by_head(queries), memory.keys, transpose_b=True)
        return scores * self.depth**-0.5 if self.score == "scaled" else scores
