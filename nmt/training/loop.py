"""The training loop: the same for one device, several, and several machines.

A run that was stopped, at whatever moment and by whatever means, is taken up by calling `train` again, and ends with
exactly the weights of one never stopped: a checkpoint holds all that a step changes (TrainState) and all that the loop
decides by (Progress), and the batches are a pure function of seed, epoch and place in the epoch.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nmt.data.batches import Batch
from nmt.data.preparation import Prepared, Share
from nmt.data.preparer import Preparer
from nmt.data.report import DataReport
from nmt.runs.run import Run, prepared_path
from nmt.search.confidence import TooFewLinesError
from nmt.training.callbacks import default_callbacks
from nmt.training.distribution import Workers, distributed_dataset
from nmt.training.interrupted import Interrupted
from nmt.training.messages import say
from nmt.training.progress import Progress
from nmt.training.schedule import learning_rate
from nmt.training.step import StepResult, TrainState, TrainStep, separate_seeds
from nmt.training.validation import Validator
from nmt.translation.calibrate import calibrate_run

# Steps before the end of an epoch at which the next one is opened, if it is prepared by then.
_AHEAD_STEPS = 32
# Steps between two reads of the loss: reading it waits for the device and, if there are several workers, for all.
_LOOK_STEPS = 10
# A loss this many times that of uniform guessing, over all steps between two reads, means divergence.
_DIVERGED = 2.0
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Opened(NamedTuple):
    """An epoch whose first batches are being read."""

    prepared: Prepared
    batch_signature: Any
    batches: Iterator[Batch]


class _Interval(NamedTuple):
    """Steps between two reads of the loss, and what they summed up to."""

    steps: int
    loss: float
    tokens: float
    seconds: float


def _latest(intervals: list[_Interval]) -> list[_Interval]:
    """The last of the intervals that together have _LOOK_STEPS steps: an epoch's last one may have a single step."""
    while sum(interval.steps for interval in intervals[1:]) >= _LOOK_STEPS:
        intervals = intervals[1:]
    return intervals


class Trainer:
    """One session of a training, from start or resume to stop."""

    def __init__(
        self, run: Run, progress: Progress, *, workers: Workers, callbacks: Sequence[keras.callbacks.Callback]
    ) -> None:
        self.run = run
        self.config = run.config
        self.training = run.config.training
        self.progress = progress
        self.workers = workers
        self.preparer = Preparer(
            self.config,
            run.tokenizers,
            prepared_path(run.path),
            share=Share(workers.index, workers.count),
            any_worker=workers.any,
        )
        with workers.strategy.scope():
            self.state = TrainState(self.config, run.tokenizers, precision=progress.precision)
            self.step = TrainStep(self.state, self.config, workers.strategy)
        own = default_callbacks(run) if workers.is_chief else []
        self.callbacks = keras.callbacks.CallbackList([*callbacks, *own], model=self.state.model)
        self.logs: dict[str, Any] = {}
        self._pending: list[tuple[int, float, StepResult]] = []
        self._recent: list[_Interval] = []
        self._next: _Opened | None = None
        self._signal: int | None = None
        self._saved_at = self._looked_at = time.monotonic()
        # The clocks continue as if this session had followed the others without a break.
        self._began_at = time.monotonic() - progress.seconds
        self._cpu_began_at = time.process_time() - progress.cpu_seconds

    @cached_property
    def validator(self) -> Validator:
        """Made when it is first needed, for the first step does not need it."""
        return Validator(self.config, self.run.tokenizers)

    def run_to_end(self) -> None:
        """Trains until one of training's limits is met.

        Raises: as `train`.
        """
        separate_seeds(self.state.seeds, self.workers.strategy)
        self.state.model.stop_training = False
        self.callbacks.on_train_begin()
        try:
            with self._noting_signals(), self.preparer:
                while not self.progress.end(self.training):
                    self._epoch()
                self._finish()
        finally:
            self.callbacks.on_train_end(self.logs)

    def _epoch(self) -> None:
        progress, epoch = self.progress, self.progress.epoch
        prepared, signature, batches = self._next or self._open(epoch)
        self._next = None
        self.step.compile(signature)
        self.callbacks.on_epoch_begin(epoch)
        steps = math.ceil((prepared.num_batches - progress.batch) / self.training.accumulate_batches)
        another = not dataclasses.replace(progress, epoch=epoch + 1, step=progress.step + steps).end(self.training)
        for number, group in enumerate(_groups(batches, self.training.accumulate_batches)):
            self._train_on(group)
            if another and not number:  # so that the first step waits for nothing else
                self.preparer.prepare_ahead(epoch + 1)
            if another and number == max(0, steps - _AHEAD_STEPS):
                self._open_ahead(epoch + 1)
            if self._between_steps():
                return
        self._look()
        if progress.batches_per_epoch is None:
            self._report(prepared.report)
        loss = progress.epoch_loss / max(1.0, progress.epoch_tokens)
        progress.batches_per_epoch = progress.batch
        progress.epoch, progress.batch, progress.epoch_loss, progress.epoch_tokens = epoch + 1, 0, 0.0, 0.0
        # If a run that ended here is continued, these weights are validated already.
        if not self.training.validate_every and progress.scored_step != progress.step:
            self._validate()
        scores = {f"val_{name}": score for name, score in progress.scores.items()}
        rate = learning_rate(self.training, progress.step, factor=progress.factor)
        self.callbacks.on_epoch_end(epoch, {"loss": loss, "learning_rate": rate, **scores})
        self._heed_callbacks()
        self._save()

    def _open(self, epoch: int) -> _Opened:
        """An epoch, from the place where this training is in it; waits until it is prepared."""
        progress, preparer = self.progress, self.preparer
        if self.workers.is_chief and preparer.in_background and not preparer.begun(epoch):
            say(f"Preparing the data of epoch {epoch + 1}.")
        prepared = preparer.prepare(epoch)
        batches = distributed_dataset(
            prepared,
            strategy=self.workers.strategy,
            epoch=epoch,
            skip=progress.batch if epoch == progress.epoch else 0,
            prefetch=self.config.data.prefetch,
        )
        return _Opened(prepared, batches.element_spec, iter(batches))

    def _open_ahead(self, epoch: int) -> None:
        """Opens the next epoch, so that its first batches are read while this one's last ones are trained on."""
        # Of several workers one may fail alone, and the others would wait for it.
        if self.workers.count == 1 and self.preparer.complete(epoch):
            with suppress(ValueError, OSError):  # raised again when that epoch begins, and this one is saved
                self._next = self._open(epoch)

    def _train_on(self, group: list[Batch]) -> None:
        progress = self.progress
        self.callbacks.on_train_batch_begin(progress.batch)
        rate = learning_rate(self.training, progress.step + 1, factor=progress.factor)
        self._pending.append((progress.step + 1, rate, self.step(group, rate)))
        progress.step += 1
        progress.batch += len(group)
        if progress.step % _LOOK_STEPS == 0:
            self._look()
        self.callbacks.on_train_batch_end(progress.batch - 1, self.logs)

    def _between_steps(self) -> bool:
        """Validates and saves when due; returns whether training has ended."""
        every = self.training.validate_every
        if every and self.progress.step % every == 0:
            self._validate()
            self._save()
        elif self._any_worker(time.monotonic() - self._saved_at > 60 * self.training.save_minutes):
            self._save()
        self._heed_callbacks()
        if self._any_worker(self._signal is not None):
            self._save()
            self.workers.part()
            raise Interrupted(self._signal or signal.SIGTERM, self.run)
        return self.progress.end(self.training) is not None

    def _any_worker(self, flag: bool) -> bool:
        """Whether the flag is set for any worker. Workers must ask each other after the same step, so rarely."""
        if self.workers.count > 1 and self.progress.step % _LOOK_STEPS:
            return False
        return self.workers.any(flag)

    def _heed_callbacks(self) -> None:
        self.progress.stopped_by_callback |= self.state.model.stop_training

    def _look(self) -> None:
        """Fetches the losses of the steps since the last read, and checks them."""
        progress, now = self.progress, time.monotonic()
        progress.seconds = self.workers.mean(now - self._began_at)
        progress.cpu_seconds = time.process_time() - self._cpu_began_at
        if not self._pending:
            return
        loss = tokens = norm = 0.0
        for step, rate, result in self._pending:
            step_loss, step_tokens, norm = (float(value) for value in result)
            if not (math.isfinite(step_loss) and math.isfinite(norm)):
                raise self._diverged(f"is {step_loss / step_tokens} (gradient norm {norm})", step, rate)
            loss, tokens = loss + step_loss, tokens + step_tokens
            progress.epoch_loss += step_loss
            progress.epoch_tokens += step_tokens
        self._recent = _latest([*self._recent, _Interval(len(self._pending), loss, tokens, now - self._looked_at)])
        interval = _Interval(*map(sum, zip(*self._recent, strict=True)))
        evenly = math.log(self.run.tokenizers.target.vocabulary_size)
        if len(self._pending) == _LOOK_STEPS and loss / tokens > _DIVERGED * evenly:
            raise self._diverged(f"has risen to {loss / tokens:.3g} (guessing evenly has {evenly:.3g})", step, rate)
        done = progress.share_done(self.training)
        self.logs = {
            "step": step,
            "epoch": progress.epoch,
            "loss": interval.loss / interval.tokens,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": interval.tokens / interval.seconds,
            "seconds": progress.seconds,
            "cpu_seconds": progress.cpu_seconds,
            "done": done,
            "remaining_seconds": progress.seconds * (1 - done) / done if done else None,
        }
        self._pending.clear()
        self._looked_at = now

    def _diverged(self, what: str, step: int, rate: float) -> ValueError:
        self.workers.part()  # all have the same loss
        saved = self.run.latest_step()
        good = f"the last good checkpoint is step {saved:,}" if saved is not None else "there is no checkpoint yet"
        return ValueError(
            f"training diverged: the loss {what} at step {step:,}, learning rate {rate:.3g}; {good}, in "
            f"{self.run.path}. Start a new run with a lower training.schedule.learning_rate, a longer "
            "training.schedule.warmup_steps or a smaller training.optimizer.clip_norm"
        )

    def _validate(self) -> None:
        progress = self.progress
        self._look()
        self.callbacks.on_test_begin()
        weights = self.state.weights()
        best = progress.judge(self.validator(weights), self.training)
        if best and self.workers.is_chief:
            self.run.save_weights("best", weights)
        self._keep_for_average(weights)
        self._look()
        self.callbacks.on_test_end(self._validation_logs(best))
        # Validation does not count as time of the steps.
        self._looked_at = time.monotonic()

    def _validation_logs(self, best: bool) -> dict[str, Any]:
        names = ("step", "epoch", "seconds", "cpu_seconds")
        return {**{name: getattr(self.progress, name) for name in names}, **self.progress.scores, "best": best}

    def _keep_for_average(self, weights: dict[str, np.ndarray]) -> None:
        if self.training.average_checkpoints > 1:
            kept = [*self.progress.kept_validations, self.progress.step]
            self.progress.kept_validations = kept[-self.training.average_checkpoints :]
            if self.workers.is_chief:
                self.run.save_weights(self.progress.step, weights)

    def _finish(self) -> None:
        progress = self.progress
        if progress.scored_step != progress.step:
            self._validate()
        if len(progress.kept_validations) > 1:
            self._try_average()
        if self.workers.is_chief:
            self._calibrate()
        progress.finished_step = progress.step
        self._save()
        if self.workers.is_chief:
            self.preparer.delete()

    def _calibrate(self) -> None:
        """Fits the confidence of the best weights."""
        try:
            calibration = calibrate_run(self.run)
        except TooFewLinesError as error:
            say(f"Translations will have no confidence: {error}.")
            return
        correlation = {"pearson": calibration.pearson, "spearman": calibration.spearman}
        self.run.log(event="calibration", step=self.progress.step, lines=calibration.lines, **correlation)

    def _try_average(self) -> None:
        """Averages the weights of the last validations, and keeps that as best where it is better."""
        progress = self.progress
        kept = [self.run.load_weights(step) for step in progress.kept_validations]
        average = {name: np.mean([weights[name] for weights in kept], axis=0) for name in kept[0]}
        scores = self.validator(average)
        best = progress.take_if_better(scores, self.training)
        if self.workers.is_chief:
            if best:
                self.run.save_weights("best", average)
            self.run.log(event="average", step=progress.step, of=progress.kept_validations, **scores, best=best)
            say(
                f"The average of the last {len(kept)} validations' weights has {self.training.metric} "
                f"{scores[self.training.metric]:.3f}: " + ("kept as best." if best else "not better, left aside.")
            )

    def _save(self) -> None:
        self._look()
        if self.workers.is_chief:
            self.run.save_checkpoint(self.progress.step, self.state.arrays(), dataclasses.asdict(self.progress))
            self.run.keep_validations(self.progress.kept_validations)
        self._saved_at = time.monotonic()

    def _report(self, report: DataReport) -> None:
        if self.workers.is_chief:
            say(str(report))
            self.run.log(event="data", corpora=[dataclasses.asdict(corpus) for corpus in report.corpora])

    @contextmanager
    def _noting_signals(self) -> Iterator[None]:
        """After the first of these signals the step is finished and the run saved; the second acts at once.

        `nohup` has a process ignore SIGHUP, and it stays so.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _STOPPING}
        if before.get(signal.SIGHUP) is signal.SIG_IGN:
            del before[signal.SIGHUP]

        def note(number: int, _frame: object) -> None:
            self._signal = number
            signal.signal(number, before[signal.Signals(number)])
            say(f"{signal.Signals(number).name}: saving, then stopping; once more stops at once.")

        for number in before:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _groups(iterator: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    try:
        while group := list(itertools.islice(iterator, size)):
            yield group
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        raise ValueError(
            f"prepared data cannot be read ({error.message}): delete the directory `prepared` of the run, and run the "
            "command again, which prepares them anew"
        ) from None
