"""Several devices, several machines: the same training. Each role is a process of its own, made by this file."""

import json
import os
import socket
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


def train_as(strategy: str, folder: Path) -> None:
    import tensorflow as tf

    from nmt.training.train import train

    if strategy != "multi_worker":
        [processor] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    train(tiny_job(folder, *SETTINGS, f"run={folder}/{strategy}", f"training.strategy={strategy}"))
    if strategy == "mirrored":
        train(tiny_job(folder, *SETTINGS, f"run={folder}/default"))
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
    """The same job trained with each strategy: by name, its run."""
    folder = tmp_path_factory.mktemp("distributed")
    write_corpus(folder)
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    processes = [process("mirrored", folder)]
    for index in range(2):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        processes.append(process("multi_worker", folder, TF_CONFIG=json.dumps(cluster)))
    for started in processes:
        _, error = started.communicate()
        assert started.returncode == 0, error[-4000:]
    return {name: Run.open(folder / name) for name in ("default", "mirrored", "multi_worker")}


def process(strategy: str, folder: Path, **environment: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    command = [sys.executable, __file__, strategy, str(folder)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_two_replicas_train_the_weights_of_one(runs, strategy):
    expected, found = (runs[name].latest_checkpoint() for name in ("default", strategy))
    assert (found.step, found.progress["batch"]) == (expected.step, expected.progress["batch"])
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, atol=1e-5, err_msg=name)
    assert found.progress["scores"] == pytest.approx(expected.progress["scores"], rel=1e-4)


@pytest.mark.parametrize("strategy", ["default", "mirrored", "multi_worker"])
def test_one_process_alone_writes_the_run(runs, strategy):
    lines = (runs[strategy].path / "log.jsonl").read_text().splitlines()
    validated = [json.loads(line)["step"] for line in lines if json.loads(line)["event"] == "validation"]
    assert validated == sorted(set(validated))
    assert validated[-1] == 4


if __name__ == "__main__":
    train_as(sys.argv[1], Path(sys.argv[2]))
