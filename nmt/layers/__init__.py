"""LSTM and attention for any Keras model."""
