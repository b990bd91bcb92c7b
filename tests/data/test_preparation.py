"""Prepared data: whatever stops the processes that prepare them, they are those that one process prepares."""

import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prepared_corpus import prepared, sentences, write

from nmt.corpus.quick_check import quick_check
from nmt.data import preparation, preparer
from nmt.data.dataset import dataset
from nmt.data.preparer import Preparer
from nmt.data.shards import framed
from nmt.text import known_files, lines

VARIED = {"sampling_alpha": 0.3, "case_augmentation": 0.3, "shuffle_window": 60}


def files(directory: Path) -> dict[str, str]:
    """What an epoch's directory holds, as hashes by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
        if path.name != "fingerprint"
    }


@pytest.fixture
def small_parts(monkeypatch):
    """So that a small corpus has several shards of several chunks."""
    monkeypatch.setattr(preparation, "_SHARD_PAIRS", 25)
    monkeypatch.setattr(preparation, "_CHUNK_PAIRS", 10)


def test_several_processes_make_the_files_of_one(job, tokenizers, tmp_path, small_parts):
    config = job(**VARIED)
    prepared(config, tokenizers, tmp_path / "one", epoch=3)
    preparation.begin(tmp_path / "three", "the same")
    for index in (2, 0, 1):
        preparation.prepare_shards(config, tokenizers, tmp_path / "three", epoch=3, index=index, count=3)
    preparation.finish(config, tmp_path / "three")
    assert files(tmp_path / "one") == files(tmp_path / "three")
    assert len(list((tmp_path / "one").glob("*.tfrecord"))) > 10


def test_missing_torn_and_half_written_shards_are_made_again_and_no_others(job, tokenizers, tmp_path, small_parts):
    config = job(**VARIED)
    prepared(config, tokenizers, tmp_path, epoch=1)
    whole = files(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "shard-00001.json").unlink()
    (tmp_path / "shard-00002.tfrecord").unlink()
    os.truncate(tmp_path / "shard-00003.tfrecord", 100)
    (tmp_path / "shard-00004.json").write_text('{"records": 1')
    (tmp_path / "shard-00005.tfrecord.17.unfinished").write_bytes(b"half")
    untouched = (tmp_path / "shard-00000.tfrecord").stat().st_mtime_ns
    prepared(config, tokenizers, tmp_path, epoch=1)
    assert files(tmp_path) == whole
    assert (tmp_path / "shard-00000.tfrecord").stat().st_mtime_ns == untouched


def test_what_lies_before_the_window_of_a_place_is_not_read(job, tokenizers, tmp_path):
    data = prepared(job(shuffle_window=100), tokenizers, tmp_path)
    whole = [batch.source.tolist() for batch in dataset(data, epoch=4).as_numpy_iterator()]
    skip = sum(len(window.batches) for window in data.windows[:2]) + 1
    for window in data.windows[:2]:
        for piece in window.pieces:
            (tmp_path / piece.file).unlink()
    rest = [batch.source.tolist() for batch in dataset(data, epoch=4, skip=skip).as_numpy_iterator()]
    assert rest == whole[skip:]


def test_without_sampling_and_augmentation_one_preparation_serves_all_epochs_in_other_orders(job, tokenizers, tmp_path):
    with Preparer(job(), tokenizers, tmp_path) as plain:
        first, second = plain.prepare(0), plain.prepare(1)
    assert first == second
    orders = [[batch.source.tolist() for batch in dataset(first, epoch=epoch).as_numpy_iterator()] for epoch in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(row for batch in orders[0] for row in map(tuple, batch)) != []


def test_with_them_each_epoch_is_prepared_and_never_more_than_two_are_kept(job, tokenizers, tmp_path):
    with Preparer(job(**VARIED), tokenizers, tmp_path) as varied:
        for epoch in range(4):
            assert varied.prepare(epoch).directory.name == f"epoch-{epoch:05d}"
            assert len(list(tmp_path.glob("epoch-*"))) <= 2


def test_data_are_stale_when_the_corpus_the_tokenizer_or_a_setting_changes(job, tokenizers, folder, tmp_path):
    write(folder, "changing", sentences("c", 40))

    def ready(config):
        return Preparer(config, tokenizers, tmp_path).ready(0) is not None

    config = job([("changing", 1.0)])
    assert not ready(config)
    with Preparer(config, tokenizers, tmp_path) as made:
        made.prepare(0)
    assert ready(config)
    assert ready(config.model_copy(update={"data": config.data.model_copy(update={"prefetch": 3})}))
    assert not ready(job([("changing", 1.0)], max_length=59))
    assert not ready(job([("changing", 2.0)]))
    assert not ready(job([("changing", 1.0)], seed=7))
    swapped = type(tokenizers)(tokenizers.target, tokenizers.source)
    assert Preparer(config, swapped, tmp_path).ready(0) is None
    write(folder, "changing", [*sentences("c", 39), ("another", "one")])
    assert not ready(config)


def test_a_second_start_on_prepared_data_reads_no_corpus(job, tokenizers, folder, tmp_path, monkeypatch):
    """So it takes no longer where corpora are large. Another process has no more than what is in the directory."""
    write(folder, "long", sentences("l", 40))
    config = job([("long", 1.0)])
    quick_check(config)  # reads the other files
    with Preparer(config, tokenizers, tmp_path) as first:
        first.prepare(0)
    monkeypatch.setattr(known_files, "_known", {})

    def reading(path):
        pytest.fail(f"{path} is read")

    monkeypatch.setattr(lines, "open_text", reading)
    monkeypatch.setattr(known_files.hashlib, "file_digest", reading)
    with Preparer(config, tokenizers, tmp_path) as second:
        assert quick_check(config).errors == []
        assert not second.in_background
        assert second.ready(0) is not None


@pytest.fixture
def in_background(monkeypatch):
    monkeypatch.setattr(preparer, "_FEW_PAIRS", 0)


def test_workers_prepare_an_epoch_ahead_what_one_process_prepares(job, tokenizers, tmp_path, in_background):
    config = job(**VARIED)
    with Preparer(config, tokenizers, tmp_path / "workers", processes=2) as ahead:
        ahead.prepare(0)
        ahead.prepare_ahead(1)
        directory = ahead.prepare(1).directory
    prepared(config, tokenizers, tmp_path / "one", epoch=1)
    assert files(directory) == files(tmp_path / "one")


def test_an_epoch_stays_while_the_next_one_is_complete_and_goes_when_that_after_it_is_begun(
    job, tokenizers, tmp_path, in_background
):
    with Preparer(job(**VARIED), tokenizers, tmp_path, processes=2) as ahead:
        ahead.prepare(0)
        for used in range(3):
            assert not ahead.complete(used + 1)
            ahead.prepare_ahead(used + 1)
            while not ahead.complete(used + 1):
                time.sleep(0.001)
            ahead.prepare(used + 1)
            kept = {f"epoch-{epoch:05d}" for epoch in (used, used + 1)}
            assert {path.parent.name for path in tmp_path.glob("epoch-*/manifest.json")} == kept


def test_workers_end_with_the_process_that_started_them(tmp_path):
    code = (
        "import sys, time; from nmt.data.preparer import _start; worker = _start();"
        "print(worker.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    for _ in range(600):
        if not Path(f"/proc/{worker}/stat").exists() or " Z " in Path(f"/proc/{worker}/stat").read_text():
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker lives on")


# A worker process that comes no further than into its third shard.
STUCK = """
import itertools, time
from nmt.data import preparation, worker

calls, tokenized = itertools.count(), preparation.tokenized

def stuck(*arguments, **settings):
    if next(calls) == 2:
        time.sleep(600)
    return tokenized(*arguments, **settings)

preparation.tokenized = stuck
worker.main()
"""


def test_what_a_killed_worker_had_begun_is_made_again_to_the_same_bytes_and_no_more(
    job, tokenizers, tmp_path, in_background, monkeypatch
):
    config = job(**VARIED)
    made = tmp_path / "killed" / "epoch-00001"
    started = []

    def start():
        program = ["-c", STUCK] if started else ["-m", "nmt.data.worker"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, *program], env=preparer._environment(), **pipes))
        return started[-1]

    with monkeypatch.context() as patch:
        patch.setattr(preparer, "_start", start)
        with Preparer(config, tokenizers, tmp_path / "killed", processes=2) as ahead:
            ahead.prepare_ahead(1)
            for _ in range(6_000):
                if list(made.glob("shard-00005*.unfinished")):
                    break
                time.sleep(0.05)
            started[1].kill()
            with pytest.raises(ValueError, match="has ended"):
                ahead.prepare(1)
    untouched = (made / "shard-00003.tfrecord").stat().st_mtime_ns
    with Preparer(config, tokenizers, tmp_path / "killed", processes=2) as again:
        directory = again.prepare(1).directory
    assert (made / "shard-00003.tfrecord").stat().st_mtime_ns == untouched
    prepared(config, tokenizers, tmp_path / "one", epoch=1)
    assert files(directory) == files(tmp_path / "one")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_full_disk_is_told_leaves_nothing_half_written_and_once_there_is_room_work_goes_on(
    job, tokenizers, tmp_path, in_background
):
    config = job(**VARIED)
    with Preparer(config, tokenizers, tmp_path / "full", processes=2) as ahead:
        ahead.prepare(0)

        def limit(size):
            for worker in ahead._workers:
                resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        limit(1_000)  # bytes: less than a shard has
        ahead.prepare_ahead(1)
        with pytest.raises(ValueError, match=r"epoch-00001/shard-\d+\.tfrecord: File too large"):
            ahead.prepare(1)
        assert not list((tmp_path / "full" / "epoch-00001").glob("*.tfrecord*"))
        limit(resource.RLIM_INFINITY)
        directory = ahead.prepare(1).directory
    prepared(config, tokenizers, tmp_path / "one", epoch=1)
    assert files(directory) == files(tmp_path / "one")


def test_errors_of_workers_are_told_and_so_is_their_end(job, tokenizers, folder, tmp_path, in_background):
    write(folder, "vanishing", sentences("v", 40))
    with Preparer(job([("vanishing", 1.0)], sampling_alpha=0.1), tokenizers, tmp_path) as broken:
        broken.prepare(0)
        shutil.rmtree(tmp_path / "epoch-00000")
        (tmp_path / "epoch-00001").write_text("where the directory should be")
        with pytest.raises((ValueError, OSError), match="epoch-00001"):
            broken.prepare(1)
        (tmp_path / "epoch-00001").unlink()
        for worker in broken._workers:
            worker.kill()
            worker.wait()
        with pytest.raises(ValueError, match="has ended"):
            broken.prepare(1)


def test_a_changed_byte_is_found_when_it_is_read(job, tokenizers, tmp_path):
    import tensorflow as tf

    data = prepared(job(), tokenizers, tmp_path)
    path = tmp_path / data.windows[0].pieces[0].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError):
        list(dataset(data, epoch=0))


def test_records_are_framed_as_tensorflow_frames_them(tmp_path):
    import tensorflow as tf

    contents = [b"", b"a", bytes(range(256)) * 5]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for content in contents:
            writer.write(content)
    assert b"".join(map(framed, contents)) == (tmp_path / "theirs").read_bytes()
