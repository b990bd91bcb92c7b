"""A model behind TensorFlow Serving's gRPC API: requests, and what their answers mean.

The messages' package imports TensorFlow, which takes seconds: import this file only for those who ask for gRPC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from tensorflow import make_ndarray, make_tensor_proto
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from nmt.client.address import Address
from nmt.client.errors import check_outputs, failed, no_model, no_server, refused, unavailable

_OPTIONS = [("grpc.max_receive_message_length", -1)]
_REFUSED = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNAUTHENTICATED", "PERMISSION_DENIED")


class GrpcModel:
    """As rest.RestModel, over one channel."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._channel = grpc.insecure_channel(address.host, options=_OPTIONS)
        self._stub = PredictionServiceStub(self._channel)

    def predict(
        self, signature: str, lines: list[bytes], timeout: float, glossaries: list[bytes] | None = None
    ) -> Mapping[str, Any]:
        try:
            response = self._stub.Predict(_request(self._address, signature, lines, glossaries), timeout=timeout)
        except grpc.RpcError as error:
            raise _explained(self._address, error) from None
        return _outputs(self._address, response)

    def close(self) -> None:
        self._channel.close()


class AsyncGrpcModel:
    """As GrpcModel, for asyncio."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._channel = grpc.aio.insecure_channel(address.host, options=_OPTIONS)
        self._stub = PredictionServiceStub(self._channel)

    async def predict(self, signature: str, lines: list[bytes], timeout: float) -> Mapping[str, Any]:
        try:
            response = await self._stub.Predict(_request(self._address, signature, lines), timeout=timeout)
        except grpc.RpcError as error:
            raise _explained(self._address, error) from None
        return _outputs(self._address, response)

    async def close(self) -> None:
        await self._channel.close()


def _request(
    address: Address, signature: str, lines: list[bytes], glossaries: list[bytes] | None = None
) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = address.model, signature
    request.inputs["text"].CopyFrom(make_tensor_proto(lines, shape=[len(lines)]))
    if glossaries is not None:
        request.inputs["glossary"].CopyFrom(make_tensor_proto(glossaries, shape=[len(glossaries)]))
    return request


def _outputs(address: Address, response: PredictResponse) -> Mapping[str, Any]:
    outputs = check_outputs(response.outputs, address.server, address.model)
    return {name: make_ndarray(output) for name, output in outputs.items()}


def _explained(address: Address, error: Any) -> ValueError | ConnectionError:
    code, message = error.code().name, error.details()
    if code == "UNAVAILABLE":
        answered = "failed to connect" not in message
        return unavailable(address.server, message) if answered else no_server(address.server, message)
    if code == "RESOURCE_EXHAUSTED" and "larger than max" not in message:
        return unavailable(address.server, message)
    if code == "NOT_FOUND":
        return no_model(address.server, address.model, message)
    if code in (*_REFUSED, "RESOURCE_EXHAUSTED"):
        return refused(address.server, message)
    return failed(address.server, f"{code}: {message}")
