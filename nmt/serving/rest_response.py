"""Tensors -> TensorFlow Serving's JSON, rule by rule as its REST API document and its server have them.

An answer has the format of its request, under `predictions` (row format) or `outputs` (column format). Strings are
arrays of dtype object that hold bytes. Imports no TensorFlow.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from nmt.serving.error import invalid_argument
from nmt.serving.rest_request import INTEGER_TYPES, cpp_name

BYTES_SUFFIX = "_bytes"  # of an output's name: its strings are written as base64


class Response(NamedTuple):
    """An answer over HTTP."""

    status: int
    content_type: str
    body: bytes
    lines: int = 0  # of the request: the rows it had predicted


def write_response(outputs: Mapping[str, np.ndarray], *, by_row: bool) -> bytes:
    """Writes the answer to a `:predict` request, in row format (all share the first dimension) or column format."""
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if by_row:
        _check_batch_sizes(outputs)
    columns = {name: _write_tensor(name, value) for name, value in sorted(outputs.items())}
    if by_row and len(columns) > 1:
        rows = (zip(columns, row, strict=True) for row in zip(*columns.values(), strict=True))
        text = _write_list(_write_object(row) for row in rows)
    else:
        whole = {name: _write_list(items) if outputs[name].ndim else items[0] for name, items in columns.items()}
        text = _write_object(whole.items()) if len(whole) > 1 else whole.popitem()[1]
    key = "predictions" if by_row else "outputs"
    return f'{{\n    "{key}": {text}\n}}\n'.encode()


def write_error(message: str) -> bytes:
    return json.dumps({"error": message}, ensure_ascii=False).encode(errors="replace")


def _check_batch_sizes(outputs: Mapping[str, np.ndarray]) -> None:
    batch = None
    for name, value in sorted(outputs.items()):
        if value.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if len(value) < 1:
            raise invalid_argument(f"Tensor name: {name} has invalid batch size: {len(value)}")
        if batch not in (None, len(value)):
            raise invalid_argument(f"Tensor name: {name} has inconsistent batch size: {len(value)} expecting: {batch}")
        batch = len(value)


def _write_tensor(name: str, tensor: np.ndarray) -> list[str]:
    """The JSON of each item along the first dimension; of a scalar, one."""
    texts = _write_values(tensor.reshape(-1), as_bytes=name.endswith(BYTES_SUFFIX))
    for axis in range(tensor.ndim - 1, 0, -1):
        size, lists = tensor.shape[axis], math.prod(tensor.shape[:axis])
        texts = [_write_list(texts[index * size : (index + 1) * size]) for index in range(lists)]
    return texts


def _write_list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(texts) + "]"


def _write_object(members: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{_write_string(name)}: {text}" for name, text in members) + "}"


def _write_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _write_values(values: np.ndarray, *, as_bytes: bool) -> list[str]:
    if values.dtype == object and as_bytes:
        return [_write_object([("b64", f'"{base64.b64encode(value).decode()}"')]) for value in values]
    if values.dtype == object:
        return [_write_string(value.decode(errors="replace")) for value in values]
    if values.dtype == bool:
        return ["true" if value else "false" for value in values]
    if values.dtype.name in INTEGER_TYPES:
        return [str(value) for value in values.tolist()]
    if values.dtype.name in ("float32", "float64"):
        return _write_floats(values)
    raise invalid_argument(f"Failed to write JSON value for tensor type: {cpp_name(values.dtype.name)}")


def _write_floats(values: np.ndarray) -> list[str]:
    """Six digits where they are enough to read the same number back, else as many as the type has."""
    numbers = values.tolist()
    texts = [f"{number:.6g}" for number in numbers]
    exact = np.array(texts, dtype=values.dtype) == values
    digits = 9 if values.dtype == np.float32 else 17
    return [
        _write_float(number, text if same else f"{number:.{digits}g}")
        for number, text, same in zip(numbers, texts, exact.tolist(), strict=True)
    ]


def _write_float(number: float, text: str) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return text if "." in text or "e" in text else text + ".0"
