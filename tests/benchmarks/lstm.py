"""One training step of an LSTM layer (forward, and gradients for weights and inputs), against Keras's and PyTorch's.

    python tests/benchmarks/lstm.py [--units 512] [--time 20] [--batch 64] [--cores 1]

PyTorch is a contender where it is installed (pip install -e '.[bench]').
"""

from __future__ import annotations

import numpy as np
import reference
from bench import Contender, answer_repetitions, arguments, contender_command, machine, measure, print_table

STEPS = 10  # a repetition
CONTENDERS = (
    "nmt float32",
    "nmt bfloat16",
    "keras float32",
    "keras float32 jit",
    "keras bfloat16",
    "keras bfloat16 jit",
    "torch float32",
    "torch bfloat16",
    "matmul float32",
    "matmul bfloat16",
)


def tensorflow_step(library, precision, inputs, *, units, jit):
    from nmt.startup import import_tensorflow

    import_tensorflow()
    import keras
    import tensorflow as tf

    from nmt.layers.lstm import LSTM
    from nmt.model.seq2seq import POLICIES

    policy = POLICIES[precision]
    layer_class = LSTM if library == "nmt" else keras.layers.LSTM
    layer = layer_class(units, return_sequences=True, dtype=policy)
    layer.build(inputs.shape)
    inputs = tf.constant(inputs)

    @tf.function(jit_compile=jit, autograph=False)
    def step(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32))
        gradients = tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_weights)])
        return [tf.reduce_sum(tf.cast(gradient, tf.float32)) for gradient in gradients]

    return lambda: [float(part) for part in step(inputs)]


def torch_step(precision, inputs, *, units):
    import torch

    layer = torch.nn.LSTM(inputs.shape[-1], units, batch_first=True)
    inputs = torch.tensor(inputs, requires_grad=True)

    def step():
        layer.zero_grad()
        inputs.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            outputs, _ = layer(inputs)
        outputs.float().sum().backward()

    return step


def contend(name, *, units, time, batch):
    library, precision, *jit = name.split()
    inputs = np.random.default_rng(0).normal(size=(batch, time, units)).astype(np.float32)
    if library == "torch":
        step = torch_step(precision, inputs, units=units)
    elif library == "matmul":
        step = reference.multiply([(batch * time, 2 * units, 4 * units)], precision, backward=True)
    else:
        step = tensorflow_step(library, precision, inputs, units=units, jit=bool(jit))

    def repetition():
        for _ in range(STEPS):
            step()
        return STEPS * batch * time

    answer_repetitions(repetition)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=512, help="of the layer, and size of its inputs (512)")
    parser.add_argument("--time", type=int, default=20, help="steps (20)")
    parser.add_argument("--batch", type=int, default=64, help="rows (64)")
    options = parser.parse_args()
    shape = {"units": options.units, "time": options.time, "batch": options.batch}
    if options.contender:
        contend(options.contender, **shape)
        return
    flags = [part for key, value in shape.items() for part in (f"--{key}", value)]
    contenders = [Contender(name, contender_command(__file__, name, *flags)) for name in CONTENDERS]
    measure(contenders, repetitions=options.repetitions, cores=options.cores)
    title = f"LSTM layer, one training step, {shape}, {options.cores} core(s); {machine()}"
    print_table(title, "tokens/s", contenders, against=["keras float32", "torch float32", "torch bfloat16"])


if __name__ == "__main__":
    main()
