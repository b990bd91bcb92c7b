"""Workers share an epoch: each reads its own shards, and the batches of one step are like each other."""

import itertools

import numpy as np
import pytest
from prepared_corpus import prepared

from nmt.data import preparation
from nmt.data.batches import cut_further
from nmt.data.dataset import dataset
from nmt.data.preparation import Share
from nmt.text.tokenizer import PAD


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """So that a small corpus has several shards of several records."""
    monkeypatch.setattr(preparation, "_SHARD_PAIRS", 40)
    monkeypatch.setattr(preparation, "_CHUNK_PAIRS", 10)


def rows_of(batches) -> list[tuple]:
    """Pairs of ids, without padding."""
    rows = (row for batch in batches for row in zip(batch.source, batch.target_out, strict=True))
    pairs = [tuple(tuple(ids[ids != PAD]) for ids in row) for row in rows]
    return [pair for pair in pairs if pair[0]]


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_workers_share_an_epochs_pairs_in_as_many_batches_each_within_its_part_of_the_budget(
    job, tokenizers, tmp_path, workers
):
    config = job(shuffle_window=130, batch_tokens=600)
    alone = list(dataset(prepared(config, tokenizers, tmp_path), epoch=2).as_numpy_iterator())
    shares = [
        list(dataset(preparation.finish(config, tmp_path, share=Share(index, workers)), epoch=2).as_numpy_iterator())
        for index in range(workers)
    ]
    rows = [rows_of(share) for share in shares]
    assert sorted(itertools.chain(*rows)) == sorted(rows_of(alone))
    assert len({len(share) for share in shares}) == 1
    for batch in itertools.chain(*shares):
        assert max(ids.shape[1] for ids in batch) * len(batch.source) <= 600 // workers
        assert batch.source.size


def test_a_worker_reads_its_own_shards_only(job, tokenizers, tmp_path):
    config = job(shuffle_window=130)
    prepared(config, tokenizers, tmp_path)
    second = preparation.finish(config, tmp_path, share=Share(1, 3))
    whole = [batch.source.tolist() for batch in dataset(second, epoch=0).as_numpy_iterator()]
    own = {piece.file for window in second.windows for piece in window.pieces}
    for file in tmp_path.glob("*.tfrecord"):
        if file.name not in own:
            file.unlink()
    assert [batch.source.tolist() for batch in dataset(second, epoch=0).as_numpy_iterator()] == whole
    assert len(own) < 8
    assert sum(piece.records for window in second.windows for piece in window.pieces) == 12  # of 39


@pytest.mark.parametrize("workers", [2, 3])
def test_the_batches_of_a_step_have_sentences_of_about_one_length_for_all_workers(job, tokenizers, tmp_path, workers):
    config = job(batch_tokens=600)
    prepared(config, tokenizers, tmp_path)
    shares = [
        [batch.target_out.shape[1] for batch in dataset(of_worker, epoch=0).as_numpy_iterator()]
        for of_worker in (preparation.finish(config, tmp_path, share=Share(index, workers)) for index in range(workers))
    ]
    longest, shortest = np.max(shares, axis=0), np.min(shares, axis=0)
    assert np.mean(longest) < 1.3 * np.mean(shortest)


@pytest.mark.parametrize(("sizes", "count"), [([8, 8, 40, 1], 7), ([3], 5), ([], 2), ([5, 4], 2)])
def test_batches_are_cut_further_in_their_order_the_largest_first(sizes, count):
    cut = cut_further(sizes, count)
    assert len(cut) == count
    assert sum(cut) == sum(sizes)
    places = itertools.accumulate(cut)
    assert set(itertools.accumulate(sizes)) <= set(places)  # each old end is an end
    if count > len(sizes) > 1:
        assert max(cut) < max(sizes)
