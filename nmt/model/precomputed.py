"""A tensor made of weights once these are loaded, and so not stored with them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import tensorflow as tf


class Precomputed(tf.saved_model.experimental.TrackableResource):
    """What a model reads at each step and can make of its weights once: a SavedModel makes it when it is loaded.

    Args:
        make: returns it, from variables alone.
        shape, dtype: of it.

    `fill` it before a graph reads it, and again when the weights have changed.
    """

    def __init__(self, make: Callable[[], tf.Tensor], shape: tuple[int, ...], dtype: str):
        super().__init__()
        self._make = make
        self._shape = shape
        self._dtype = tf.as_dtype(dtype)
        self._name = f"precomputed_{uuid.uuid4().hex}"  # two of one name would be one in a graph
        self._filled: tf.Variable | None = None

    def fill(self) -> None:
        if self._filled is None:
            self._filled = tf.Variable(self._make(), trainable=False)
            _ = self.resource_handle  # which TensorFlow asks for once: now, as a graph would make a variable of its own
        else:
            self._filled.assign(self._make())

    def read(self) -> tf.Tensor:
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=self._dtype)
        return tf.ensure_shape(value, self._shape)

    # ---- what TensorFlow asks of a resource

    def _create_resource(self):
        if tf.executing_eagerly():
            assert self._filled is not None, "fill it before it is read"
            return self._filled.handle
        return tf.raw_ops.VarHandleOp(dtype=self._dtype, shape=self._shape, shared_name=self._name)

    def _initialize(self):
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=self._make())
