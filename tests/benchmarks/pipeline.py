"""How fast data are prepared and read, in target tokens (EOS included) a second; what lies between a training's steps.

In the first epoch words are cut into pieces that are remembered afterwards. Where other work shares the machine,
processor time says more than the clock. Between two steps a training waits for a batch; between two epochs it saves a
checkpoint, too.

python tests/benchmarks/pipeline.py CONFIG [--cores 2] [--repetitions 3] [--steps 300] [--set SECTION.KEY=VALUE]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from bench import arguments, machine, use_cores

_WARM_UP_STEPS = 50


class _EnoughError(Exception):
    """Ends a training."""


def batches(config, tokenizers, *, epoch: int) -> Iterator:
    """An epoch's Batches in NumPy, prepared in this process."""
    from nmt.data.dataset import dataset

    with tempfile.TemporaryDirectory() as directory:
        yield from dataset(prepare(config, tokenizers, Path(directory), epoch), epoch=epoch).as_numpy_iterator()


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("config", help="a job's YAML file")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE")
    parser.add_argument("--steps", type=int, default=300, help="of the training, after the first few (300)")
    options = parser.parse_args()
    use_cores(options.cores)

    from nmt.config.file import load_config
    from nmt.data.preparer import Preparer
    from nmt.startup import import_tensorflow
    from nmt.text.tokenizer import train_tokenizers

    config = load_config(options.config, options.overrides)
    tokenizers = train_tokenizers(config)
    print(f"{options.config}, {options.cores} core(s); {machine()}\n")
    print("| | tokens/s | tokens/s of processor time |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        alone = [
            timed(lambda epoch=epoch: prepare(config, tokenizers, directory / str(epoch), epoch)) for epoch in (0, 1)
        ]
        with Preparer(config, tokenizers, directory / "processes", processes=options.cores) as preparer:
            together = [timed(lambda epoch=epoch: preparer.prepare(epoch)) for epoch in (0, 1)]
            prepared = preparer.prepare(1)
        import_tensorflow()
        import tensorflow as tf

        from nmt.data.dataset import dataset

        def read(epoch: int) -> int:
            targets = dataset(prepared, epoch=epoch).map(lambda batch: tf.math.count_nonzero(batch.target_out))
            return int(targets.reduce(tf.constant(0, tf.int64), tf.add))

        tokens = read(0)
        for epoch, times in zip(("the first epoch", "the next"), alone, strict=True):
            row(f"preparing {epoch}, one process", tokens, *times)
        for epoch, (clock, _) in zip(("the first epoch", "the next"), together, strict=True):
            row(f"preparing {epoch}, {options.cores} processes", tokens, clock)
        readings = [timed(lambda epoch=epoch: read(epoch)) for epoch in range(1, 1 + options.repetitions)]
        row("reading", tokens, *map(statistics.median, zip(*readings, strict=True)))
        print(between_steps(config, directory / "run", options.steps))


def prepare(config, tokenizers, directory: Path, epoch: int):
    """Prepares an epoch in this process."""
    from nmt.data.preparation import begin, finish, prepare_shards

    begin(directory, "")
    prepare_shards(config, tokenizers, directory, epoch=epoch)
    return finish(config, directory)


def between_steps(config, run: Path, steps: int) -> str:
    """Trains for so many steps after the first ones, without validations: what a step takes, and what lies between."""
    import keras

    from nmt.training.train import train

    class Clock(keras.callbacks.Callback):
        began, ended = [], []

        def on_train_batch_begin(self, batch, logs=None):
            self.began.append(time.perf_counter())

        def on_train_batch_end(self, batch, logs=None):
            self.ended.append(time.perf_counter())
            if len(self.ended) == _WARM_UP_STEPS + steps:
                raise _EnoughError

    training = config.training.model_copy(update={"validate_every": _WARM_UP_STEPS + steps + 1})
    clock = Clock()
    with suppress(_EnoughError):
        train(config.model_copy(update={"run": str(run), "training": training}), callbacks=[clock])
    waits = [
        1e3 * (began - ended)
        for began, ended in zip(clock.began[_WARM_UP_STEPS:], clock.ended[_WARM_UP_STEPS - 1 :], strict=False)
    ]
    step = 1e3 * (clock.ended[-1] - clock.ended[_WARM_UP_STEPS - 1]) / steps
    return (
        f"\nOf {step:.1f} ms that a step takes, {statistics.mean(waits):.2f} lie between steps: "
        f"{statistics.mean(waits) / step:.1%} (median {statistics.median(waits):.2f}, most {max(waits):.0f})"
    )


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of this process's processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def row(name: str, tokens: int, clock: float, processor: float | None = None) -> None:
    print(f"| {name} | {tokens / clock:,.0f} | {f'{tokens / processor:,.0f}' if processor else ''} |")


if __name__ == "__main__":
    main()
