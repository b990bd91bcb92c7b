"""Draws docs/images/gradients.svg: what of the gradient at the last of 200 steps reaches the first, in three RNNs."""

import argparse
from pathlib import Path

import numpy as np

from nmt.report.plots import Line, curves
from nmt.startup import import_tensorflow

STEPS, BATCH, UNITS = 200, 32, 64
FILE = Path(__file__).parent / "gradients.svg"
FONT = "font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
# Seen on white and on black.
COLOURS = {"currentColor": "#7d8590", "var(--grid)": "#7d859055", "var(--first)": "#2f81f7", "var(--second)": "#db6d28"}


def gradient_norms() -> dict[str, np.ndarray]:
    """Of the last output's sum for the inputs of each step, mean over the batch: [steps] each, the last step first."""
    import keras
    import tensorflow as tf

    from nmt.layers import LSTM

    keras.utils.set_random_seed(1)
    inputs = keras.random.normal((BATCH, STEPS, UNITS), dtype="float64")
    plain, usual, opened = (layer(UNITS, dtype="float64") for layer in (keras.layers.SimpleRNN, LSTM, LSTM))
    opened.build(inputs.shape)
    # Forget gates that start open for 1 to STEPS steps, and input gates as much closed (Tallec & Ollivier 2018, 2.2).
    openness = np.log(np.random.default_rng(1).uniform(1, STEPS, UNITS))
    opened.bias.assign(np.concatenate([-openness, openness, np.zeros(2 * UNITS)]))

    def norms(layer):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(layer(inputs))
        by_step = tf.reduce_mean(tf.norm(tape.gradient(total, inputs), axis=-1), axis=0)
        return by_step.numpy()[::-1]

    layers = {"plain RNN": plain, "LSTM, forget gates as usual": usual, "LSTM, forget gates opened": opened}
    return {name: norms(layer) for name, layer in layers.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    import_tensorflow()
    norms = gradient_norms()
    lines = [
        Line(int("plain" in name), range(STEPS), np.log10(values), name, dashed="usual" in name, faint=True)
        for name, values in norms.items()
    ]
    label = "log10 of the norm of the gradient"
    svg = curves("gradients", lines, x_label="steps back from the last one", y_label=label)
    svg = svg.replace("<svg", f'<svg style="{FONT}"', 1)
    for name, colour in COLOURS.items():
        svg = svg.replace(name, colour)
    FILE.write_text(svg, encoding="utf-8")
    for name, values in norms.items():
        print(f"{name}: {values[0]:.1e} at the last step, {values[-1]:.1e} at the first")


if __name__ == "__main__":
    main()
