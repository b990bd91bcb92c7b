"""HTTP/1.1 on one connection: uvicorn's protocol, strict about framing and with a deadline in every state.

A request whose end two parsers could see in different places is refused, as a proxy in front may be one of the two
(request smuggling). llhttp, the parser, refuses most of these itself; `framing_fault` finds what it lets through. The
deadlines keep a client that sends or reads a byte now and then from holding a connection. Imports no TensorFlow.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from nmt.serving.rest_response import write_error

MAX_HEAD_BYTES = 64 * 1024  # of a request's head, of its trailers, of what describes a chunk
CLOSING_SECONDS = 5.0  # for the last bytes written to reach a client whose connection is closed
RETRY_AFTER = (b"retry-after", b"1")  # seconds, of every 503


class Deadlines(NamedTuple):
    """Seconds that a client may take."""

    idle: float = 75.0  # from one request to the next
    head: float = 10.0  # from the first byte of a request to the end of its head
    body: float = 60.0
    reading: float = 60.0  # of what is written, until no more than 64 KiB wait


class HttpSettings(uvicorn.Config):
    """How an app is served; the connections read it."""

    def __init__(
        self, app: Any, *, max_connections: int, deadlines: Deadlines, grace: float, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(
            app,
            interface="asgi3",
            loop="asyncio",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # not what clients do wrong
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=round(grace),
            ssl_context_factory=(lambda *_: tls) if tls else None,
        )
        self.max_connections = max_connections
        self.deadlines = deadlines
        self.draining = False  # every answer is the last one of its connection


class Connection(HttpToolsProtocol):
    """One client of an HttpServer, whose settings it follows."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        assert isinstance(self.config, HttpSettings)
        self._settings: HttpSettings = self.config
        self._deadlines = self._settings.deadlines
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._unread = 0  # bytes since a head, a piece of a body or a message ended
        self._fault = ""
        surplus = len(self.connections) - self._settings.max_connections
        if surplus > self._settings.max_connections:
            transport.abort()
        elif surplus > 0:
            self.app = _refuse_connection
        self.timeout_keep_alive = self._deadlines.head if surplus > 0 else self._deadlines.idle  # type: ignore[assignment]
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_write_timer()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and self._is_idle():
            self._head_timer = self.loop.call_later(self._deadlines.head, self._head_is_late)
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"More than {MAX_HEAD_BYTES} bytes of headers")

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # no trailer becomes a header
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._fault = framing_fault(self.parser.get_http_version(), self.headers)
        if self._fault:
            raise ValueError(self._fault)  # which the parser reports as an error of its own
        super().on_headers_complete()
        self._stop_head_timer()
        self._in_head, self._unread = False, 0
        if self._settings.draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        super().on_message_complete()
        if self._is_idle():  # the answer was given before the body ended
            self._stop_head_timer()
            self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(self._deadlines.reading, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._deadlines.reading, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_write_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, self._fault or msg)

    def drain(self) -> None:
        """Ends the connection with the answer to the request in progress; without one, with the next answer."""
        if not self._is_idle():
            self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_request(self) -> None:
        self._unset_keepalive_if_required()
        handle = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.timeout_keep_alive_task = handle

    def _head_is_late(self) -> None:
        self._refuse(408, f"The head of a request must arrive within {self._deadlines.head:g} seconds")

    def _refuse(self, status: int, message: str) -> None:
        """Closes the connection with an answer, unless it could be taken for the one to another request."""
        if not self.pipeline and (self._is_idle() or not self.cycle.response_started):
            body = write_error(message)
            head = [b"content-type: application/json", b"content-length: %d" % len(body), b"connection: close"]
            self.transport.write(STATUS_LINE[status] + b"\r\n".join([*head, b"", body]))
        if not self._is_idle():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._close()

    def _close(self) -> None:
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def framing_fault(version: str, headers: list[tuple[bytes, bytes]]) -> str:
    """What is wrong with a head that the parser accepted, "" if nothing is."""
    values: dict[bytes, list[bytes]] = {b"host": [], b"transfer-encoding": [], b"content-length": []}
    for name, value in headers:
        if name in values:
            values[name].append(value)
    if version not in ("1.0", "1.1"):
        return "HTTP/1.1 was expected"
    if len(values[b"host"]) != 1 and (values[b"host"] or version == "1.1"):
        return f"One Host header was expected, {len(values[b'host'])} came"
    encodings = values[b"transfer-encoding"]
    if encodings and (version == "1.0" or [each.lower() for each in encodings] != [b"chunked"]):
        return "Transfer-Encoding: chunked, once, is the only transfer encoding accepted, and of HTTP/1.1"
    if any(len(value) > 18 for value in values[b"content-length"]):
        return "Content-Length has more than 18 digits"
    return ""


async def _refuse_connection(scope: Any, receive: Any, send: Any) -> None:
    """The app of a connection that is one too many."""
    body = write_error("Too many connections")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        RETRY_AFTER,
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
