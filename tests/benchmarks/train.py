"""Training the whole model (see reference.py): target tokens a second, against OpenNMT-tf and Joey NMT.

    python tests/benchmarks/train.py [--cores 1] [--opennmt-tf PYTHON] [--joey-nmt PYTHON]

The files in peers/ say how to make the environments that these belong to.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import reference
from bench import add_systems, answer_repetitions, arguments, compare_systems

BATCHES = 8  # a repetition


def contend(precision: str, options) -> None:
    """One that trains."""
    from nmt.startup import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from nmt.data.batches import Batch
    from nmt.training.step import TrainState, TrainStep

    config = reference.config(model={"units": options.units, "decoder": {"layers": options.decoder_layers}})
    tokenizer = SimpleNamespace(vocabulary_size=options.vocabulary)
    state = TrainState(config, SimpleNamespace(source=tokenizer, target=tokenizer), precision=precision)
    step = TrainStep(state, config, tf.distribute.get_strategy())
    step.compile(Batch(*(tf.TensorSpec([None, None], tf.int32) for _ in Batch._fields)))
    batches = make_batches(options)
    tokens = int(sum(np.count_nonzero(batch.target_out) for batch in batches))

    def repetition():
        for batch in batches:
            result = step([batch], 1e-3)
        float(result.loss)
        return tokens

    answer_repetitions(repetition)


def contend_products(precision: str, options) -> None:
    """One that only makes the matrix products of such steps."""
    steps, tokens = [], 0
    for batch in make_batches(options):
        real = int(np.count_nonzero(batch.target_out))
        shapes = reference.products(
            source=batch.source.size,
            target=batch.target_out.size,
            tokens=real,
            units=options.units,
            vocabulary=options.vocabulary,
            decoder_layers=options.decoder_layers,
        )
        steps.append(reference.multiply(shapes, precision, backward=True))
        tokens += real

    def repetition():
        for step in steps:
            step()
        return tokens

    answer_repetitions(repetition)


def make_batches(options, *, grouped=True):
    work = {"rows": options.rows, "vocabulary": options.vocabulary, "mean_length": options.mean_length}
    return reference.batches(BATCHES, grouped=grouped, **work)


def arrays(options, *, grouped=True):
    return reference.training_arrays(make_batches(options, grouped=grouped), options.vocabulary)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    add_systems(parser)
    parser.add_argument("--units", type=int, default=512, help="of our LSTMs (512, the only size of the peers)")
    parser.add_argument("--decoder-layers", type=int, default=1, help="of ours (1, as the peers have)")
    parser.add_argument("--vocabulary", type=int, default=reference.VOCABULARY, help="tokens (8000)")
    parser.add_argument("--rows", type=int, default=64, help="sentence pairs a batch (64)")
    parser.add_argument("--mean-length", type=int, default=14, help="pieces a sentence, about (14)")
    options = parser.parse_args()
    if options.contender:
        system, precision = options.contender.split()
        {"nmt": contend, "matmul": contend_products}[system](precision, options)
        return
    sizes = ("units", "decoder_layers", "vocabulary", "rows", "mean_length")
    flags = [part for name in sizes for part in (f"--{name.replace('_', '-')}", getattr(options, name))]
    layers = f", {options.decoder_layers} decoder layers" if options.decoder_layers > 1 else ""
    text = f"vocabulary {options.vocabulary:,}, {options.rows} rows of {options.mean_length}"
    shape = f"{options.units} units{layers}, {text}"
    compare_systems(
        options,
        __file__,
        title=f"Training, {shape}",
        unit="target tokens/s",
        arrays=arrays(options),
        flags=flags,
        # Its own data loader takes sentences as they come, and a batch is as wide as its longest one.
        other_work=[("Joey NMT, as installed", "Joey NMT", arrays(options, grouped=False))],
    )


if __name__ == "__main__":
    main()
