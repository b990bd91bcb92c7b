"""Prepared data -> batches, by operations of tf.data alone: no Python runs for a pair or a batch.

Each window is read, shuffled, sorted by length, cut into the batches that the manifest counts, and these are shuffled.
All random numbers are functions of seed, epoch and window, so a place in an epoch is found without reading the windows
before it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nmt.data.batches import Batch
from nmt.data.preparation import Prepared
from nmt.text.tokenizer import BOS, EOS, PAD

# Batches that are made at a time, and files that are read at a time.
_PARALLEL = 4
# Traced without AutoGraph, which takes longer than the rest of the tracing: nothing here branches on a tensor.
_as_written = tf.autograph.experimental.do_not_convert
# What a record without pairs holds, as of `_lengths_and_ids`.
_NO_PAIRS = (np.zeros([0], np.int32), np.zeros([0], np.int32))


class _Side(NamedTuple):
    """One side of a window's pairs, sorted by length."""

    ids: tf.Tensor  # int32 [tokens]
    splits: tf.Tensor  # int64 [pairs + 1]: where each row begins


class _Pairs(NamedTuple):
    """The pairs of a window in memory, and its batches."""

    source: _Side
    target: _Side
    starts: tf.Tensor  # int64 [batches]: the pair that each batch begins with, in the order of training ...
    sizes: tf.Tensor  # int64 [batches] ... and its rows
    skip: tf.Tensor  # int64 scalar: batches left out at the start


def dataset(prepared: Prepared, *, epoch: int, skip: int = 0, multiple: int = 1, prefetch: int = 8) -> tf.data.Dataset:
    """One epoch's Batches (int32 [batch, time]): their content and order are a pure function of (prepared, epoch).

    Args:
        skip: batches to leave out at the start (to resume); the others are the same as without.
        multiple: rows of PAD are added until the number of rows is a multiple of this (the number of replicas), and
            not 0. They have no weight, as only `ids != PAD` counts.
        prefetch: batches made ahead of the training step.
    """
    seed = tf.constant(np.random.SeedSequence([prepared.seed, epoch]).generate_state(2).astype(np.int32))

    @_as_written
    def pairs_of(window: dict[str, tf.Tensor]) -> tf.data.Dataset:
        pieces = tf.data.Dataset.from_tensor_slices((window["files"], window["firsts"], window["records"]))
        records = pieces.interleave(_records, _PARALLEL, block_length=1, num_parallel_calls=_PARALLEL)
        # A chunk without pairs comes last, so that there is something of a window of which a worker has no share, too.
        chunks = records.map(_lengths_and_ids).concatenate(tf.data.Dataset.from_tensors(_NO_PAIRS))
        whole = chunks.ragged_batch(tf.reduce_sum(window["records"]) + 1, row_splits_dtype=tf.int64)

        @_as_written
        def shuffle(lengths: tf.RaggedTensor, ids: tf.RaggedTensor) -> _Pairs:
            return _shuffled(lengths.flat_values, ids.flat_values, window, seed)

        return whole.map(shuffle)

    @_as_written
    def batches_of(window: _Pairs) -> tf.data.Dataset:
        numbers = tf.data.Dataset.range(window.skip, tf.size(window.sizes, tf.int64))
        batch = _as_written(lambda number: _batch(window, number, multiple))
        return numbers.map(batch, num_parallel_calls=_PARALLEL)

    batches = _windows(prepared, skip).flat_map(pairs_of).prefetch(1).flat_map(batches_of).prefetch(prefetch)
    options = tf.data.Options()
    # Optimizing takes longer than it saves: 0.25 s of an epoch.
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    options.experimental_warm_start = True  # reads while the first step is compiled
    return batches.with_options(options)


def _windows(prepared: Prepared, skip: int) -> tf.data.Dataset:
    """What is known of each window from the manifest; those that lie wholly before the place to begin are left out."""
    rows = []
    for number, window in enumerate(prepared.windows):
        before = min(skip, len(window.batches))
        skip -= before
        if before < len(window.batches):
            rows.append((number, before, window))
    numbers, skips, windows = zip(*rows, strict=True) if rows else ((), (), ())
    files = [[str(prepared.directory / piece.file) for piece in window.pieces] for window in windows]
    return tf.data.Dataset.from_tensor_slices(
        {
            "number": np.array(numbers, np.int64),
            "skip": np.array(skips, np.int64),
            "files": _ragged(files, tf.string),
            "firsts": _ragged([[piece.first for piece in window.pieces] for window in windows], tf.int64),
            "records": _ragged([[piece.records for piece in window.pieces] for window in windows], tf.int64),
            "sizes": _ragged([window.batches for window in windows], tf.int64),
        }
    ).map(_dense)


def _ragged(rows: list[list], dtype: tf.DType) -> tf.RaggedTensor:
    values = tf.constant([value for row in rows for value in row], dtype)
    return tf.RaggedTensor.from_row_lengths(values, np.array([len(row) for row in rows], np.int64), validate=False)


def _dense(window: dict[str, tf.Tensor | tf.RaggedTensor]) -> dict[str, tf.Tensor]:
    return {name: tf.convert_to_tensor(value) for name, value in window.items()}


def _records(file: tf.Tensor, first: tf.Tensor, records: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(file).skip(first).take(records)


@tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.string)])
def _lengths_and_ids(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The parts of a record, whose layout is that of shards.py."""
    numbers = tf.io.decode_raw(record, tf.int32)
    end = 1 + 2 * numbers[0]
    return numbers[1:end], numbers[end:]


@tf.function(autograph=False)
def _shuffled(lengths: tf.Tensor, ids: tf.Tensor, window: dict[str, tf.Tensor], seed: tf.Tensor) -> _Pairs:
    of_window = tf.random.experimental.stateless_fold_in(seed, window["number"])
    lengths = tf.cast(lengths, tf.int64)
    source, target = lengths[::2], lengths[1::2]  # [pairs]
    # Sorted by the longer side, then by the other, as that is the target's or the source's: little is padded.
    base = tf.reduce_max(lengths) + 1
    key = (tf.maximum(source, target) * base + target) * base + source
    shuffled = _permutation(tf.size(key), of_window, 0)
    order = tf.gather(shuffled, tf.argsort(tf.gather(key, shuffled), stable=True))
    shuffled_batches = _permutation(tf.size(window["sizes"]), of_window, 1)
    starts = tf.gather(tf.cumsum(window["sizes"], exclusive=True), shuffled_batches)
    sizes = tf.gather(window["sizes"], shuffled_batches)
    splits = tf.concat([[0], tf.cumsum(lengths)], axis=0)
    sides = tf.RaggedTensor.from_row_splits(ids, splits, validate=False)  # source 1, target 1, source 2, ...
    source, target = (tf.gather(sides, 2 * tf.cast(order, tf.int64) + side) for side in (0, 1))
    return _Pairs(
        _Side(source.values, source.row_splits), _Side(target.values, target.row_splits), starts, sizes, window["skip"]
    )


def _permutation(size: tf.Tensor, seed: tf.Tensor, use: int) -> tf.Tensor:
    """int32 [size]: the numbers below `size` in random order, the same on all machines."""
    draws = tf.random.stateless_uniform(
        [size], tf.random.experimental.stateless_fold_in(seed, use), None, None, tf.int32, alg="philox"
    )
    return tf.argsort(draws, stable=True)


@tf.function(autograph=False)
def _batch(window: _Pairs, number: tf.Tensor, multiple: int) -> Batch:
    start = window.starts[number]
    end = start + window.sizes[number]
    source, target_out = (_padded(side, start, end) for side in (window.source, window.target))
    begin = tf.fill([tf.shape(target_out)[0], 1], BOS)
    before = tf.concat([begin, target_out[:, :-1]], axis=1)
    batch = Batch(source, tf.where(before == EOS, PAD, before), target_out)
    rows = tf.cast(window.sizes[number], tf.int32)
    least = tf.maximum(rows, 1)

    def filled(ids: tf.Tensor) -> tf.Tensor:
        added = [[0, least + -least % multiple - rows], [0, tf.maximum(1 - tf.shape(ids)[1], 0)]]
        return tf.pad(ids, added, constant_values=PAD)

    return Batch(*map(filled, batch))


def _padded(side: _Side, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Some of the rows: int32 [batch, time]."""
    splits = side.splits[start : end + 1]
    return tf.raw_ops.RaggedTensorToTensor(
        shape=tf.constant([-1, -1], tf.int64),
        values=side.ids[splits[0] : splits[-1]],
        default_value=tf.constant(PAD),
        row_partition_tensors=[splits - splits[0]],
        row_partition_types=["ROW_SPLITS"],
    )
