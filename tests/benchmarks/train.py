"""Training the whole model (see reference.py): target tokens a second, against OpenNMT-tf.

    python tests/benchmarks/train.py [--cores 1] [--opennmt-tf ENVIRONMENT/bin/python]

peers/opennmt_tf.py says how to make that environment.
"""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

import numpy as np
import reference
from bench import OPENNMT_TF, Contender, answer_repetitions, arguments, contender_command, machine, measure, print_table

BATCHES = 8  # a repetition


def contend(precision: str, options) -> None:
    from nmt.startup import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from nmt.data import Batch
    from nmt.train_step import TrainState, TrainStep

    config = reference.config(model={"units": options.units})
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


def make_batches(options):
    return reference.batches(BATCHES, rows=options.rows, vocabulary=options.vocabulary, mean_length=options.mean_length)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--opennmt-tf", help="the Python of an environment with OpenNMT-tf")
    parser.add_argument("--units", type=int, default=512, help="of our LSTMs (512, the only size of the peer)")
    parser.add_argument("--vocabulary", type=int, default=reference.VOCABULARY, help="tokens (8000)")
    parser.add_argument("--rows", type=int, default=64, help="sentence pairs a batch (64)")
    parser.add_argument("--mean-length", type=int, default=14, help="pieces a sentence, about (14)")
    options = parser.parse_args()
    if options.contender:
        contend(options.contender, options)
        return
    names = ("units", "vocabulary", "rows", "mean_length")
    flags = [part for name in names for part in (f"--{name.replace('_', '-')}", getattr(options, name))]
    contenders = [
        Contender(f"nmt {precision}", contender_command(__file__, precision, *flags))
        for precision in ("float32", "bfloat16")
    ]
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        arrays = {"vocabulary": options.vocabulary, "batches": BATCHES}
        for number, batch in enumerate(make_batches(options)):
            arrays |= {f"{part}_{number}": ids for part, ids in batch._asdict().items()}
        np.savez(file, **arrays)
        file.flush()
        if options.opennmt_tf:
            contenders.append(Contender("OpenNMT-tf", [options.opennmt_tf, OPENNMT_TF, file.name]))
        measure(contenders, repetitions=options.repetitions, cores=options.cores)
    shape = f"{options.units} units, vocabulary {options.vocabulary:,}, {options.rows} rows of {options.mean_length}"
    title = f"Training, {shape}, {options.cores} core(s); {machine()}"
    print_table(title, "target tokens/s", contenders, against=["nmt float32", "OpenNMT-tf"])


if __name__ == "__main__":
    main()
