"""The endpoint's REST side: routes a request as TensorFlow Serving does and answers it in JSON.

`RestApi.answer` is the API; `RestServer` carries it over HTTP/1.1.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from grpc import StatusCode

from nmt.exports.signatures import DEFAULT_SIGNATURE
from nmt.serving.error import HTTP_STATUS, ServingError, from_exception, invalid_argument
from nmt.serving.prediction_service import PredictionService, signatures_of
from nmt.serving.rest_request import read_request
from nmt.serving.rest_response import write_error, write_response
from nmt.serving.served_models import Version

METRICS_PATH = "/monitoring/prometheus/metrics"
TIMEOUT_SECONDS = 30.0  # of a prediction
IDLE_SECONDS = 75.0  # that a connection may be silent
MAX_BODY_BYTES = 64 * 2**20
MAX_INFLATED_BYTES = 100 * 2**20
_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_API_PATH = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_PREDICT_PATH = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_MODEL_PATH = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<metadata>metadata))?", re.IGNORECASE | re.ASCII
)

logger = logging.getLogger(__name__)


class Response(NamedTuple):
    status: int
    content_type: str
    body: bytes


class Target(NamedTuple):
    """The model a path names."""

    name: str
    number: int | None
    label: str | None


class RestApi:
    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def answer(self, method: str, path: str, *, body: bytes = b"", origin: str = "") -> Response:
        """Answers one request; never raises. `path` is as it came: percent-encoded, query included."""
        if path == METRICS_PATH and method == "GET":
            return Response(200, "text/plain", self._service.metrics.page().encode())
        if not _API_PATH.fullmatch(path):
            return Response(404, "text/html", b"<html><body><h1>Not Found</h1></body></html>\n")
        if method == "OPTIONS":
            return Response(200 if re.match("https?://", origin) else 400, "text/plain", b"")
        try:
            return self._route(method, path, body)
        except Exception as error:
            failure = from_exception(error)
            if failure.code == StatusCode.INTERNAL:
                logger.error("%s %s", method, path, exc_info=error)
            return Response(HTTP_STATUS[failure.code], "application/json", write_error(failure.message))

    def _route(self, method: str, path: str, body: bytes) -> Response:
        pattern = {"GET": _MODEL_PATH, "POST": _PREDICT_PATH}.get(method)
        found = pattern.fullmatch(path) if pattern else None
        if not found or (method == "POST" and found["verb"] not in ("classify", "regress", "predict")):
            raise invalid_argument(f"Malformed request: {method} {path}")
        number = int(found["version"]) if found["version"] else None
        if number is not None and number >= 2**63:
            return Response(400, "application/json", b"")
        target = Target(_unquote(found["name"] or ""), number, _unquote(found["label"]) if found["label"] else None)
        if method == "POST":
            return self._predict(target, found["verb"], body)
        if not target.name:
            raise invalid_argument("Missing model name in request.")
        return self._metadata(target) if found["metadata"] else self._status(target)

    def _predict(self, target: Target, verb: str, body: bytes) -> Response:
        if verb != "predict":
            raise ServingError(StatusCode.UNIMPLEMENTED, f":{verb} is not served here, only :predict")
        with (
            self._service.measured(target.name, entrypoint="REST"),
            self._service.models.use(target.name, number=target.number, label=target.label) as version,
        ):
            request = read_request(body, lambda signature: _input_types(version, signature))
            signature = request.signature or DEFAULT_SIGNATURE
            outputs = self._service.predict(version, signature, request.inputs, timeout=TIMEOUT_SECONDS)
            return Response(200, "application/json", write_response(outputs, by_row=request.by_row))

    def _status(self, target: Target) -> Response:
        return _json_response(_to_dict(self._service.status(target.name, target.number)))

    def _metadata(self, target: Target) -> Response:
        spec, signatures = self._service.signatures(*target)
        metadata = {"signature_def": _to_dict(signatures)}
        return _json_response({"model_spec": _to_dict(spec), "metadata": metadata})


class RestServer(ThreadingHTTPServer):
    """Carries a RestApi over HTTP/1.1: keep-alive, chunked and gzip bodies. Raises OSError where the port is taken."""

    daemon_threads = False  # so that server_close waits for requests in progress
    request_queue_size = 128

    def __init__(self, api: RestApi, *, host: str, port: int) -> None:
        self.api = api
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._connections: set[Any] = set()
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Stops accepting requests and waits for those in progress."""
        self.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # closed by the client meanwhile
                connection.shutdown(socket.SHUT_RD)  # what waits for a next request sees the end; answers still go out
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "nmt"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: RestServer

    def do_POST(self) -> None:
        try:
            body = self._read_body()
            response = self.server.api.answer(self.command, self.path, body=body, origin=self.headers.get("Origin", ""))
        except ServingError as error:
            # The body was not read, so the next request could not be told from it.
            self.close_connection = True
            response = Response(HTTP_STATUS[error.code], "application/json", write_error(error.message))
        self._send(response)

    do_GET = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_POST

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):  # the client went away in the middle of a request
            super().handle()

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = self._read_chunks()
        else:
            length = self.headers.get("Content-Length", "0")
            if not (length.isascii() and length.isdecimal()):
                raise invalid_argument(f"Malformed Content-Length: {length}")
            body = self._read_exactly(int(length))
        return _inflate(body) if "gzip" in self.headers.get("Content-Encoding", "") else body

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            line = self.rfile.readline(1024).split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", line):
                raise invalid_argument("Malformed chunked body")
            size = int(line, 16)
            if size == 0:
                break
            body += self._read_exactly(size, limit=MAX_BODY_BYTES - len(body))
            self.rfile.readline(1024)
        while self.rfile.readline(65536).strip():
            pass  # trailers
        return body

    def _read_exactly(self, size: int, *, limit: int = MAX_BODY_BYTES) -> bytes:
        if size > limit:
            raise invalid_argument(f"The body is larger than {MAX_BODY_BYTES} bytes: send it in smaller requests")
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionError
        return body

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def _inflate(body: bytes) -> bytes:
    """A gzip body, unpacked; what does not unpack, or to too much, counts as empty, as it does on the server."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        inflated = decoder.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error:
        return b""
    return inflated if decoder.eof else b""


def _input_types(version: Version, signature: str) -> dict[str, str]:
    signature = signature or DEFAULT_SIGNATURE
    found = signatures_of(version).get(signature)
    if found is None:
        raise invalid_argument(f'Serving signature name: "{signature}" not found in signature def')
    return {name: spec.dtype for name, spec in found.inputs.items()}


def _unquote(name: str) -> str:
    return unquote_to_bytes(name.encode("latin-1")).decode(errors="replace")


def _to_dict(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _json_response(value: dict[str, Any]) -> Response:
    return Response(200, "application/json", json.dumps(value, indent=1, ensure_ascii=False).encode())
