"""`nmt prepare`: the data that a job's training begins with, made in advance. Imports no TensorFlow."""

from __future__ import annotations

from nmt.config.settings import Config
from nmt.data.preparation import Prepared
from nmt.data.preparer import MakeShards, Preparer
from nmt.runs.lock import trained_alone
from nmt.runs.run import prepared_path
from nmt.training.opening import open_run
from nmt.training.progress import Progress


def prepare(config: Config, *, processes: int | None = None, make_shards: MakeShards | None = None) -> Prepared:
    """Prepares the data of the epoch that training of the job begins with, or goes on with; makes its run if it is new.

    Args:
        processes: at a time; None = one a core.
        make_shards: makes the shards instead of these processes.

    Raises:
        ValueError: for files or settings that cannot be trained on, and a run of another job.
    """
    with trained_alone(config.run):
        run = open_run(config)
        checkpoint = run.latest_checkpoint()
        epoch = Progress(**checkpoint.progress).epoch if checkpoint else 0
        with Preparer(config, run.tokenizers, prepared_path(run.path), processes=processes) as preparer:
            return preparer.prepare(epoch, make_shards)
