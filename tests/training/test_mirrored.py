"""Several devices of one machine: the same training as on one. They are a process of their own, made by this file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_job import tiny_job, write_corpus

from nmt.runs.run import Run

# SGD, as Adam would hide a gradient that is a multiple of the right one; without dropout, whose masks go by rows.
SETTINGS = (
    "model.dropout={embedding: 0, layers: 0, output: 0}",
    "training.optimizer={name: sgd, clip_norm: 0.5}",
    "training.schedule={name: constant, learning_rate: 1.0, warmup_steps: 0}",
    "training.accumulate_batches=2",
    "training.ema_decay=0.9",
    "training.max_steps=4",
)


def train_on_both(folder: Path) -> None:
    import tensorflow as tf

    from nmt.training.train import train

    [processor] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    for strategy in ("mirrored", "default"):
        train(tiny_job(folder, *SETTINGS, f"run={folder}/{strategy}", f"training.strategy={strategy}"))
    compare_dropout()


def compare_dropout() -> None:
    """Replicas must not drop the same units, and only the first one's generator is saved."""
    import keras
    import tensorflow as tf

    from nmt.training.distribution import make_strategy
    from nmt.training.step import separate_seeds

    strategy = make_strategy("mirrored")
    with strategy.scope():
        generator = keras.random.SeedGenerator(5)
    saved = generator.state.numpy()
    separate_seeds([generator.state], strategy)
    assert (generator.state.numpy() == saved).all()
    draw = tf.function(lambda: strategy.run(lambda: keras.random.uniform([50], seed=generator)))
    for _ in range(2):
        one, two = strategy.experimental_local_results(draw())
        assert not np.intersect1d(one, two).size


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same job trained on one device and on two: by strategy, its run."""
    folder = tmp_path_factory.mktemp("mirrored")
    write_corpus(folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: Run.open(folder / name) for name in ("default", "mirrored")}


def test_two_replicas_train_the_weights_of_one(runs):
    expected, found = (runs[name].latest_checkpoint() for name in ("default", "mirrored"))
    assert (found.step, found.progress["batch"]) == (expected.step, expected.progress["batch"])
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, atol=1e-5, err_msg=name)
    assert found.progress["scores"] == pytest.approx(expected.progress["scores"], rel=1e-4)


if __name__ == "__main__":
    train_on_both(Path(sys.argv[1]))
