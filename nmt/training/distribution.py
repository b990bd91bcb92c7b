"""Several devices and several machines: the strategy, each replica's share of a batch, what workers agree on."""

from __future__ import annotations

import re
from contextlib import suppress

import tensorflow as tf

from nmt.config.resuming import is_run
from nmt.data.batches import Batch
from nmt.data.dataset import dataset
from nmt.data.preparation import Prepared
from nmt.runs.run import Run
from nmt.training.cluster import Cluster
from nmt.training.interrupted import WorkerLostError


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The tf.distribute strategy of a training.strategy setting; multi_worker before any other use of TensorFlow."""
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


# What operations of several workers fail with when one of them is gone.
_PEER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)


class Workers:
    """The processes that train together; a single one, except with the multi_worker strategy."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        resolver = strategy.cluster_resolver
        self.count = max(1, resolver.cluster_spec().num_tasks("worker")) if resolver else 1
        self.index = resolver.task_id if self.count > 1 else 0
        self.is_chief = self.index == 0

    def mean(self, value: float) -> float:
        """The mean of a number over all workers. All must call this; it also synchronizes them."""
        if self.count == 1:
            return value
        return float(self._all_reduce(tf.constant(value, tf.float32))) / self.strategy.num_replicas_in_sync

    def any(self, flag: bool) -> bool:
        """Whether the flag is set for any worker; all must call this."""
        return self.mean(flag) > 0

    def part(self) -> None:
        """Waits until all have done their work; all must call this before they end.

        Otherwise one that ends first looks lost to those that are still receiving the last sum.
        """
        self.mean(0.0)
        with suppress(tf.errors.OpError):  # a worker that has left by now had finished, too
            self.mean(0.0)

    @tf.function
    def _all_reduce(self, value):
        def replica_sum(value):
            # The copy is on the replica's device; an argument is on none, and cannot be reduced.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return self.strategy.experimental_local_results(self.strategy.run(replica_sum, args=(value,)))[0]


def lost_worker(error: tf.errors.OpError, cluster: Cluster, run: str) -> WorkerLostError | None:
    """What an error of an operation of all workers means: that one is gone; None if it means something else."""
    if not isinstance(error, _PEER_ERRORS) and "ollective" not in error.message:
        return None
    named = {int(index) for index in re.findall(r"/task:(\d+)", error.message)} - {cluster.own}
    unreachable = cluster.unreachable()
    gone = cluster.named([index for index in unreachable if index in named] or unreachable or sorted(named))
    step = Run.open(run).latest_step() if is_run(run) else None
    saved = f"{run} is saved at step {step:,}" if step is not None else "nothing was saved yet"
    return WorkerLostError(
        f"{gone or 'another worker'} is gone, so this one stops, too; {saved}. Its own last message may say why. "
        "Start all workers again with the same command: training goes on from what is saved."
    )


def distributed_dataset(
    prepared: Prepared, *, strategy: tf.distribute.Strategy, epoch: int, skip: int = 0, prefetch: int
):
    """`data.dataset` of this worker's share, with the rows of each batch divided over its replicas; what a strategy's
    `run` takes.
    """

    def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = strategy.num_replicas_in_sync // context.num_input_pipelines
        whole = dataset(prepared, epoch=epoch, skip=skip, multiple=replicas, prefetch=prefetch)
        if replicas == 1:
            return whole

        def shares(batch: Batch) -> tf.data.Dataset:
            parts = [tf.reshape(ids, [replicas, -1, tf.shape(ids)[1]]) for ids in batch]  # [replicas, batch, time]
            return tf.data.Dataset.from_tensor_slices(Batch(*parts))

        return whole.flat_map(shares)

    return strategy.distribute_datasets_from_function(make)
