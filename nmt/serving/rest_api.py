"""The endpoint's REST side: routes a request as TensorFlow Serving does and answers it in JSON."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from nmt.exports.signatures import DEFAULT_SIGNATURE
from nmt.serving.error import ServingError, StatusCode, from_exception, invalid_argument
from nmt.serving.monitoring_config import METRICS_PATH
from nmt.serving.prediction_service import PredictionService, signatures_of
from nmt.serving.rest_request import read_request
from nmt.serving.rest_response import Response, write_error, write_response
from nmt.serving.served_models import Version

LIVE_PATH = "/v2/health/live"
READY_PATH = "/v2/health/ready"
_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_API_PATH = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)
_PREDICT_PATH = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_MODEL_PATH = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<metadata>metadata))?", re.IGNORECASE | re.ASCII
)

logger = logging.getLogger(__name__)


class Target(NamedTuple):
    """The model a path names."""

    name: str
    number: int | None
    label: str | None


class RestApi:
    """Args: timeout: seconds that a prediction may take; metrics_path: of Prometheus's page, None = there is none."""

    def __init__(self, service: PredictionService, *, timeout: float, metrics_path: str | None = METRICS_PATH) -> None:
        self._metrics_path = metrics_path
        self._service = service
        self._timeout = timeout

    def answer(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        origin: str = "",
        cancelled: Callable[[], bool] | None = None,
    ) -> Response:
        """Answers one request; never raises.

        Args: path: as it came, percent-encoded, query included; origin: the header; cancelled: true once nobody waits
            for the answer any more.
        """
        if method == "GET" and path == self._metrics_path:
            return Response(200, "text/plain", self._service.metrics.page())
        if method == "GET" and path in (LIVE_PATH, READY_PATH):
            return self._health(path)
        if not _API_PATH.fullmatch(path):
            return Response(404, "text/html", b"<html><body><h1>Not Found</h1></body></html>\n")
        if method == "OPTIONS":
            return Response(200 if re.match("https?://", origin) else 400, "text/plain", b"")
        try:
            return self._route(method, path, body, cancelled)
        except Exception as error:
            failure = from_exception(error)
            if failure.code == StatusCode.INTERNAL:
                logger.error("%s %s", method, path, exc_info=error)
            return Response(failure.http_status, "application/json", write_error(failure.message))

    def _route(self, method: str, path: str, body: bytes, cancelled: Callable[[], bool] | None) -> Response:
        pattern = {"GET": _MODEL_PATH, "POST": _PREDICT_PATH}.get(method)
        found = pattern.fullmatch(path) if pattern else None
        if not found or (method == "POST" and found["verb"] not in ("classify", "regress", "predict")):
            raise invalid_argument(f"Malformed request: {method} {path}")
        number = int(found["version"]) if found["version"] else None
        if number is not None and number >= 2**63:
            return Response(400, "application/json", b"")
        target = Target(_unquote(found["name"] or ""), number, _unquote(found["label"]) if found["label"] else None)
        if method == "POST":
            return self._predict(target, found["verb"], body, cancelled)
        if not target.name:
            raise invalid_argument("Missing model name in request.")
        return self._metadata(target) if found["metadata"] else self._status(target)

    def _predict(self, target: Target, verb: str, body: bytes, cancelled: Callable[[], bool] | None) -> Response:
        if verb != "predict":
            raise ServingError(StatusCode.UNIMPLEMENTED, f":{verb} is not served here, only :predict")
        with (
            self._service.measured(target.name, entrypoint="REST"),
            self._service.models.use(target.name, number=target.number, label=target.label) as version,
        ):
            request = read_request(body, lambda signature: _input_types(version, signature))
            signature = request.signature or DEFAULT_SIGNATURE
            outputs = self._service.predict(
                version, signature, request.inputs, timeout=self._timeout, cancelled=cancelled
            )
            lines = max((len(value) for value in request.inputs.values() if value.ndim), default=0)
            return Response(200, "application/json", write_response(outputs, by_row=request.by_row), lines)

    def _health(self, path: str) -> Response:
        """As KServe's protocol has it: ready means that every model has a version to predict with."""
        if path == LIVE_PATH:
            return _json_response({"live": True})
        ready = self._service.models.ready
        return _json_response({"ready": ready})._replace(status=200 if ready else 503)

    def _status(self, target: Target) -> Response:
        return _json_response(self._service.status(target.name, target.number))

    def _metadata(self, target: Target) -> Response:
        spec, signatures = self._service.signatures(*target)
        return _json_response({"model_spec": spec, "metadata": {"signature_def": signatures}})


def _input_types(version: Version, signature: str) -> dict[str, str]:
    signature = signature or DEFAULT_SIGNATURE
    found = signatures_of(version).get(signature)
    if found is None:
        raise invalid_argument(f'Serving signature name: "{signature}" not found in signature def')
    return {name: spec.dtype for name, spec in found.inputs.items()}


def _unquote(name: str) -> str:
    return unquote_to_bytes(name.encode("latin-1")).decode(errors="replace")


def _json_response(value: dict[str, Any]) -> Response:
    return Response(200, "application/json", json.dumps(value, indent=1, ensure_ascii=False).encode())
