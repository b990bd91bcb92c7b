"""How fast this machine trains a job: measured by training it for a moment."""

from __future__ import annotations

import itertools
import time

from nmt.config.settings import Config
from nmt.data.batches import DataReport
from nmt.model.precision import choose_precision
from nmt.text.tokenizer import train_tokenizers
from nmt.training.distribution import Workers, distributed_dataset, make_strategy
from nmt.training.step import TrainState, TrainStep

# The first steps trace the graph and warm up.
_UNCOUNTED_STEPS = 5
_SECONDS = 30.0


def steps_per_minute(config: Config, *, seconds: float = _SECONDS) -> float:
    """Trains the job for some seconds, after its first steps, and forgets it. Validation is not measured."""
    tokenizers = train_tokenizers(config)
    workers = Workers(make_strategy(config.training.strategy))
    with workers.strategy.scope():
        state = TrainState(
            config, tokenizers, precision=choose_precision(config.training.precision, for_any=workers.any)
        )
        step = TrainStep(state, config, workers.strategy)
    steps, began_at = -_UNCOUNTED_STEPS, 0.0
    for epoch in itertools.count():
        batches = distributed_dataset(
            config, tokenizers, strategy=workers.strategy, epoch=epoch, skip=0, report=DataReport()
        )
        step.compile(batches.element_spec)
        for batch in batches:
            float(step([batch], config.training.schedule.learning_rate).loss)  # waits for the step
            steps += 1
            if steps == 0:
                began_at = time.monotonic()
            elif steps > 0 and time.monotonic() - began_at > seconds:
                return 60.0 * steps / (time.monotonic() - began_at)
    raise AssertionError("epochs never end")
