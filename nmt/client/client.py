"""Connects to an endpoint, TensorFlow Serving or `nmt serve`, over REST or gRPC. Imports no TensorFlow for REST.

with connect("http://localhost:8501/translator") as endpoint:
    print(endpoint.translate(["A sentence."])[0].text)
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from nmt.exports.endpoint import Endpoint, Predict
from nmt.exports.signatures import OUTPUTS
from nmt.startup import import_tensorflow

DEFAULT_MODEL = "translator"


def connect(url: str, *, n_best: int | None = None, alignments: bool = False, timeout: float = 60.0) -> Endpoint:
    """The model at `url`; connects with the first request.

    Args:
        url: http://host:8501, https://... or grpc://host:8500, each with an optional /model-name (translator).
        n_best, alignments: as Endpoint.
        timeout: seconds for one request of at most MAX_LINES lines.

    Raises: ValueError where the URL is none of these.
    """
    scheme, address, model = read_url(url)
    if scheme == "grpc":
        predict, close = _grpc(address, model, timeout=timeout)
    else:
        predict, close = _rest(f"{scheme}://{address}", model, timeout=timeout), lambda: None
    return Endpoint(predict, name=f"the server at {url}", n_best=n_best, alignments=alignments, close=close)


def read_url(url: str) -> tuple[str, str, str]:
    """Scheme, host:port and model of a server's URL.

    Raises: ValueError where it is none.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or {"https": 443, "http": 8501, "grpc": 8500}[parts.scheme]
        if not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(
            f"{url!r} is no address of a server: expected http://host:8501 or grpc://host:8500, with /model-name "
            f"behind it where the model is not called {DEFAULT_MODEL}"
        ) from None
    model = parts.path.strip("/") or DEFAULT_MODEL
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.scheme, f"{host}:{port}", model


def _no_server(address: str, reason: object) -> ConnectionError:
    return ConnectionError(
        f"no server answers at {address} ({reason}): start one with `nmt serve DIR`, or check host and port"
    )


def _no_model(address: str, model: str, message: str) -> ValueError:
    return ValueError(
        f"the server at {address} has no model {model!r} ready ({message}): put the model's name behind the address, "
        f"{address}/NAME"
    )


def _failed(address: str, message: str) -> ConnectionError:
    return ConnectionError(f"the server at {address} failed: {message}; its log may say more")


def _refused(address: str, message: str) -> ValueError:
    return ValueError(f"the server at {address} refused the request: {message}")


def _unusable(address: str, model: str) -> ValueError:
    return ValueError(
        f"the model {model!r} at {address} cannot be used: it is no text export of `nmt export` (its outputs should be "
        "translation, score and truncated)"
    )


def _check_outputs(outputs: Any, address: str, model: str) -> Mapping[str, Any]:
    """Raises ValueError where a model's outputs are not those of a text export."""
    if not isinstance(outputs, Mapping) or not set(OUTPUTS) <= set(outputs):
        raise _unusable(address, model)
    return outputs


# --- REST ---


def _rest(address: str, model: str, *, timeout: float) -> Predict:
    url = f"{address}/v1/models/{quote(model, safe='')}:predict"

    def predict(signature: str, lines: list[bytes]) -> Mapping[str, Any]:
        inputs = [_json_string(line) for line in lines]
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                outputs = json.load(response)["outputs"]
            return _check_outputs(outputs, address, model)
        except urllib.error.HTTPError as error:
            raise _rest_error(address, model, error) from None
        except TimeoutError:
            raise _failed(address, f"no answer within {timeout:g} seconds") from None
        except urllib.error.URLError as error:
            raise _no_server(address, error.reason) from None
        except http.client.RemoteDisconnected as error:
            raise _failed(address, f"the connection broke ({error})") from None
        except http.client.BadStatusLine:
            raise _failed(
                address, f"it does not answer in HTTP/1.1; if this is its gRPC port, write grpc{address[4:]}"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise _failed(address, f"the connection broke ({error})") from None
        except (ValueError, KeyError, TypeError):
            raise _unusable(address, model) from None

    return predict


def _json_string(line: bytes) -> str | dict[str, str]:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(line).decode()}


def _rest_error(address: str, model: str, error: urllib.error.HTTPError) -> ValueError | ConnectionError:
    with error:
        body = error.read().decode(errors="replace")
    try:
        message = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        message = f"HTTP status {error.code}, which is not how TensorFlow Serving answers: {body[:200]!r}"
    if error.code == 404:
        return _no_model(address, model, message)
    return _failed(address, message) if error.code >= 500 else _refused(address, message)


# --- gRPC ---


def _grpc(target: str, model: str, *, timeout: float) -> tuple[Predict, Callable[[], None]]:
    # The messages' package imports TensorFlow, which takes seconds: only for those who ask for gRPC.
    import_tensorflow()
    import grpc
    from tensorflow import make_ndarray, make_tensor_proto
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    address = f"grpc://{target}"
    channel = grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(signature: str, lines: list[bytes]) -> Mapping[str, Any]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        request.inputs["text"].CopyFrom(make_tensor_proto(lines, shape=[len(lines)]))
        try:
            outputs = stub.Predict(request, timeout=timeout).outputs
        except grpc.RpcError as error:
            raise _grpc_error(address, model, error) from None
        return {name: make_ndarray(output) for name, output in _check_outputs(outputs, address, model).items()}

    return predict, channel.close


def _grpc_error(address: str, model: str, error: Any) -> ValueError | ConnectionError:
    code, message = error.code().name, error.details()
    if code == "UNAVAILABLE":
        return _no_server(address, message)
    if code == "NOT_FOUND":
        return _no_model(address, model, message)
    if code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNAUTHENTICATED", "PERMISSION_DENIED"):
        return _refused(address, message)
    return _failed(address, f"{code}: {message}")
