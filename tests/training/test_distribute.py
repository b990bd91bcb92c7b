"""Several devices, several machines: the same training as by one on the same batches. Each worker is a process."""

import itertools
import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_job import tiny_job, write_corpus
from worker_process import Worker, addresses, end_all

from nmt.config.file import dump_config
from nmt.data import preparation
from nmt.data.batches import Batch
from nmt.data.dataset import dataset
from nmt.data.preparer import Preparer
from nmt.runs.run import Run
from nmt.training.cluster import TRY_AGAIN
from nmt.training.step import TrainState, TrainStep

STEPS = 50
# SGD, as Adam would hide a gradient that is a multiple of the right one; without dropout, whose masks go by rows.
EXACT = (
    "protect=[]",
    "model.dropout={embedding: 0, layers: 0, output: 0}",
    "training.optimizer={name: sgd, clip_norm: 0.5}",
    "training.schedule={name: constant, learning_rate: 0.5, warmup_steps: 0}",
    "training.strategy=multi_worker",
    f"training.validate_every={STEPS}",
    f"training.max_steps={STEPS}",
)
# With dropout and pairs that differ in each epoch: all that has a state.
VARIED = (
    "training.accumulate_batches=2",
    "training.ema_decay=0.9",
    "tokenizer.sampling_alpha=0.3",
    "training.strategy=multi_worker",
    f"training.validate_every={STEPS // 2}",
    f"training.max_steps={STEPS}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    write_corpus(folder)
    return folder


@pytest.fixture(autouse=True)
def none_left():
    yield
    end_all()


def job(folder, name, *settings):
    config = tiny_job(folder, f"run={folder}/{name}", *settings)
    file = folder / f"{name}.yaml"
    file.write_text(dump_config(config))
    return config, file


def cluster(file, count, *overrides):
    of = addresses(count)
    return [Worker(file, *overrides, cluster=of, index=index) for index in range(count)]


def losses(run):
    events = map(json.loads, (Path(run) / "log.jsonl").read_text().splitlines())
    return {event["step"]: event["loss"] for event in events if event["event"] == "train"}


def assert_all_end_well(workers):
    for worker in workers:
        status, said = worker.end()
        assert status == 0, said


def until(done, workers):
    while not done():
        assert all(worker.running for worker in workers), [worker.said.read_text() for worker in workers]
        time.sleep(0.02)


# --- The same training ---


def joined(shares):
    """A batch with the rows of all workers' batches."""

    def sides():
        for parts in zip(*shares, strict=True):
            width = max(part.shape[1] for part in parts)
            yield np.concatenate([np.pad(part, [(0, 0), (0, width - part.shape[1])]) for part in parts])

    return Batch(*map(tf.constant, sides()))


def one_process(config, run, workers, monkeypatch, directory):
    """Losses and weights of one process that trains on the batches of so many workers."""
    monkeypatch.setattr(preparation, "_CHUNK_PAIRS", 10)
    state = TrainState(config, run.tokenizers, precision="float32")
    step = TrainStep(state, config, tf.distribute.get_strategy())
    step.compile(Batch(*[tf.TensorSpec([None, None], tf.int32)] * 3))
    Preparer(config, run.tokenizers, directory).prepare(0)
    shares = [
        preparation.finish(config, directory / "every-epoch", share=preparation.Share(index, workers))
        for index in range(workers)
    ]
    found = []
    for epoch in itertools.count():
        for parts in zip(*(dataset(share, epoch=epoch).as_numpy_iterator() for share in shares), strict=True):
            result = step([joined(parts)], config.training.schedule.learning_rate)
            found.append(float(result.loss / result.tokens))
            if len(found) == STEPS:
                return found, state.arrays()


@pytest.mark.parametrize("count", [2, 3])
def test_several_workers_train_as_one_process_on_the_same_batches(folder, count, monkeypatch, tmp_path):
    config, file = job(folder, f"exact-{count}", *EXACT)
    assert_all_end_well(cluster(file, count))
    run = Run.open(config.run)
    expected, arrays = one_process(config, run, count, monkeypatch, tmp_path)
    found = losses(run.path)
    assert sorted(found) == list(range(1, STEPS + 1))
    np.testing.assert_allclose([found[step] for step in sorted(found)], expected, rtol=1e-4)
    checkpoint = run.latest_checkpoint()
    assert checkpoint.step == STEPS
    for name, array in arrays.items():
        np.testing.assert_allclose(checkpoint.arrays[name], array, atol=1e-4, err_msg=name)


# --- Workers that are gone ---


@pytest.fixture(scope="module")
def whole(folder):
    """A training by two workers that was never stopped."""
    config, file = job(folder, "whole", *VARIED)
    assert_all_end_well(cluster(file, 2))
    return Run.open(config.run)


def assert_same_end(run, other):
    one, two = run.latest_checkpoint(), other.latest_checkpoint()
    assert one.step == two.step == STEPS
    assert one.arrays.keys() == two.arrays.keys()
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], two.arrays[name], name)
    assert losses(run.path) == losses(other.path)
    for name in one.progress.keys() - {"seconds", "cpu_seconds"}:
        assert one.progress[name] == two.progress[name], name


def test_a_killed_worker_stops_the_others_in_words_and_all_go_on_to_the_same_bits(folder, whole):
    config, file = job(folder, "killed", *VARIED)
    run = Path(config.run)
    workers = cluster(file, 2, "training.save_minutes=0.0001")
    until(lambda: list((run / "checkpoints").glob("*.npz")), workers)
    workers[1].send(signal.SIGKILL)
    status, said = workers[0].end()
    assert status == TRY_AGAIN, said
    message = said.splitlines()[-1]
    step = Run.open(run).latest_step()
    assert re.fullmatch(
        rf"nmt: error: worker 1 \(localhost:\d+\) is gone.*{run} is saved at step {step}\..*same command.*", message
    )
    assert "Traceback" not in said
    assert 0 < step < STEPS
    assert_all_end_well(cluster(file, 2))
    assert_same_end(Run.open(run), whole)


def test_a_signal_to_one_worker_saves_and_stops_all(folder):
    config, file = job(folder, "signalled", *VARIED)
    workers = cluster(file, 2)
    until(lambda: (Path(config.run) / "log.jsonl").is_file() and losses(config.run), workers)
    workers[1].send(signal.SIGTERM)
    for worker in workers:
        status, said = worker.end()
        assert status == 128 + signal.SIGTERM, said
        assert "is saved" in said
    assert Run.open(config.run).latest_step() < STEPS


def test_a_worker_that_never_comes_is_named_after_the_time_to_gather(folder):
    _, file = job(folder, "waiting", *VARIED, "training.gather_minutes=0.05")
    (alone, never) = addresses(2)
    status, said = Worker(file, cluster=[alone, never]).end()
    assert status == TRY_AGAIN, said
    assert re.search(rf"worker 0 has waited 0.05 minutes .* for worker 1 \({never}\)", said)


def test_workers_with_other_lists_of_workers_are_refused(folder):
    _, file = job(folder, "lists", *VARIED, "training.gather_minutes=0.1")
    of = addresses(3)
    workers = [Worker(file, cluster=of, index=0), Worker(file, cluster=of[:2], index=1)]
    ends = [worker.end() for worker in workers]
    assert {status for status, _ in ends} <= {2, TRY_AGAIN}
    assert any("all workers need the same list of workers in TF_CONFIG" in said for _, said in ends)


def test_workers_with_other_settings_are_refused_with_what_differs(folder):
    _, file = job(folder, "other", *VARIED)
    of = addresses(2)
    workers = [
        Worker(file, cluster=of),
        Worker(file, "training.label_smoothing=0.2", "seed=7", cluster=of, index=1),
    ]
    ends = [worker.end() for worker in workers]
    assert [status for status, _ in ends] == [2, 2], ends
    assert "another one has others than the first" in ends[0][1]
    assert "seed: 1 in the run, 7 now" in ends[1][1]
    assert "training.label_smoothing: 0.1 in the run, 0.2 now" in ends[1][1]
