"""TensorProtos <-> arrays. What a TensorProto claims is compared with what it holds before memory is taken for it."""

from __future__ import annotations

import math
from collections.abc import Sized

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from nmt.exports.saved_model import TensorSpec
from nmt.serving.error import invalid_argument
from nmt.serving.text_limits import TextLimits

MAX_RANK = 254  # TensorFlow's own
MAX_FILLED_BYTES = 4096  # that values may take which are not sent, because they are as the last one
# The field that holds the values of a dtype where there is no tensor_content.
_VALUE_FIELDS = {
    "bool": "bool_val",
    "float32": "float_val",
    "float64": "double_val",
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "int64": "int64_val",
    "string": "string_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
}
_READ_FIELDS = {**_VALUE_FIELDS, "float16": "half_val", "bfloat16": "half_val"}


def read_tensor(name: str, proto: TensorProto, spec: TensorSpec, limits: TextLimits) -> np.ndarray:
    """The array of an input called `name` that a signature describes by `spec`; strings are bytes, dtype object.

    Raises: ServingError INVALID_ARGUMENT.
    """
    try:
        dtype = tf.as_dtype(proto.dtype).name
        if dtype not in _READ_FIELDS:
            raise ValueError(f"dtype {dtype} is not read here")
    except (TypeError, ValueError) as error:
        raise invalid_argument(f"tensor parsing error: {name} ({error})") from None
    if dtype != spec.dtype:
        raise invalid_argument(f"Input {name} expects {spec.dtype} but {dtype} is provided")
    try:
        _check_size(proto, dtype)
        if dtype == "string":
            limits.check_count(len(proto.string_val))
        return tf.make_ndarray(proto)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise invalid_argument(f"tensor parsing error: {name} ({error})") from None


def write_tensor(value: np.ndarray) -> TensorProto:
    """The TensorProto of an output, with the typed fields filled as the server does, as some clients read them."""
    dtype = tf.as_dtype(value.dtype)
    field = _VALUE_FIELDS.get(dtype.name)
    if field is None:
        return tf.make_tensor_proto(value)
    proto = TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(value.shape).as_proto())
    getattr(proto, field).extend(value.reshape(-1).tolist())
    return proto


def _check_size(proto: TensorProto, dtype: str) -> None:
    """Compares the shape with the values. Fewer values than elements are as tf.make_tensor_proto has it, where the last
    one stands for the rest, but not for any number.

    Raises: ValueError.
    """
    if proto.tensor_shape.unknown_rank:
        raise ValueError("its rank is unknown")
    sizes = [dimension.size for dimension in proto.tensor_shape.dim]
    if len(sizes) > MAX_RANK:
        raise ValueError(f"rank {len(sizes)}, but at most {MAX_RANK} is possible")
    if min(sizes, default=0) < 0:
        raise ValueError(f"shape {sizes} has a negative size")
    elements = math.prod(sizes)
    values: Sized = getattr(proto, _READ_FIELDS[dtype])
    if dtype == "string":
        if proto.tensor_content:
            raise ValueError("strings are read from string_val, not from tensor_content")
        size = len(proto.string_val[-1]) + 1 if values else 1
    else:
        size = tf.as_dtype(dtype).size
    if proto.tensor_content:
        if elements * size != len(proto.tensor_content):
            raise ValueError(
                f"shape {sizes} has {elements:,} elements of {size} bytes, but tensor_content has "
                f"{len(proto.tensor_content):,} bytes"
            )
    elif len(values) > elements or (elements - len(values)) * size > MAX_FILLED_BYTES:
        raise ValueError(f"shape {sizes} has {elements:,} elements, but {len(values):,} values were sent")
