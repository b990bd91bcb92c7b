"""Reading sequences both ways."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from nmt.layers.lstm import LSTM
from nmt.layers.lstm_kernel import LSTMState
from nmt.layers.recurrent import RecurrentLayer

MERGE_MODES = {
    "concat": lambda forward, backward: tf.concat([forward, backward], axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "mul": lambda forward, backward: forward * backward,
    None: lambda forward, backward: (forward, backward),
}


@keras.saving.register_keras_serializable("nmt")
class Bidirectional(RecurrentLayer):
    """Two LSTMs, one a direction (Schuster & Paliwal 1997), called like `keras.layers.Bidirectional`.

    Args:
        layer: the LSTM that reads forwards. Its return_sequences and return_state are those of this layer.
        merge_mode: what becomes of the outputs of the two: "concat", "sum", "ave" (their mean), "mul", or None, with
            which both are returned.
        backward_layer: the LSTM that reads backwards; without one a new one like `layer`.

    Call like LSTM; `initial_state` is (hidden, cell) of the forward layer and then of the backward one, four tensors.
    Returns outputs as LSTM does, in the order of the inputs in both directions, those of the backward layer after all
    steps where only the last ones are returned; with return_state followed by the four tensors of the final state.
    """

    def __init__(self, layer, *, merge_mode="concat", backward_layer=None, **options):
        for given in [layer] if backward_layer is None else [layer, backward_layer]:
            if not isinstance(given, LSTM):
                raise ValueError(
                    f"Bidirectional needs an nmt.layers.LSTM; got {given!r}. keras.layers.Bidirectional takes others."
                )
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"Unknown merge_mode {merge_mode!r}; expected one of {', '.join(map(repr, MERGE_MODES))}.")
        if backward_layer is None:
            changes = {"go_backwards": True, "name": f"backward_{layer.name}"}
            backward_layer = type(layer).from_config({**layer.get_config(), **changes})
        _refuse_mismatch(layer, backward_layer)
        own = {"return_sequences": layer.return_sequences, "return_state": layer.return_state}
        super().__init__(**{"dtype": layer.dtype_policy, **options, **own})
        self.forward_layer = layer
        self.backward_layer = backward_layer
        self.merge_mode = merge_mode
        self.output_sizes = (layer.units, layer.units) if merge_mode is None else (layer.units,)
        if merge_mode == "concat":
            self.output_sizes = (layer.units + backward_layer.units,)
        self.state_sizes = (*layer.state_sizes, *backward_layer.state_sizes)

    def build(self, inputs_shape):
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(inputs_shape)

    def scan(self, inputs, initial_state=None, mask=None, training=False):
        if initial_state is not None and len(initial_state) != 4:
            raise ValueError(
                "Bidirectional needs an initial_state of four tensors, hidden state and cell of the forward and of the "
                f"backward layer; got {len(initial_state)}."
            )
        first, second = (None, None) if initial_state is None else (initial_state[:2], initial_state[2:])
        forward, forward_state = self.forward_layer.scan(inputs, first, mask, training)
        backward, backward_state = self.backward_layer.scan(inputs, second, mask, training)
        return self._merged(forward, backward), (*forward_state, *backward_state)

    def _merged(self, forward, backward):
        return MERGE_MODES[self.merge_mode](forward, backward)

    def _last_outputs(self, outputs, state, mask):
        forward, backward = LSTMState(*state[:2]), LSTMState(*state[2:])
        return self._merged(forward.hidden, backward.hidden)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("return_sequences", "return_state"):
            del config[name]
        layers = {
            name: keras.saving.serialize_keras_object(getattr(self, f"{direction}_layer"))
            for name, direction in (("layer", "forward"), ("backward_layer", "backward"))
        }
        return {**config, **layers, "merge_mode": self.merge_mode}

    @classmethod
    def from_config(cls, config):
        layers = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("layer", "backward_layer")}
        return super().from_config({**config, **layers})


def _refuse_mismatch(forward: LSTM, backward: LSTM) -> None:
    if forward.go_backwards or not backward.go_backwards:
        raise ValueError(
            "Bidirectional needs a layer with go_backwards=False and a backward_layer with go_backwards=True; "
            f"got {forward.go_backwards} and {backward.go_backwards}."
        )
    for name in ("return_sequences", "return_state"):
        if getattr(forward, name) != getattr(backward, name):
            raise ValueError(
                f"Bidirectional needs two layers of the same {name}; "
                f"got {getattr(forward, name)} and {getattr(backward, name)}."
            )
