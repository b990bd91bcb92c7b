"""What TensorFlow's ragged tensors need more memory for than they should. Imports no TensorFlow by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def rows_of(ragged: tf.RaggedTensor) -> tf.Tensor:
    """The row of each value: int64 [values]. `value_rowids` takes rows times the longest row of memory for it."""
    import tensorflow as tf  # here, so that `nmt check` does not wait for it

    return tf.searchsorted(ragged.row_splits[1:], tf.range(ragged.row_splits[-1]), side="right", out_type=tf.int64)
