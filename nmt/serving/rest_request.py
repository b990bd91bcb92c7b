"""TensorFlow Serving's JSON -> tensors, rule by rule as its REST API document and its server have them.

A request holds its tensors in row format, `{"instances": [...]}`, one item per sentence, or in column format,
`{"inputs": ...}`, one tensor per input. Strings are arrays of dtype object that hold bytes. Imports no TensorFlow.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from nmt.serving.error import ServingError, StatusCode, invalid_argument

SHOWN = 256  # characters of a wrong value that an error message shows
MAX_RANK = 32
ROWS_AT_ONCE = 1000
_CPP_NAMES = {"float32": "float", "float64": "double", "float16": "half"}  # what the server calls them in messages
INTEGER_TYPES = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
_PYTHON_TYPES: dict[str, set[type]] = {  # of the JSON values that a tensor may hold
    "string": {str, dict},
    "bool": {bool},
    "float32": {int, float},
    "float64": {int, float},
    **{name: {int} for name in INTEGER_TYPES},
}
_PARSE_ERRORS = {  # Python's wording -> the server's
    "Expecting value": "Invalid value.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or a closing bracket after an element.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid encoding in string.",
}


class PredictRequest(NamedTuple):
    signature: str
    by_row: bool
    inputs: dict[str, np.ndarray]


def read_request(body: bytes, input_types: Callable[[str], Mapping[str, str]]) -> PredictRequest:
    """Reads the body of a `:predict` request.

    Args: body: the JSON; input_types: signature name ("" = not named) -> dtype of each input by name, such as
        {"text": "string"}; raises ServingError for a signature that is not there.
    Raises: ServingError, INVALID_ARGUMENT or UNIMPLEMENTED, with the server's message.
    """
    try:
        return _read_request(_parse(body), input_types)
    except RecursionError:
        raise invalid_argument("JSON Parse error: nested too deeply") from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid_argument(
            f'JSON Parse error: Invalid encoding in string. at offset: {error.start} (send bytes as {{"b64": "..."}})'
        ) from None
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if start == len(text):
        raise invalid_argument(f"JSON Parse error: The document is empty. at offset: {start}")
    try:
        decoder = _DECODER if _EXTREME.search(text) else _FAST_DECODER
        root, _ = decoder.raw_decode(text, start)  # what follows the root is ignored, as the server does
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        raise invalid_argument(
            f"JSON Parse error: {_PARSE_ERRORS.get(error.msg, error.msg)} at offset: {offset}"
        ) from None
    if not isinstance(root, dict):
        raise invalid_argument(f"JSON Value: {_show(root)} Is not object")
    return root


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _parse_float(token: str) -> float:
    number = float(token)
    if np.isinf(number):
        raise invalid_argument("JSON Parse error: Number too big to be stored in double.")
    return number


def _parse_int(token: str) -> int | float:
    # Integers beyond 64 bits are read as decimals; Python's int would also refuse thousands of digits.
    number = int(token) if len(token) <= 20 else None
    return number if number is not None and -(2**63) <= number < 2**64 else _parse_float(token)


_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins, parse_int=_parse_int, parse_float=_parse_float)
_FAST_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins)  # calls no Python for a number
_EXTREME = re.compile(r"[0-9]{19}|[eE]\+?[0-9]{3}")  # all numbers that may be beyond int64 or float64


def _read_request(root: dict[str, Any], input_types: Callable[[str], Mapping[str, str]]) -> PredictRequest:
    signature = root.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid_argument(
            f"JSON Value: {_show(root)} not formatted correctly. 'signature_name' key must be a string value."
        )
    types = input_types(signature)
    if not types:
        raise invalid_argument(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
    if "instances" in root and "inputs" in root:
        raise invalid_argument(
            f"JSON Value: {_show(root)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
            "to exist "
        )
    if "inputs" in root:
        return PredictRequest(signature, False, _read_columns(root["inputs"], types))
    if "instances" not in root:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    instances = root["instances"]
    if not isinstance(instances, list):
        raise invalid_argument(f"JSON Value: {_show(root)} Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid_argument(f"JSON Value: {_show(root)} No values in 'instances' array")
    return PredictRequest(signature, True, _read_rows(instances, types))


def _read_columns(inputs: Any, types: Mapping[str, str]) -> dict[str, np.ndarray]:
    if not _is_named(inputs):
        if len(types) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        return {name: _read_tensor(inputs, dtype) for name, dtype in types.items()}
    for name in types:
        if name not in inputs:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
    return {name: _read_tensor(inputs[name], dtype) for name, dtype in types.items()}


def _read_rows(instances: list[Any], types: Mapping[str, str]) -> dict[str, np.ndarray]:
    named = _is_named(instances[0])
    if not named and len(types) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    parts: list[dict[str, np.ndarray]] = []
    for start in range(0, len(instances), ROWS_AT_ONCE):
        rows = instances[start : start + ROWS_AT_ONCE]
        first = {name: part[:1].reshape(part.shape[1:]) for name, part in parts[0].items()} if parts else {}
        parts.append(_read_alike_rows(rows, types, named, first) or _read_any_rows(rows, start, types, named, first))
    return {name: np.concatenate([part[name] for part in parts]) for name in types}


def _read_alike_rows(
    rows: list[Any], types: Mapping[str, str], named: bool, first: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """The rows as tensors if `_read_alike` can read them and they have the shape of `first`; otherwise None."""
    if named and not all(type(row) is dict and row.keys() == types.keys() and not _is_base64(row) for row in rows):
        return None
    read = {}
    for name, dtype in types.items():
        tensor = _read_alike([row[name] for row in rows] if named else rows, dtype)
        if tensor is None or (first and tensor.shape[1:] != first[name].shape):
            return None
        read[name] = tensor
    return read


def _read_any_rows(
    instances: list[Any], start: int, types: Mapping[str, str], named: bool, first: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Reads rows one by one, the first of them number `start`; raises ServingError for the first that is wrong."""
    rows: dict[str, list[np.ndarray]] = {name: [first[name]] if first else [] for name in types}
    for index, item in enumerate(instances, start):
        if named != _is_named(item):
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid_argument(f"Expecting {expected} but got {got} at item {index} of input list")
        for name, value in item.items() if named else [(next(iter(types)), item)]:
            try:
                _add_row(rows, name, value, types)
            except ServingError as error:
                key = f" key: {name}" if named else ""
                raise invalid_argument(
                    f"Failed to process element: {index}{key} of 'instances' list. "
                    f"Error: {error.code.name}: {error.message}"
                ) from None
        if named and item.keys() != types.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: {_show(item)} "
                f"keys must be equal to: {','.join(sorted(types))}"
            )
    return {name: np.stack(values[1:] if first else values) for name, values in rows.items()}


def _add_row(rows: dict[str, list[np.ndarray]], name: str, value: Any, types: Mapping[str, str]) -> None:
    if name not in types:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    tensor = _read_tensor(value, types[name])
    expected = rows[name][0] if rows[name] else tensor
    if tensor.size != expected.size:
        raise invalid_argument(f"Expecting tensor size: {expected.size} but got: {tensor.size}")
    if tensor.shape != expected.shape:
        shapes = [f"[{','.join(map(str, shape))}]" for shape in (expected.shape, tensor.shape)]
        raise invalid_argument(f"Expecting shape {shapes[0]} but got: {shapes[1]}")
    rows[name].append(tensor)


def _read_tensor(value: Any, dtype: str) -> np.ndarray:
    alike = _read_alike(value, dtype)
    if alike is not None:
        return alike
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    leaves: list[Any] = []
    _collect(value, 0, shape, dtype, leaves)
    return _to_array(leaves, shape, dtype)


def _read_alike(value: Any, dtype: str) -> np.ndarray | None:
    """Reads a tensor without a line of Python for each value; None if they are not all of the right type and one shape.

    What is wrong, and where, `_collect` finds out.
    """
    shape, items = [], [value]
    while set(map(type, items)) == {list}:
        sizes = set(map(len, items))
        if len(sizes) > 1:
            return None
        shape.append(sizes.pop())
        items = list(chain.from_iterable(items))
    if not set(map(type, items)) <= _PYTHON_TYPES.get(dtype, set()):
        return None
    if dtype in INTEGER_TYPES and items:
        limits = np.iinfo(dtype)
        if min(items) < limits.min or max(items) > limits.max:
            return None
    if dtype == "string":
        try:
            items = [each.encode() if type(each) is str else _read_base64(each) for each in items]
        except (UnicodeEncodeError, ServingError):
            return None
    return _to_array(items, shape, dtype)


def _to_array(leaves: list[Any], shape: Sequence[int], dtype: str) -> np.ndarray:
    if len(shape) > MAX_RANK:
        raise invalid_argument(f"Lists nested {len(shape)} deep, a tensor of at most rank {MAX_RANK} was expected")
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite
        return np.array(leaves, dtype=object if dtype == "string" else dtype).reshape(shape)


def _collect(value: Any, level: int, shape: Sequence[int], dtype: str, leaves: list[Any]) -> None:
    """Appends the values of a nested list to `leaves`, in order, and checks that it has `shape` throughout."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {_show(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        leaves.append(_read_value(value, dtype))
        return
    if level >= len(shape):
        raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _collect(item, level + 1, shape, dtype, leaves)


def _read_value(value: Any, dtype: str) -> Any:
    if dtype == "string" and isinstance(value, dict):
        return _read_base64(value)
    if dtype == "string":
        fits = isinstance(value, str)
    elif dtype == "bool":
        fits = isinstance(value, bool)
    elif isinstance(value, bool):  # which Python counts as an integer
        fits = False
    elif dtype in ("float32", "float64"):
        fits = isinstance(value, int | float)
    elif dtype in INTEGER_TYPES:
        fits = isinstance(value, int) and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    else:
        raise ServingError(
            StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value: {_show(value)} to type: {cpp_name(dtype)}"
        )
    if not fits:
        raise invalid_argument(
            f"JSON Value: {_show(value)} Type: {_type_name(value)} is not of expected type: {cpp_name(dtype)}"
        )
    return _encode(value) if dtype == "string" else value


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise invalid_argument("JSON Parse error: The surrogate pair in string is invalid.") from None


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _read_base64(value: dict[str, Any]) -> bytes:
    if not _is_base64(value):
        raise invalid_argument(f"JSON Value: {_show(value)} not formatted correctly for base64 data")
    text = re.sub(r"[ \t\n\v\f\r]", "", value["b64"]).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def _type_name(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "Null", False: "False", True: "True"}[value]
    names: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def _show(value: Any) -> str:
    text = json.dumps(value, indent=4, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[:SHOWN] + "...TRUNCATED"


def cpp_name(dtype: str) -> str:
    return _CPP_NAMES.get(dtype, dtype)
