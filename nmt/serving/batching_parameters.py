"""The parameters of batching, in the file that `tensorflow_model_server --batching_parameters_file` reads."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

from nmt.serving.text_protos import BOOL, INT64, STRING, new_message, read_text_proto

logger = logging.getLogger(__name__)


class BatchingParameters(NamedTuple):
    """How requests are joined; every signature of every version has a queue of its own."""

    max_batch_size: int = 64  # rows of one call of the model
    batch_timeout_micros: int = 0  # that a batch waits to be filled while a thread is free
    max_enqueued_batches: int = 2000  # full batches that may wait in a queue
    num_batch_threads: int = os.cpu_count() or 1  # batches that run at once, each on one core

    @property
    def max_enqueued_rows(self) -> int:
        return self.max_batch_size * self.max_enqueued_batches


DEFAULT_BATCHING = BatchingParameters()
_FIELDS = {
    **{name: {"value": INT64} for name in BatchingParameters._fields},
    "thread_pool_name": {"value": STRING},
    "enable_large_batch_splitting": {"value": BOOL},
    "allowed_batch_sizes": [INT64],
    "pad_variable_length_inputs": BOOL,
}
# What the real server knows and this one passes over.
_PASSED_OVER = {
    "allowed_batch_sizes": "models take batches of any size here",
    "pad_variable_length_inputs": "rows of different widths are not joined",
    "thread_pool_name": "all models share the batch threads",
}


def read_batching_parameters(path: str | Path) -> BatchingParameters:
    """Reads a BatchingParameters message in protobuf's text form; what it leaves out has this server's default.

    Raises: ValueError with the file's name, and the line where protobuf tells it.
    """
    message = read_text_proto(path, new_message("BatchingParameters", _FIELDS))
    present = {field.name for field, _ in message.ListFields()}
    for field, reason in _PASSED_OVER.items():
        if field in present:
            logger.warning("%s: %s is ignored: %s", path, field, reason)
    if message.HasField("enable_large_batch_splitting") and not message.enable_large_batch_splitting.value:
        logger.warning("%s: enable_large_batch_splitting is always on here", path)
    given = {name: getattr(message, name).value for name in BatchingParameters._fields if message.HasField(name)}
    for name, value in given.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if value < least:
            raise ValueError(f"{path}: {name} is {value}, expected at least {least}")
    parameters = BatchingParameters(**given)
    sizes = list(message.allowed_batch_sizes)
    if sizes and (sizes != sorted(set(sizes)) or sizes[-1] != parameters.max_batch_size):
        raise ValueError(
            f"{path}: allowed_batch_sizes must rise and end with max_batch_size = {parameters.max_batch_size}, "
            f"got {sizes}"
        )
    return parameters
