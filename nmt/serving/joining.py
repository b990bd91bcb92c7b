"""Which calls of a model can be joined or divided, and how their rows are: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from grpc import StatusCode

from nmt.exports.saved_model import SavedModel
from nmt.serving.error import ServingError

ROW_BYTES = 16  # that a row counts beside its text: an empty line is work, too
ROWS = {("string", (None,)), ("int32", (None, None))}  # dtype and shape of inputs that are divided: lines, rows of ids

Outputs = dict[str, np.ndarray]


class Call(NamedTuple):
    """What requests have in common whose rows can run together."""

    model: SavedModel
    signature: str
    input: str  # its only one

    def run(self, rows: np.ndarray, *, timeout: float | None, lane: int) -> Outputs:
        """Raises: as SavedModel.run; ServingError INVALID_ARGUMENT where the outputs are not one for each row."""
        outputs = self.model.run(self.signature, {self.input: rows}, timeout=timeout, lane=lane)
        for name, value in outputs.items():
            if value.shape[:1] != (len(rows),):
                raise ServingError(
                    StatusCode.INVALID_ARGUMENT,
                    f"Batched output tensor's 0th dimension does not equal the number of rows: output {name} of "
                    f"{self.signature} has shape {list(value.shape)} for {len(rows)} rows; serve this model without "
                    "batching",
                )
        return outputs

    @property
    def joins_requests(self) -> bool:
        """Whether a batch may hold rows of several requests. Where an output is as wide as the widest row of its batch,
        that would show in the answer."""
        called = self.model.signatures[self.signature]
        shapes = [spec.shape for spec in (*called.inputs.values(), *called.outputs.values())]
        return all(shape is not None and None not in shape[1:] for shape in shapes)


def divisible(model: SavedModel, signature: str, inputs: Mapping[str, np.ndarray]) -> Call | None:
    """The call whose rows are those of the only input, if it is one; None for all that has to run as it came."""
    called = model.signatures.get(signature)
    if called is None or len(called.inputs) != 1 or inputs.keys() != called.inputs.keys():
        return None
    ((name, spec),) = called.inputs.items()
    rows = inputs[name]
    fits = rows.dtype == (object if spec.dtype == "string" else spec.dtype) and rows.ndim == len(spec.shape or ())
    by_row = all(output.shape and output.shape[0] is None for output in called.outputs.values())
    return Call(model, signature, name) if (spec.dtype, spec.shape) in ROWS and fits and by_row and len(rows) else None


def row_sizes(rows: np.ndarray) -> np.ndarray:
    """What each row counts, in bytes: int64 [rows]."""
    if rows.ndim == 1:
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    else:
        lengths = rows.itemsize * np.count_nonzero(rows, axis=1)
    return lengths + ROW_BYTES


def join_outputs(parts: Sequence[Outputs]) -> Outputs:
    """Outputs of several calls one behind the other; narrower ones are padded at the end with "" or 0, as within a
    call."""
    return {name: _join([part[name] for part in parts]) for name in parts[0]}


def take_rows(outputs: Outputs, rows: np.ndarray | slice) -> Outputs:
    return {name: value[rows] for name, value in outputs.items()}


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    widths = np.max([part.shape[1:] for part in parts], axis=0)
    return parts[0] if len(parts) == 1 else np.concatenate([_widened(part, widths) for part in parts])


def _widened(part: np.ndarray, widths: np.ndarray) -> np.ndarray:
    missing = np.subtract(widths, part.shape[1:])
    if not missing.any():
        return part
    padding = b"" if part.dtype == object else 0
    return np.pad(part, [(0, 0), *((0, count) for count in missing.astype(int))], constant_values=padding)
