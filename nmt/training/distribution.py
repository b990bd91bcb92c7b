"""Several devices and several machines: the strategy, each replica's share of a batch, what workers agree on."""

from __future__ import annotations

import tensorflow as tf

from nmt.data.batches import Batch
from nmt.data.dataset import dataset
from nmt.data.preparation import Prepared


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The tf.distribute strategy of a training.strategy setting; multi_worker before any other use of TensorFlow."""
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


class Workers:
    """The processes that train together; a single one, except with the multi_worker strategy."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        resolver = strategy.cluster_resolver
        self.count = max(1, resolver.cluster_spec().num_tasks("worker")) if resolver else 1
        self.is_chief = self.count == 1 or resolver.task_id == 0

    def mean(self, value: float) -> float:
        """The mean of a number over all workers. All must call this; it also synchronizes them."""
        if self.count == 1:
            return value
        return float(self._all_reduce(tf.constant(value, tf.float32))) / self.strategy.num_replicas_in_sync

    def any(self, flag: bool) -> bool:
        """Whether the flag is set for any worker; all must call this."""
        return self.mean(flag) > 0

    @tf.function
    def _all_reduce(self, value):
        def replica_sum(value):
            # The copy is on the replica's device; an argument is on none, and cannot be reduced.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        return self.strategy.experimental_local_results(self.strategy.run(replica_sum, args=(value,)))[0]


def distributed_dataset(
    prepared: Prepared, *, strategy: tf.distribute.Strategy, epoch: int, skip: int = 0, prefetch: int
):
    """`data.dataset` with the rows of each batch divided over the replicas; what a strategy's `run` takes.

    Every worker reads all that is prepared and takes its own rows: order and batches are those of a single device.
    """
    replicas = strategy.num_replicas_in_sync

    def make(context: tf.distribute.InputContext) -> tf.data.Dataset:
        whole = dataset(prepared, epoch=epoch, skip=skip, multiple=replicas, prefetch=prefetch)
        if replicas == 1:
            return whole
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def shares(batch: Batch) -> tf.data.Dataset:
            parts = [tf.reshape(ids, [replicas, -1, tf.shape(ids)[1]]) for ids in batch]  # [replicas, batch, time]
            return tf.data.Dataset.from_tensor_slices(Batch(*(part[first : first + local] for part in parts)))

        return whole.flat_map(shares)

    return strategy.distribute_datasets_from_function(make)
