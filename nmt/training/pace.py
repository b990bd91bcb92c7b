"""How fast this machine trains a job: measured by training it for a moment."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

from nmt.config.settings import Config
from nmt.data.preparation import Prepared, begin, finish, prepare_shards
from nmt.model.precision import choose_precision
from nmt.text.tokenizer import Tokenizers, train_tokenizers
from nmt.training.distribution import Workers, distributed_dataset, make_strategy
from nmt.training.step import TrainState, TrainStep

# The first steps trace the graph and warm up.
_UNCOUNTED_STEPS = 5
_SECONDS = 30.0
# So many pairs at the start of the corpora are enough to train on.
_PAIRS = 16_384


def steps_per_minute(config: Config, *, seconds: float = _SECONDS) -> float:
    """Trains the job for some seconds, after its first steps, and forgets it. Validation is not measured."""
    tokenizers = train_tokenizers(config)
    workers = Workers(make_strategy(config.training.strategy))
    with workers.strategy.scope():
        state = TrainState(
            config, tokenizers, precision=choose_precision(config.training.precision, for_any=workers.any)
        )
        step = TrainStep(state, config, workers.strategy)
    with tempfile.TemporaryDirectory() as folder:
        prepared = _first_pairs(config, tokenizers, Path(folder))
        steps, began_at = -_UNCOUNTED_STEPS, 0.0
        for epoch in itertools.count():
            batches = distributed_dataset(
                prepared, strategy=workers.strategy, epoch=epoch, prefetch=config.data.prefetch
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


def _first_pairs(config: Config, tokenizers: Tokenizers, directory: Path) -> Prepared:
    window = min(_PAIRS, config.data.shuffle_window)
    config = config.model_copy(update={"data": config.data.model_copy(update={"shuffle_window": window})})
    begin(directory, "of no other use")
    prepare_shards(config, tokenizers, directory, epoch=0, windows=1)
    return finish(config, directory, windows=1)
