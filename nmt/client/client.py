"""Translates through an endpoint: TensorFlow Serving or `nmt serve`, over REST or gRPC. Imports no TensorFlow for REST.

with connect("http://localhost:8501/translator") as client:
    print(client.translate(["A sentence."])[0].text)
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

from nmt.translation.translation import Hypothesis, Translation

DEFAULT_MODEL = "translator"
MAX_LINES = 64  # of a request: what a batching server takes (export.max_batch)
MAX_BYTES = 32_768  # of a request's text, so that long lines stay within the server's time limit
OUTPUTS = ("translation", "score", "truncated")  # of a text export's serving_default
JUDGEMENTS = ("degenerate", "confidence")  # that an export may also have


class Client:
    """Made by `connect`.

    Args: predict: lines of UTF-8 or other bytes -> OUTPUTS, and those of JUDGEMENTS there are, as lists by name; close:
        frees the connection.
    """

    def __init__(self, predict: Callable[[list[bytes]], dict[str, list[Any]]], close: Callable[[], None]) -> None:
        self._predict = predict
        self.close = close

    def translate(self, lines: Sequence[str | bytes]) -> list[Translation]:
        """Translates lines, in order, one for each.

        Raises: ConnectionError where no server answers, it fails, or takes too long; ValueError for what it refuses,
            such as a model it does not have.
        """
        translations: list[Translation] = []
        for request in requests([_to_bytes(line) for line in lines]):
            columns = self._predict(request)
            if any(len(column) != len(request) for column in columns.values()):
                raise ValueError(f"the model answered {len(request)} lines with {[*map(len, columns.values())]}")
            for row in zip(*columns.values(), strict=True):
                fields = dict(zip(columns, row, strict=True))
                best = Hypothesis(fields.pop("translation"), fields.pop("score"))
                translations.append(Translation((best,), **fields))
        return translations

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def connect(url: str, *, timeout: float = 60.0) -> Client:
    """A client of the model at `url`; connects with the first request.

    Args: url: http://host:8501, https://... or grpc://host:8500, each with an optional /model-name (translator);
        timeout: seconds for one request of at most MAX_LINES lines.
    Raises: ValueError where the URL is none of these.
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
    if parts.scheme == "grpc":
        return _grpc_client(f"{host}:{port}", model, timeout=timeout)
    return _rest_client(f"{parts.scheme}://{host}:{port}", model, timeout=timeout)


def _to_bytes(line: str | bytes) -> bytes:
    # surrogateescape: the bytes that a text file in another encoding had, as Python's open() may hand them over.
    return line.encode(errors="surrogateescape") if isinstance(line, str) else line


def requests(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Splits lines into requests, each within MAX_LINES and MAX_BYTES but of at least one line."""
    request: list[bytes] = []
    for line in lines:
        if request and (len(request) == MAX_LINES or sum(map(len, request)) + len(line) > MAX_BYTES):
            yield request
            request = []
        request.append(line)
    if request:
        yield request


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


def _read_outputs(outputs: Mapping[str, Any], address: str, model: str) -> dict[str, Any]:
    """Of all that a model gives what a client reads."""
    if not set(OUTPUTS) <= set(outputs):
        raise _unusable(address, model)
    return {name: outputs[name] for name in (*OUTPUTS, *JUDGEMENTS) if name in outputs}


# --- REST ---


def _rest_client(address: str, model: str, *, timeout: float) -> Client:
    url = f"{address}/v1/models/{quote(model, safe='')}:predict"

    def predict(lines: list[bytes]) -> dict[str, list[Any]]:
        body = json.dumps({"inputs": [_json_string(line) for line in lines]}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                outputs = json.load(response)["outputs"]
            return _read_outputs(outputs, address, model)
        except urllib.error.HTTPError as error:
            raise _rest_error(address, model, error) from None
        except TimeoutError:
            raise _failed(address, f"no answer within {timeout:g} seconds") from None
        except urllib.error.URLError as error:
            raise _no_server(address, error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise _failed(address, f"the connection broke ({error})") from None
        except (ValueError, KeyError, TypeError):
            raise _unusable(address, model) from None

    return Client(predict, close=lambda: None)


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


def _grpc_client(target: str, model: str, *, timeout: float) -> Client:
    # The messages' package imports TensorFlow, which takes seconds: only for those who ask for gRPC.
    import grpc
    from tensorflow import make_ndarray, make_tensor_proto
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    address = f"grpc://{target}"
    channel = grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def predict(lines: list[bytes]) -> dict[str, list[Any]]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.inputs["text"].CopyFrom(make_tensor_proto(lines, shape=[len(lines)]))
        try:
            outputs = stub.Predict(request, timeout=timeout).outputs
        except grpc.RpcError as error:
            raise _grpc_error(address, model, error) from None
        outputs = _read_outputs(outputs, address, model)
        columns = {name: make_ndarray(output).tolist() for name, output in outputs.items()}
        return {**columns, "translation": [text.decode(errors="replace") for text in columns["translation"]]}

    return Client(predict, close=channel.close)


def _grpc_error(address: str, model: str, error: Any) -> ValueError | ConnectionError:
    code, message = error.code().name, error.details()
    if code == "UNAVAILABLE":
        return _no_server(address, message)
    if code == "NOT_FOUND":
        return _no_model(address, model, message)
    if code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNAUTHENTICATED", "PERMISSION_DENIED"):
        return _refused(address, message)
    return _failed(address, f"{code}: {message}")
