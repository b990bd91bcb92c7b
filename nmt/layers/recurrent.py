"""What all recurrent layers here share: Keras's calling convention."""

from __future__ import annotations

import keras
import tensorflow as tf

from nmt.layers.products import accumulator


class RecurrentLayer(keras.layers.Layer):
    """A layer over sequences that is called like `keras.layers.LSTM`.

    Args:
        return_sequences: return the output of every step instead of the last one.
        return_state: return the final state after the output.

    A subclass has `scan`, `_last_outputs`, `output_sizes` (of each output it returns, usually one) and `state_sizes`
    (of each tensor of its state, nested as the state is).
    """

    # What keras.layers.Bidirectional asks of a layer. States are handed in and returned, never kept.
    stateful = False
    states = None

    def __init__(self, *, return_sequences=False, return_state=False, **options):
        super().__init__(autocast=False, **options)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def scan(self, inputs, initial_state=None, mask=None, training=False):
        """Reads whole sequences, whatever the layer's options say of what a call returns.

        Returns: the outputs of all steps, each float32 [batch, time, size] in the order of the inputs, as `call` would
            have them (a tensor, or a tuple of several), and the final state as `initial_state` takes it.
        """
        raise NotImplementedError

    def call(self, inputs, initial_state=None, mask=None, training=False):
        if mask is None:
            # Keras itself finds the mask only where the inputs are the only tensors.
            mask = getattr(inputs, "_keras_mask", None)
        if mask is not None:
            mask = tf.cast(mask, tf.bool)
        outputs, state = self.scan(inputs, initial_state, mask, training)
        outputs = self._reading_order(outputs) if self.return_sequences else self._last_outputs(outputs, state, mask)
        if not self.return_state:
            return outputs
        return (*outputs, *state) if isinstance(outputs, tuple) else (outputs, *state)

    def _last_outputs(self, outputs, state, mask):
        """From what `scan` returns, what there is to say of each whole sequence: [batch, size]."""
        raise NotImplementedError

    def _reading_order(self, outputs):
        """Outputs or masks of all steps in the order in which a call returns them."""
        return outputs

    @property
    def state_dtype(self):
        """Of states and outputs: float32 under a mixed policy, too."""
        return accumulator(tf.as_dtype(self.compute_dtype))

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        batch, time = inputs_shape[:2]
        leading = (batch, time) if self.return_sequences else (batch,)
        shapes = tuple((*leading, size) for size in self.output_sizes)
        outputs = shapes if len(shapes) > 1 else shapes[0]
        if not self.return_state:
            return outputs
        states = keras.tree.map_structure(lambda size: (batch, size), self.state_sizes)
        return (*shapes, *states)

    def compute_output_spec(self, inputs, initial_state=None, mask=None, training=False):
        shapes = self.compute_output_shape(inputs.shape)
        dtype = self.state_dtype.name
        return keras.tree.map_shape_structure(lambda shape: keras.KerasTensor(shape, dtype), shapes)

    def compute_mask(self, inputs, mask=None):
        mask = self._reading_order(mask) if self.return_sequences and mask is not None else None
        masks = (mask,) * len(self.output_sizes)
        if self.return_state:
            masks += (None,) * len(keras.tree.flatten(self.state_sizes))
        return masks if len(masks) > 1 else masks[0]

    def get_config(self):
        own = {"return_sequences": self.return_sequences, "return_state": self.return_state}
        return {**super().get_config(), **own}
