"""Which calls of a model can be joined or divided, and how their rows are: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt.exports.signatures import ServedModel
from nmt.serving.error import ServingError, StatusCode

ROW_BYTES = 16  # that a row counts beside its text: an empty line is work, too
ROWS = {("string", (None,)), ("int32", (None, None))}  # dtype and shape of inputs that are divided: lines, rows of ids

Arrays = dict[str, np.ndarray]  # by name, with the same number of rows


class Call(NamedTuple):
    """What requests have in common whose rows can run together."""

    model: ServedModel
    signature: str

    def run(self, rows: Arrays, *, timeout: float | None, lane: int) -> Arrays:
        """Raises: as ServedModel.run; ServingError INVALID_ARGUMENT where the outputs are not one for each row."""
        outputs = self.model.run(self.signature, rows, timeout=timeout, lane=lane)
        for name, value in outputs.items():
            if value.shape[:1] != (count_rows(rows),):
                raise ServingError(
                    StatusCode.INVALID_ARGUMENT,
                    f"Batched output tensor's 0th dimension does not equal the number of rows: output {name} of "
                    f"{self.signature} has shape {list(value.shape)} for {count_rows(rows)} rows; serve this model "
                    "without batching",
                )
        return outputs

    @property
    def joins_requests(self) -> bool:
        """Whether a batch may hold rows of several requests. Where an output is as wide as the widest row of its batch,
        that would show in the answer."""
        called = self.model.signatures[self.signature]
        shapes = [spec.shape for spec in (*called.inputs.values(), *called.outputs.values())]
        return all(shape is not None and None not in shape[1:] for shape in shapes)


def divisible(model: ServedModel, signature: str, inputs: Arrays) -> Call | None:
    """The call whose rows are those of its inputs, lines or ids; None for one that has to run as it came."""
    called = model.signatures.get(signature)
    if called is None or inputs.keys() != called.inputs.keys() or not inputs:
        return None
    by_row = all((spec.dtype, spec.shape) in ROWS for spec in called.inputs.values()) and all(
        spec.shape and spec.shape[0] is None for spec in called.outputs.values()
    )
    fits = all(
        inputs[name].dtype == (object if spec.dtype == "string" else spec.dtype)
        and inputs[name].ndim == len(spec.shape or ())
        for name, spec in called.inputs.items()
    )
    if (
        not (by_row and fits)
        or {len(array) for array in inputs.values()} != {count_rows(inputs)}
        or not count_rows(inputs)
    ):
        return None
    return Call(model, signature)


def count_rows(arrays: Arrays) -> int:
    return len(next(iter(arrays.values())))


def row_sizes(rows: Arrays) -> np.ndarray:
    """What each row counts, in bytes: int64 [rows]."""
    return np.sum([_sizes(array) for array in rows.values()], axis=0) + ROW_BYTES


def _sizes(array: np.ndarray) -> np.ndarray:
    if array.dtype == object:
        return np.fromiter(map(len, array), np.int64, len(array))
    return array.itemsize * np.count_nonzero(array, axis=1)


def join_rows(parts: Sequence[Arrays]) -> Arrays:
    """The rows of all parts, one behind the other; narrower ones end in padding, "" or 0, as within a call."""
    return {name: _join([part[name] for part in parts]) for name in parts[0]}


def take_rows(arrays: Arrays, rows: np.ndarray | slice) -> Arrays:
    return {name: value[rows] for name, value in arrays.items()}


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    widths = np.max([part.shape[1:] for part in parts], axis=0)
    return parts[0] if len(parts) == 1 else np.concatenate([_widened(part, widths) for part in parts])


def _widened(part: np.ndarray, widths: np.ndarray) -> np.ndarray:
    missing = np.subtract(widths, part.shape[1:])
    if not missing.any():
        return part
    padding = b"" if part.dtype == object else 0
    return np.pad(part, [(0, 0), *((0, count) for count in missing.astype(int))], constant_values=padding)
