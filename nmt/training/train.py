"""Starts or resumes the training of a job."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import keras
import tensorflow as tf

from nmt.config.resuming import differences
from nmt.config.settings import Config
from nmt.model.precision import choose_precision
from nmt.runs.lock import trained_alone
from nmt.runs.run import Run
from nmt.training.cluster import Cluster, gather, read_cluster
from nmt.training.distribution import Workers, lost_worker, make_strategy
from nmt.training.loop import Trainer
from nmt.training.messages import say
from nmt.training.opening import open_run
from nmt.training.optimizer import make_optimizer
from nmt.training.progress import BATCH_ORDER, Progress


def train(config: Config, *, callbacks: Sequence[keras.callbacks.Callback] = ()) -> Run:
    """Trains the job, or resumes it where it was stopped; returns its run.

    Args:
        callbacks: Keras callbacks beside those of callbacks.py, whose docstring says what their logs hold. At the end
            of an epoch: loss, learning_rate, val_loss, val_perplexity, val_bleu, val_chrf. A callback's own state is
            not saved, a resumed training begins with it anew. With several workers each has its own callbacks, which
            must decide alike.

    Raises:
        ValueError: for files or settings that cannot be trained on, a run of another job, a loss that diverges.
        Interrupted: after SIGINT, SIGTERM or SIGHUP, when the run is saved.
        WorkerLostError: if one of several workers is gone.
    """
    if config.training.strategy == "multi_worker":
        return _train_together(config, read_cluster(), callbacks)
    with trained_alone(config.run), _graphs_as_traced():
        return _train(config, Workers(make_strategy(config.training.strategy)), callbacks)


def _train_together(config: Config, cluster: Cluster, callbacks: Sequence[keras.callbacks.Callback]) -> Run:
    """`train` by several workers."""
    gather(cluster, minutes=config.training.gather_minutes)
    try:
        # Before any other use of TensorFlow.
        workers = Workers(make_strategy(config.training.strategy))
        with trained_alone(config.run) if workers.is_chief else nullcontext():
            run = _train(config, workers, callbacks)
            workers.part()
            return run
    except tf.errors.OpError as error:
        raise lost_worker(error, cluster, config.run) or error from None


def _train(config: Config, workers: Workers, callbacks: Sequence[keras.callbacks.Callback]) -> Run:
    make_optimizer(config.training.optimizer)  # so that errors in its arguments appear before a tokenizer is trained
    chief_run = open_run(config) if workers.is_chief else None
    workers.mean(0.0)
    run = chief_run or Run.open(config.run)
    _check_same_settings(run, config, workers)
    checkpoint = run.latest_checkpoint()
    if not checkpoint:
        progress = Progress(
            precision=choose_precision(config.training.precision, for_any=workers.any),
            order=BATCH_ORDER,
            workers=workers.count,
        )
        trainer = Trainer(run, progress, workers=workers, callbacks=callbacks)
        if start := config.training.start_from:
            trainer.state.start_from(Run.open(start).load_weights())
            say(f"Starting from the best weights of {start}.")
    else:
        progress = Progress(**checkpoint.progress)
        if (end := progress.end(config.training)) and progress.finished_step == progress.step:
            say(f"{run.path} is already trained to its end: {end}.\n{next_commands(run)}")
            return run
        trainer = Trainer(run, progress, workers=workers, callbacks=callbacks)
        trainer.state.restore(checkpoint.arrays)
        say(f"Continuing {run.path} at step {progress.step:,}, epoch {progress.epoch + 1}.")
        if (progress.order, progress.workers) != (BATCH_ORDER, workers.count) and progress.batch:
            before = f"{progress.workers} workers" if progress.workers != workers.count else "an earlier version"
            say(
                f"Warning: {before} began epoch {progress.epoch + 1}, with its batches in another order: "
                "some of its pairs will be trained on twice, some not at all. From the next epoch on all is as usual."
            )
        progress.order, progress.workers = BATCH_ORDER, workers.count
    trainer.run_to_end()
    if workers.is_chief:
        say(f"Trained: {progress.end(config.training)}.\n{next_commands(run)}")
    return run


@contextmanager
def _graphs_as_traced() -> Iterator[None]:
    """On CPUs, without TensorFlow's rewriting of graphs, which delays the first step and makes none faster."""
    if tf.config.list_physical_devices("GPU"):
        yield
        return
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def _check_same_settings(run: Run, config: Config, workers: Workers) -> None:
    """The first worker's settings are in the run; with others, another worker would do something else."""
    differing = differences(run.config, config)
    if workers.any(bool(differing)):
        workers.part()
        raise ValueError(
            "all workers need the same settings, and those of the first one are others than here:\n"
            + "\n".join(differing)
            if differing
            else "all workers need the same settings, and another one has others than the first: see its message"
        )


def next_commands(run: Run) -> str:
    """The next commands for a trained run."""
    path, export = shlex.quote(str(run.path)), shlex.quote(f"{run.path}-export")
    return (
        f"  nmt translate {path}\n  nmt evaluate {path}\n  nmt export {path} {export}\n"
        "translate lines typed in, score it on the test sets, make a SavedModel for TensorFlow Serving."
    )
