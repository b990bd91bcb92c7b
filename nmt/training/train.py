"""Starts or resumes the training of a job: its run, its tokenizers, what it begins with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext

import keras

from nmt.config.resuming import is_begun
from nmt.config.settings import Config
from nmt.corpus.habits import measure_habits
from nmt.corpus.quick_check import quick_check, tokenizers_from
from nmt.model.precision import choose_precision
from nmt.runs.corpora import changed_corpora, record_corpora
from nmt.runs.lock import trained_alone
from nmt.runs.run import Run
from nmt.text.tokenizer import Tokenizers, train_tokenizers
from nmt.training.callbacks import say
from nmt.training.distribution import Workers, make_strategy
from nmt.training.loop import Trainer
from nmt.training.optimizer import make_optimizer
from nmt.training.progress import Progress


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
    """
    # Several workers: this comes before any other use of TensorFlow.
    workers = Workers(make_strategy(config.training.strategy))
    with trained_alone(config.run) if workers.is_chief else nullcontext():
        return _train(config, workers, callbacks)


def _train(config: Config, workers: Workers, callbacks: Sequence[keras.callbacks.Callback]) -> Run:
    run = _open_run(config, workers)
    checkpoint = run.latest_checkpoint()
    if not checkpoint:
        progress = Progress(precision=choose_precision(config.training.precision, for_any=workers.any))
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
    trainer.run_to_end()
    if workers.is_chief:
        say(f"Trained: {progress.end(config.training)}.\n{next_commands(run)}")
    return run


def next_commands(run: Run) -> str:
    """The next commands for a trained run."""
    path, export = shlex.quote(str(run.path)), shlex.quote(f"{run.path}-export")
    return (
        f"  nmt translate {path}\n  nmt evaluate {path}\n  nmt export {path} {export}\n"
        "translate lines typed in, score it on the test sets, make a SavedModel for TensorFlow Serving."
    )


def _open_run(config: Config, workers: Workers) -> Run:
    """The job's run; the first worker creates it if it is new."""
    make_optimizer(config.training.optimizer)  # so that errors in its arguments appear before a tokenizer is trained
    if workers.is_chief:
        report = quick_check(config)
        if report.errors:
            raise ValueError(report.refusal())
        if report.warnings:
            say(str(report))
        run = _resume(config) if is_begun(config.run) else _create(config)
    workers.mean(0.0)
    return run if workers.is_chief else Run.open(config.run)


def _create(config: Config) -> Run:
    run = Run.create(config, _tokenizers(config))
    for side, tokenizer in run.tokenizers._asdict().items():
        if tokenizer.vocabulary_size < config.tokenizer.vocabulary_size and not tokenizers_from(config):
            say(
                f"The {side} vocabulary has {tokenizer.vocabulary_size:,} pieces, not the "
                f"{config.tokenizer.vocabulary_size:,} of tokenizer.vocabulary_size: the text has no more."
            )
    record_corpora(run.path, config)
    run.save_habits(measure_habits(config))
    return run


def _resume(config: Config) -> Run:
    for change in changed_corpora(config.run, config):
        say(f"Warning: {change}; what follows is trained on other text than what came before")
    return Run.resume(config)


def _tokenizers(config: Config) -> Tokenizers:
    other = tokenizers_from(config)
    return Run.open(other).tokenizers if other else train_tokenizers(config)
