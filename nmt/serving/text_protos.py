"""Reads config files in protobuf's text form, messages that no package on PyPI has included. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import Message

_FIELD = descriptor_pb2.FieldDescriptorProto
STRING, BOOL, DOUBLE = _FIELD.TYPE_STRING, _FIELD.TYPE_BOOL, _FIELD.TYPE_DOUBLE
INT64, UINT32 = _FIELD.TYPE_INT64, _FIELD.TYPE_UINT32


def read_text_proto(path: str | Path, message: Message) -> Any:
    """Fills a message with what a file has.

    Raises: ValueError with the file's name, and the line where protobuf tells it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: a text file in UTF-8 was expected: {error}") from None
    try:
        return parse_text_proto(text, message)
    except ValueError as error:
        raise ValueError(f"{path}:{error}") from None


def parse_text_proto(text: str, message: Message) -> Any:
    """Fills a message. Raises: ValueError with the line where protobuf tells it."""
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise ValueError(str(error)) from None


def new_message(name: str, fields: Mapping[str, Any]) -> Any:
    """An empty message. A field is STRING, BOOL or a kind of number, or the fields of a message in it; a list of one
    of these where it is repeated. A map is a repeated message of `key` and `value`. In text only names count."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", syntax="proto3")
    _describe(file.message_type.add(name=name), fields, name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def _describe(message: Any, fields: Mapping[str, Any], path: str) -> None:
    for number, (name, kind) in enumerate(fields.items(), start=1):
        field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
        if isinstance(kind, list):
            (kind,) = kind
            field.label = _FIELD.LABEL_REPEATED
        if isinstance(kind, Mapping):
            inner = f"{name}_message"
            _describe(message.nested_type.add(name=inner), kind, f"{path}.{inner}")
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{path}.{inner}"
        else:
            field.type = kind
