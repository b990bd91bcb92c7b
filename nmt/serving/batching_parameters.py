"""The parameters of batching, in the file that `tensorflow_model_server --batching_parameters_file` reads."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

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
    try:
        message: Any = text_format.Parse(Path(path).read_text(encoding="utf-8"), _message_class()())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: a text file in UTF-8 was expected: {error}") from None
    except text_format.ParseError as error:
        raise ValueError(f"{path}:{error}") from None
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


def _message_class() -> Any:
    """tensorflow.serving.BatchingParameters, which no package on PyPI has. In the text form only names count."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="batching_parameters.proto", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="BatchingParameters")
    wrapped = {**dict.fromkeys(BatchingParameters._fields, "Int64Value"), "thread_pool_name": "StringValue"}
    wrapped["enable_large_batch_splitting"] = "BoolValue"
    for name, kind in wrapped.items():
        message.field.add(
            name=name,
            number=len(message.field) + 1,
            type=field.TYPE_MESSAGE,
            type_name=f".google.protobuf.{kind}",
            label=field.LABEL_OPTIONAL,
        )
    for name, scalar, label in (
        ("allowed_batch_sizes", field.TYPE_INT64, field.LABEL_REPEATED),
        ("pad_variable_length_inputs", field.TYPE_BOOL, field.LABEL_OPTIONAL),
    ):
        message.field.add(name=name, number=len(message.field) + 1, type=scalar, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("BatchingParameters"))
