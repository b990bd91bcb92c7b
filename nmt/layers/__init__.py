"""Recurrent layers and attention for any Keras model, with a faster LSTM on CPUs.

They are called like Keras's own: `LSTM`, `Bidirectional` and `StackedLSTM` know return_sequences, return_state,
initial_state and masks, and all of them work in `keras.Sequential`, in functional models, in `fit` and in saved models.

    import keras
    from nmt.layers import LSTM, Bidirectional

    model = keras.Sequential([
        keras.layers.Embedding(10_000, 64, mask_zero=True),
        Bidirectional(LSTM(32)),
        keras.layers.Dense(1, activation="sigmoid"),
    ])

`LSTMState` is what an LSTM carries from step to step, `Memory` a sequence that an `Attention` has prepared to be read
many times. The equations and worked examples are in docs/lstm.md. They need Keras's TensorFlow backend, which importing
this package sets where no other one has been chosen.
"""

from nmt.startup import import_tensorflow, require_tensorflow_backend

require_tensorflow_backend()
import_tensorflow(keras_plots=True)

from nmt.layers.attention import Attention, Memory  # noqa: E402
from nmt.layers.bidirectional import Bidirectional  # noqa: E402
from nmt.layers.lstm import LSTM  # noqa: E402
from nmt.layers.lstm_kernel import LSTMState  # noqa: E402
from nmt.layers.stacked_lstm import StackedLSTM  # noqa: E402

__all__ = ["LSTM", "Attention", "Bidirectional", "LSTMState", "Memory", "StackedLSTM"]
