"""LSTMs one on another."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from nmt.layers.bidirectional import Bidirectional
from nmt.layers.lstm import LSTM
from nmt.layers.recurrent import RecurrentLayer


@keras.saving.register_keras_serializable("nmt")
class StackedLSTM(RecurrentLayer):
    """Layers of LSTMs, residual where sizes agree, with dropout between them (Wu et al. 2016, 3.1-3.2).

    Args:
        units: size of every layer's output; a bidirectional layer has half of them for each direction.
        layers: how many.
        bidirectional_layers: how many of these, the lowest, read both ways.
        dropout: rate on the input of every layer but the first; in training only.
        layer_normalization, recurrent_dropout: as for LSTM.
        return_sequences, return_state: as for LSTM.

    Call like LSTM; `initial_state` is a sequence of one state a layer, (hidden, cell) or, of a bidirectional layer,
    (hidden, cell, hidden, cell) of both directions.
    Returns outputs float32 [batch, units], or [batch, time, units] with return_sequences; with return_state followed by
    the final state of each layer. The one output of a sequence is that of its last real step, but the backward half of
    a bidirectional top layer is that of the first: each half after all that it reads. With return_sequences what padded
    steps hold means nothing.
    """

    layer_class = LSTM  # what it is a stack of

    def __init__(
        self,
        units,
        layers,
        *,
        bidirectional_layers=0,
        dropout=0.0,
        layer_normalization=False,
        recurrent_dropout=0.0,
        **options,
    ):
        super().__init__(**options)
        if not 0 <= bidirectional_layers <= layers or not layers:
            raise ValueError(
                "StackedLSTM needs at least one layer, and no more bidirectional layers than layers; "
                f"got layers={layers}, bidirectional_layers={bidirectional_layers}."
            )
        if bidirectional_layers and units % 2:
            raise ValueError(f"A bidirectional layer has half of the units for each direction; got an odd {units}.")
        self.units = units
        self.bidirectional_layers = bidirectional_layers
        self.layer_options = {"layer_normalization": layer_normalization, "recurrent_dropout": recurrent_dropout}
        self.layers: list[RecurrentLayer] = [
            self._bidirectional(f"layer_{place}")
            if place < bidirectional_layers
            else self._lstm(units, name=f"layer_{place}")
            for place in range(layers)
        ]
        self.dropout = keras.layers.Dropout(dropout, autocast=False)
        self.output_sizes = (units,)
        self.state_sizes = tuple(layer.state_sizes for layer in self.layers)

    def _lstm(self, units, **options) -> LSTM:
        return self.layer_class(units, dtype=self.dtype_policy, **self.layer_options, **options)

    def _bidirectional(self, name) -> Bidirectional:
        forward = self._lstm(self.units // 2, name="forward")
        backward = self._lstm(self.units // 2, name="backward", go_backwards=True)
        return Bidirectional(forward, backward_layer=backward, name=name)

    def build(self, inputs_shape):
        for layer in self.layers:
            layer.build(inputs_shape)
            inputs_shape = (*inputs_shape[:-1], self.units)

    def scan(self, inputs, initial_state=None, mask=None, training=False):
        if initial_state is not None and len(initial_state) != len(self.layers):
            raise ValueError(
                f"This StackedLSTM needs an initial_state of one state a layer, {len(self.layers)}; "
                f"got {len(initial_state)}."
            )
        states = []
        for place, layer in enumerate(self.layers):
            entering = self.dropout(inputs, training=training) if place else inputs
            first = None if initial_state is None else initial_state[place]
            outputs, state = layer.scan(entering, first, mask, training)
            states.append(state)
            residual = inputs.shape[-1] == self.units
            inputs = outputs + tf.cast(inputs, outputs.dtype) if residual else outputs
        return inputs, tuple(states)

    def _last_outputs(self, outputs, state, mask):
        if mask is None:
            mask = tf.ones(tf.shape(outputs)[:2], tf.bool)
        steps = tf.where(mask, tf.range(tf.shape(mask)[1]), -1)  # [batch, time]
        last = tf.gather(outputs, tf.maximum(tf.reduce_max(steps, axis=1), 0), axis=1, batch_dims=1)
        if self.bidirectional_layers < len(self.layers):
            return last
        first = tf.gather(outputs, tf.argmax(mask, axis=1), axis=1, batch_dims=1)
        half = self.units // 2
        return tf.concat([last[:, :half], first[:, half:]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "layers": len(self.layers), "bidirectional_layers": self.bidirectional_layers}
        return {**super().get_config(), **own, "dropout": self.dropout.rate, **self.layer_options}
