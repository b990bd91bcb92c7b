"""The endpoint's gRPC side: TensorFlow Serving's PredictionService and ModelService."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from nmt.exports.saved_model import Signature
from nmt.exports.signatures import DEFAULT_SIGNATURE
from nmt.serving.error import ServingError, from_exception, invalid_argument
from nmt.serving.prediction_service import PredictionService, signatures_of

MAX_MESSAGE_CHARACTERS = 1024  # of an error
THREADS = 64  # requests that may run at once
ONE_DAY = 86_400.0  # seconds
MAX_REPEATED = 1_000_000  # elements that a shorter list of values may stand for
_VALUE_FIELDS = {  # of a TensorProto: as the server fills it, for clients that read them directly
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

logger = logging.getLogger(__name__)


def grpc_server(service: PredictionService, *, host: str, port: int) -> tuple[grpc.Server, int]:
    """Starts the server; returns it and its port. Raises OSError where the port is taken, or none at all."""
    if not 0 <= port <= 0xFFFF:  # gRPC itself would take another one
        raise OSError(f"port {port}: a number from 0 to 65535 was expected")
    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),  # else a second server on the same port would silently share it
    ]
    server = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix="grpc"), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionServicer(service), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelServicer(service), server)
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(str(error)) from None
    server.start()
    return server, bound


def _answer(method: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """Turns what a method raises into the call's status."""

    def answered(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:
            failure = from_exception(error)
            if failure.code == grpc.StatusCode.INTERNAL:
                logger.error("%s", method.__name__, exc_info=error)
            _abort(context, failure)

    return answered


def _abort(context: grpc.ServicerContext, failure: ServingError) -> NoReturn:
    message = failure.message
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = message[:MAX_MESSAGE_CHARACTERS] + "...TRUNCATED"
    context.abort(failure.code, message)
    raise AssertionError("abort raises")


class PredictionServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED."""

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    @_answer
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._service.measured(request.model_spec.name, entrypoint="GRPC"):
            remaining = context.time_remaining()
            # A call without a deadline has None or some hundred million years, which the runtime cannot count.
            return self._predict(request, remaining if remaining is not None and remaining < ONE_DAY else None)

    def _predict(self, request: Any, timeout: float | None) -> Any:
        name, number, label = _target(request)
        with self._service.models.use(name, number=number, label=label) as version:
            key = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = signatures_of(version).get(key)
            if signature is None:
                raise ServingError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.')
            inputs = _inputs(request, signature)
            wanted = _wanted_outputs(request, signature)
            outputs = self._service.predict(version, key, inputs, timeout=timeout)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = name, key
        response.model_spec.version.value = version.number
        for output in wanted:
            response.outputs[output].CopyFrom(_tensor_proto(outputs[output]))
        return response

    @_answer
    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        target = _target(request)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid_argument(f"Metadata field {field} is not supported")
        spec, signatures = self._service.signatures(*target)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=spec)
        response.metadata["signature_def"].Pack(signatures)
        return response


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; HandleReloadConfigRequest answers UNIMPLEMENTED."""

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    @_answer
    def GetModelStatus(
        self, request: Any, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        name, number, _ = _target(request)
        return self._service.status(name, number)


def _target(request: Any) -> tuple[str, int | None, str | None]:
    """Name, version and label that a request's model_spec asks for."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec: model_pb2.ModelSpec = request.model_spec
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    number = spec.version.value if choice == "version" else None
    return spec.name, number, spec.version_label if choice == "version_label" else None


def _inputs(request: Any, signature: Signature) -> dict[str, np.ndarray]:
    sent, expected = set(request.inputs), set(signature.inputs)
    extra, missing = sent - expected, expected - sent - set(signature.defaults)
    if extra or missing:
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_names(sent)}) != "
            f"len({_names(expected)}). Sent extra: {_names(extra)}. Missing but required: {_names(missing)}."
        )
    inputs = {}
    for name, value in request.inputs.items():
        try:
            _check_size(value)
            inputs[name] = tf.make_ndarray(value)
        except (TypeError, ValueError, KeyError) as error:
            raise invalid_argument(f"tensor parsing error: {name} ({error})") from None
    return inputs


def _check_size(value: TensorProto) -> None:
    """Compares the size that a tensor claims with what was sent, before memory is taken for it.

    One value may stand for several equal ones, as tf.make_tensor_proto has it, but not for any number.

    Raises: ValueError.
    """
    sizes = [dimension.size for dimension in value.tensor_shape.dim]
    if min(sizes, default=0) < 0:
        raise ValueError(f"shape {sizes} has a negative size")
    elements, sent = math.prod(sizes), value.ByteSize()  # an element has a byte at least
    if elements > max(sent, MAX_REPEATED):
        raise ValueError(f"shape {sizes} has {elements:,} elements, which {sent:,} bytes cannot hold")


def _wanted_outputs(request: Any, signature: Signature) -> list[str]:
    for name in request.output_filter:
        if name not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{_names(set(signature.outputs))}."
            )
    return list(request.output_filter) or list(signature.outputs)


def _names(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _tensor_proto(value: np.ndarray) -> Any:
    dtype = tf.as_dtype(value.dtype)
    field = _VALUE_FIELDS.get(dtype.name)
    if field is None:
        return tf.make_tensor_proto(value)
    proto = TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(value.shape).as_proto())
    getattr(proto, field).extend(value.reshape(-1).tolist())
    return proto
