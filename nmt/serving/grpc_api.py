"""The endpoint's gRPC side: TensorFlow Serving's PredictionService and ModelService.

`GrpcApi.answer` is the API; `nmt.serving.grpc_server` carries it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf import text_format
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from nmt.exports.signatures import DEFAULT_SIGNATURE, Signature
from nmt.serving.error import ServingError, StatusCode, from_exception, invalid_argument
from nmt.serving.grpc_tensors import read_tensor, write_tensor
from nmt.serving.model_configs import parse_model_configs
from nmt.serving.prediction_service import PredictionService, signatures_of

# The methods of each service that are served; others answer UNIMPLEMENTED.
METHODS = {
    "tensorflow.serving.PredictionService": ("Predict", "GetModelMetadata"),
    "tensorflow.serving.ModelService": ("GetModelStatus", "HandleReloadConfigRequest"),
}
MAX_MESSAGE_CHARACTERS = 1024  # of an error

logger = logging.getLogger(__name__)


class Call(NamedTuple):
    """One call, as it came."""

    body: bytes
    timeout: float | None  # seconds, None = as long as it takes
    cancelled: Callable[[], bool]  # true once nobody waits for the answer


class GrpcApi:
    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def answer(self, method: str, call: Call) -> bytes:
        """The response to a call of a method of METHODS. Raises ServingError, and nothing else."""
        try:
            response: Message = getattr(self, f"_{method}")(call)
            return response.SerializeToString()
        except Exception as error:
            failure = from_exception(error)
            if failure.code == StatusCode.INTERNAL:
                logger.error("%s", method, exc_info=error)
            if len(failure.message) > MAX_MESSAGE_CHARACTERS:
                failure = ServingError(failure.code, failure.message[:MAX_MESSAGE_CHARACTERS] + "...TRUNCATED")
            raise failure from None

    def _Predict(self, call: Call) -> PredictResponse:
        request = _parsed(PredictRequest(), call.body)
        with self._service.measured(request.model_spec.name, entrypoint="GRPC"):
            return self._predict(request, call)

    def _predict(self, request: Any, call: Call) -> PredictResponse:
        name, number, label = _target(request)
        with self._service.models.use(name, number=number, label=label) as version:
            key = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = signatures_of(version).get(key)
            if signature is None:
                raise ServingError(StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.')
            _check_names(request, signature)
            inputs = {
                name: read_tensor(name, value, signature.inputs[name], self._service.limits)
                for name, value in request.inputs.items()
            }
            outputs = self._service.predict(version, key, inputs, timeout=call.timeout, cancelled=call.cancelled)
        response = PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = name, key
        response.model_spec.version.value = version.number
        for output in request.output_filter or signature.outputs:
            response.outputs[output].CopyFrom(write_tensor(outputs[output]))
        return response

    def _GetModelMetadata(self, call: Call) -> GetModelMetadataResponse:
        request = _parsed(GetModelMetadataRequest(), call.body)
        target = _target(request)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid_argument(f"Metadata field {field} is not supported")
        spec, signatures = self._service.signatures(*target)
        response = ParseDict({"model_spec": spec}, GetModelMetadataResponse())
        response.metadata["signature_def"].Pack(ParseDict(signatures, SignatureDefMap()))
        return response

    def _GetModelStatus(self, call: Call) -> GetModelStatusResponse:
        name, number, _ = _target(_parsed(GetModelStatusRequest(), call.body))
        return ParseDict(self._service.status(name, number), GetModelStatusResponse())

    def _HandleReloadConfigRequest(self, call: Call) -> ReloadConfigResponse:
        config = _parsed(ReloadConfigRequest(), call.body).config
        if not config.HasField("model_config_list"):
            raise invalid_argument("ReloadConfigRequest needs a model_config_list, the one kind that is supported")
        self._service.models.reload(parse_model_configs(text_format.MessageToString(config)))
        response = ReloadConfigResponse()
        response.status.SetInParent()
        return response


def _parsed(message: Any, body: bytes) -> Any:
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise invalid_argument(f"the request is no {type(message).__name__}") from None
    return message


def _target(request: Any) -> tuple[str, int | None, str | None]:
    """Name, version and label that a request's model_spec asks for."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    number = spec.version.value if choice == "version" else None
    return spec.name, number, spec.version_label if choice == "version_label" else None


def _check_names(request: Any, signature: Signature) -> None:
    """Raises ServingError INVALID_ARGUMENT unless inputs and output_filter have the signature's names."""
    sent, expected = set(request.inputs), set(signature.inputs)
    extra, missing = sent - expected, expected - sent - set(signature.defaults)
    if extra or missing:
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_names(sent)}) != "
            f"len({_names(expected)}). Sent extra: {_names(extra)}. Missing but required: {_names(missing)}."
        )
    for name in request.output_filter:
        if name not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{_names(set(signature.outputs))}."
            )


def _names(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
