"""What a training shows while it runs, as Keras callbacks: on the terminal, in log.jsonl, in TensorBoard.

They read the logs that training hands to all callbacks. After a batch: step, epoch, loss, learning_rate, gradient_norm,
tokens_per_second (target tokens), seconds and cpu_seconds (of training, resumed runs added up), done (0..1) and
remaining_seconds (None while unknown); renewed every few steps. After a validation: step, epoch, seconds, cpu_seconds,
loss, perplexity, bleu, chrf, best (whether it is the best so far).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import keras
import tensorflow as tf
from tqdm.asyncio import tqdm_asyncio
from tqdm.auto import tqdm

from nmt.runs.run import Run
from nmt.training.messages import say

_LINE_SECONDS = 30.0
_LOG_STEPS = 50


def default_callbacks(run: Run) -> list[keras.callbacks.Callback]:
    """The callbacks of every training."""
    in_notebook = tqdm is not tqdm_asyncio  # what tqdm.auto takes for a terminal, or where there is none
    display = ProgressBar() if in_notebook or sys.stderr.isatty() else ProgressLines()
    tensorboard = [TensorBoardScalars(run)] if run.config.training.tensorboard else []
    return [display, RunLog(run), *tensorboard]


class _Monitor(keras.callbacks.Callback):
    """Detects what is new in the logs, and restores integers that Keras has made floats."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if logs and logs["step"] > self._seen:
            self._seen = int(logs["step"])
            self.on_training_news({**logs, "step": int(logs["step"]), "epoch": int(logs["epoch"])})

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        whole = {"step": int(logs["step"]), "epoch": int(logs["epoch"]), "best": bool(logs["best"])}
        self.on_validation_news({**logs, **whole})

    def on_training_news(self, logs: dict[str, Any]) -> None:
        """The logs of a later step than before."""

    def on_validation_news(self, logs: dict[str, Any]) -> None:
        """The logs of a validation."""


class ProgressBar(_Monitor):
    """A bar for a terminal, on stderr, or for a notebook."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: tqdm | None = None
        self._scores = ""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._bar = tqdm(total=100.0, leave=False, bar_format="{percentage:3.0f}%|{bar:20}| {desc}", dynamic_ncols=True)

    def on_training_news(self, logs: dict[str, Any]) -> None:
        assert self._bar is not None
        self._bar.n = 100.0 * logs["done"]
        self._bar.set_description_str(training_line(logs) + self._scores)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        assert self._bar is not None
        self._bar.set_description_str("validating")

    def on_validation_news(self, logs: dict[str, Any]) -> None:
        say(validation_line(logs))
        self._scores = f" | BLEU {logs['bleu']:.1f} chrF {logs['chrf']:.1f}"

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._bar is not None:
            self._bar.close()


class ProgressLines(_Monitor):
    """A line every half minute on stderr, where it is not a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._next_line = time.monotonic()

    def on_training_news(self, logs: dict[str, Any]) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            say(training_line(logs))

    def on_validation_news(self, logs: dict[str, Any]) -> None:
        say(validation_line(logs))


class RunLog(_Monitor):
    """log.jsonl: one object per line, with event "train" or "validation"."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self._next_step = 0

    def on_training_news(self, logs: dict[str, Any]) -> None:
        if logs["step"] >= self._next_step:
            self._next_step = logs["step"] + _LOG_STEPS
            self._run.log(event="train", **logs)

    def on_validation_news(self, logs: dict[str, Any]) -> None:
        self._run.log(event="validation", **logs)


class TensorBoardScalars(_Monitor):
    """Scalars by step, under train/ and validation/."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(run.path / "tensorboard"))

    def on_training_news(self, logs: dict[str, Any]) -> None:
        self._write("train", logs, ("loss", "learning_rate", "gradient_norm", "tokens_per_second"))

    def on_validation_news(self, logs: dict[str, Any]) -> None:
        self._write("validation", logs, ("loss", "perplexity", "bleu", "chrf"))
        self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._writer.close()

    def _write(self, group: str, logs: dict[str, Any], names: tuple[str, ...]) -> None:
        with self._writer.as_default(step=logs["step"]):
            for name in names:
                tf.summary.scalar(f"{group}/{name}", logs[name])


def training_line(logs: dict[str, Any]) -> str:
    """The logs of a batch in words."""
    remaining = logs["remaining_seconds"]
    return (
        f"epoch {logs['epoch'] + 1} step {logs['step']:,} | loss {logs['loss']:.3f} | "
        f"learning rate {logs['learning_rate']:.2e} | {logs['tokens_per_second']:,.0f} tokens/s | "
        f"{duration(logs['seconds'])}" + ("" if remaining is None else f", {duration(remaining)} left")
    )


def validation_line(logs: dict[str, Any]) -> str:
    """The logs of a validation in words."""
    return (
        f"validation at step {logs['step']:,}: loss {logs['loss']:.3f}, perplexity {logs['perplexity']:.2f}, "
        f"BLEU {logs['bleu']:.2f}, chrF {logs['chrf']:.2f}" + (" (best so far)" if logs["best"] else "")
    )


def duration(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
