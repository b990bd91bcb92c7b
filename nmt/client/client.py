"""Connects to an endpoint, TensorFlow Serving or `nmt serve`, over REST or gRPC. Imports no TensorFlow for REST.

with connect("http://localhost:8501/translator") as endpoint:
    print(endpoint.translate(["A sentence."])[0].text)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nmt.client.address import Address, read_url
from nmt.client.errors import Unavailable
from nmt.client.rest import RestModel
from nmt.client.retries import Attempts
from nmt.exports.endpoint import Endpoint
from nmt.startup import import_tensorflow

if TYPE_CHECKING:
    from nmt.client.grpc import GrpcModel
    from nmt.text.glossary import Glossary

RESTART_SECONDS = 60.0  # a server loads its models before it listens
CONNECTIONS = 4  # requests at a time: enough for a server that batches requests to have work


def connect(
    url: str,
    *,
    n_best: int | None = None,
    alignments: bool = False,
    glossary: Glossary | None = None,
    timeout: float = 60.0,
    restart_seconds: float = RESTART_SECONDS,
    connections: int = CONNECTIONS,
    callers: int = 1,
) -> Endpoint:
    """The model at `url`; connects with the first request.

    A request that meets a broken connection, or a server with too much to do (HTTP 429 and 503, UNAVAILABLE and
    RESOURCE_EXHAUSTED of gRPC), is sent again after a pause: the one that the server asks for, or a growing one.

    Args:
        url: http://host:8501, https://... or grpc://host:8500, each with an optional /model-name (translator).
        n_best, alignments, glossary: as Endpoint.
        timeout: seconds for one request of at most MAX_LINES lines, until its answer has come.
        restart_seconds: how much of it a server that has answered before and now refuses connections is waited for.
        connections: how many requests of a call may wait for their answer at a time.
        callers: how many threads may translate at a time.

    Raises: ValueError where the URL is none of these.
    """
    address = read_url(url)
    model = _open(address, connections * callers)
    reached = False

    def predict(signature: str, lines: list[bytes], glossaries: list[bytes] | None = None) -> Mapping[str, Any]:
        nonlocal reached
        attempts = Attempts(timeout, restart=restart_seconds if reached else 0.0)
        while True:
            try:
                outputs = model.predict(signature, lines, attempts.remaining, glossaries)
            except Unavailable as error:
                time.sleep(attempts.pause_after(error))
            else:
                reached = True
                return outputs

    return Endpoint(
        predict,
        name=f"the server at {url}",
        n_best=n_best,
        alignments=alignments,
        glossary=glossary,
        concurrency=connections,
        close=model.close,
    )


def _open(address: Address, connections: int) -> RestModel | GrpcModel:
    if address.scheme != "grpc":
        return RestModel(address, connections=connections)
    import_tensorflow()
    from nmt.client.grpc import GrpcModel

    return GrpcModel(address)
