"""The ASGI app around `RestApi.answer`, which blocks, so it runs in threads.

What clients can make the server hold is bounded: requests in progress and waiting, bytes of a body, bytes of all
bodies. Beyond a bound the answer is 413, or at once 503 with Retry-After.
"""

from __future__ import annotations

import asyncio
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from nmt.serving.access_log import log_access
from nmt.serving.http_protocol import RETRY_AFTER, Deadlines
from nmt.serving.rest_api import RestApi
from nmt.serving.rest_response import Response, write_error

MAX_STATUS_WAITING = 256
STATUS_THREADS = 2  # for what needs no model, so that probes are answered while predictions wait
SMALL_BODY_BYTES = 64 * 1024  # a body up to here is read whatever others hold
BODIES_AT_ONCE = 8  # of the largest size, together
LINGER_SECONDS = 2.0  # that the rest of a refused body is read, so that the client gets to read the answer


class RestOptions(NamedTuple):
    """What clients may take of the server."""

    max_body_bytes: int = 8 * 2**20  # of a request, before and after it is unpacked
    max_connections: int = 2048
    threads: int = 64  # predictions at once
    waiting: int = 256  # predictions that wait for a thread
    timeout: float = 30.0  # seconds, of a prediction
    deadlines: Deadlines = Deadlines()


class BoundedPool:
    """Threads with a bounded number of calls that wait for them."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(threads + waiting)

    def submit(self, call: Callable[[], Response]) -> Future[Response] | None:
        """None where too many wait already."""
        if not self._places.acquire(blocking=False):
            return None
        future = self._executor.submit(call)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


class RestApp:
    """Answers HTTP requests by a RestApi."""

    def __init__(self, api: RestApi, options: RestOptions) -> None:
        self._api = api
        self._max_body_bytes = options.max_body_bytes
        self._body_seconds = options.deadlines.body
        self._held = 0  # bytes of all bodies
        self._predictions = BoundedPool("REST prediction", threads=options.threads, waiting=options.waiting)
        self._status = BoundedPool("REST status", threads=STATUS_THREADS, waiting=MAX_STATUS_WAITING)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started = time.perf_counter()
        response = await self._respond(scope, receive)
        if response is not None:
            await _send(response, receive, send, asks_first=bool(_header(scope, b"expect")))
        log_access(scope, response, time.perf_counter() - started)

    def close(self) -> None:
        self._predictions.close()
        self._status.close()

    async def _respond(self, scope: Any, receive: Any) -> Response | None:
        """The answer to a request; None where the client went away."""
        length = _header(scope, b"content-length")
        if length and int(length) > self._max_body_bytes:  # before receive(), which would send 100 Continue
            return self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                refusal = await self._read_body(body, receive)
            return refusal if refusal else await self._run(scope, bytes(body), receive)
        except TimeoutError:
            return _error(408, f"The body of a request must arrive within {self._body_seconds:g} seconds")
        except ConnectionError:
            return None
        finally:
            self._held -= len(body)

    async def _read_body(self, body: bytearray, receive: Any) -> Response | None:
        """Reads into `body`; returns the answer that refuses it. Raises ConnectionError where the client is gone."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            piece = message.get("body", b"")
            body += piece
            self._held += len(piece)
            more = message.get("more_body", False)
            if len(body) > self._max_body_bytes:
                return self._too_large()
            if len(body) > SMALL_BODY_BYTES and self._held > BODIES_AT_ONCE * self._max_body_bytes:
                return _error(503, "Too many large requests at once")
        return None

    async def _run(self, scope: Any, body: bytes, receive: Any) -> Response:
        """Answers in a thread. Raises ConnectionError where the client goes meanwhile, and stops the work then."""
        pool = self._predictions if scope["method"] == "POST" else self._status
        gone = threading.Event()
        future = pool.submit(lambda: self._answer_body(scope, body, gone.is_set))
        if future is None:
            return _error(503, "Too many requests are waiting: try again later")
        answer = asyncio.wrap_future(future)
        watch = asyncio.create_task(_disconnected(receive))
        either: list[asyncio.Future[Any]] = [answer, watch]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise ConnectionError
        finally:
            gone.set()
            answer.cancel()
            watch.cancel()

    def _answer_body(self, scope: Any, body: bytes, cancelled: Callable[[], bool]) -> Response:
        if b"gzip" in _header(scope, b"content-encoding"):
            inflated = _inflate(body, self._max_body_bytes)
            if inflated is None:
                return self._too_large()
            body = inflated
        path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        origin = _header(scope, b"origin").decode("latin-1")
        return self._api.answer(scope["method"], path.decode("latin-1"), body=body, origin=origin, cancelled=cancelled)

    def _too_large(self) -> Response:
        return _error(413, f"The body is larger than {self._max_body_bytes} bytes: send it in smaller requests")


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: Response, receive: Any, send: Any, *, asks_first: bool) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
    ]
    if response.status == 503:
        headers.append(RETRY_AFTER)
    unread = response.status == 413 and not asks_first
    if response.status in (408, 413):  # the next request would come after a body that nobody wants
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": unread})
    if unread:
        await _linger(receive)
        await send({"type": "http.response.body"})


async def _linger(receive: Any) -> None:
    """Reads on for a while: closing at once would reset the connection, and the client lose the answer."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass


def _inflate(body: bytes, limit: int) -> bytes | None:
    """A gzip body, unpacked; b"" for what does not unpack, as on TensorFlow Serving; None if larger than `limit`."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        inflated = decoder.decompress(body, limit + 1)
    except zlib.error:
        return b""
    if len(inflated) > limit:
        return None
    return inflated if decoder.eof else b""


def _header(scope: Any, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _error(status: int, message: str) -> Response:
    return Response(status, "application/json", write_error(message))
