"""What a training spends beside its steps on real pairs: padding, the input pipeline, compiling and tracing again.

All times are processor time, so that other work on the machine counts little.

python tests/benchmarks/overhead.py CONFIG [--cores 1] [--repetitions 7] [--set SECTION.KEY=VALUE]
"""

from __future__ import annotations

import itertools
import statistics
import time

import numpy as np
from bench import arguments, machine, use_cores
from pipeline import batches

STEPS = 50  # a repetition


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("config", help="a job's YAML file")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    use_cores(options.cores)

    from nmt.config.file import load_config
    from nmt.startup import import_tensorflow
    from nmt.text.tokenizer import train_tokenizers

    config = load_config(options.config, options.overrides)
    tokenizers = train_tokenizers(config)
    import_tensorflow()
    rows, preparing = prepare(config, tokenizers)
    more, step = train(config, tokenizers, repetitions=options.repetitions)
    rows |= more
    for epoch, milliseconds in zip(("first", "second"), preparing, strict=True):
        rows[f"preparing a batch in the {epoch} epoch"] = f"{milliseconds:.1f} ms, {milliseconds / step:.1%} of a step"
    print(f"\n{options.config}, {options.cores} core(s); {machine()}\n\n| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


def prepare(config, tokenizers) -> tuple[dict[str, str], list[float]]:
    """Padding in an epoch's batches, and the processor milliseconds that a batch takes in each of two epochs: in the
    first one, words are cut into pieces that are remembered afterwards.
    """
    preparing = []
    for epoch in range(2):
        began_at = time.process_time()
        counts = np.array([_sizes(batch) for batch in batches(config, tokenizers, epoch=epoch)])  # [batches, 5]
        preparing.append(1e3 * (time.process_time() - began_at) / len(counts))
    pairs, source, real_source, target, real_target = counts.sum(axis=0)
    return {
        "batches an epoch": f"{len(counts):,} of {pairs / len(counts):.0f} pairs on average",
        "padding of sources": f"{1 - real_source / source:.1%}",
        "padding of targets": f"{1 - real_target / target:.1%}",
        "padding of all positions": f"{1 - (real_source + real_target) / (source + target):.1%}",
    }, preparing


def _sizes(batch) -> tuple[int, ...]:
    source, target = batch.source, batch.target_out
    return len(source), source.size, np.count_nonzero(source), target.size, np.count_nonzero(target)


def train(config, tokenizers, *, repetitions: int) -> tuple[dict[str, str], float]:
    """Steps on batches of two epochs, made in advance so that only the steps are timed; a step's milliseconds."""
    import tensorflow as tf

    from nmt.data.batches import Batch
    from nmt.model.precision import choose_precision
    from nmt.training.step import TrainState, TrainStep

    precision = choose_precision(config.training.precision)
    began_at = time.process_time()
    state = TrainState(config, tokenizers, precision=precision)
    step = TrainStep(state, config, tf.distribute.get_strategy())
    step.compile(Batch(*(tf.TensorSpec([None, None], tf.int32) for _ in Batch._fields)))

    def some(repetition: int) -> list[Batch]:
        """Batches of other lengths each time, the second half of them from another epoch."""
        epoch, start = int(repetition >= repetitions / 2), STEPS * (repetition % 4)
        return list(itertools.islice(batches(config, tokenizers, epoch=epoch), start, start + STEPS))

    float(step(some(0)[:1], 0.0).loss)
    first = time.process_time() - began_at
    taken = []
    for repetition in range(repetitions):
        ready = some(repetition)
        began_at = time.process_time()
        for batch in ready:
            result = step([batch], 0.0)
        float(result.loss)
        taken.append(1e3 * (time.process_time() - began_at) / len(ready))
    return {
        f"a step in {precision}": f"{statistics.median(taken):.0f} ms ({min(taken):.0f} - {max(taken):.0f})",
        "building, tracing and the first step": f"{first:.1f} s",
        "traces of the step, all in all": str(step.num_traces),
    }, statistics.median(taken)


if __name__ == "__main__":
    main()
