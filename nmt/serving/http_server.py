"""Serves an ASGI app over HTTP/1.1 or HTTPS, by uvicorn in a thread of its own.

Whatever the app does, connections are bounded in number and time, HTTP is strict (`nmt.serving.http_protocol`), and a
stop loses no request. Imports no TensorFlow.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
import time
from typing import Any

import uvicorn

from nmt.serving.http_protocol import Deadlines, HttpSettings

DRAINING_SECONDS = 1.5  # for idle keep-alive clients to be told with an answer that the server stops
GRACE_SECONDS = 30.0  # for requests in progress when the server stops
OTHER_FILES = 1024  # open beside connections of REST, such as those of gRPC


class HttpServer:
    """A running server.

    Args: app: an ASGI app; host, port: to listen on, port 0 = any free one; max_connections: at once, others are
        answered 503; deadlines: of every connection; tls: None = plain HTTP.
    Raises: OSError or OverflowError where the port cannot be used.
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        max_connections: int,
        deadlines: Deadlines,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")
        # asyncio does it for sockets made with IPPROTO_TCP only. Without it an answer's body waits 40 ms for the client
        # to acknowledge its head. Connections inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = listener.getsockname()[1]
        settings = HttpSettings(app, max_connections=max_connections, deadlines=deadlines, grace=GRACE_SECONDS, tls=tls)
        self._server = _DrainingServer(settings)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="HTTP", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stops accepting connections, finishes the requests in progress and tells keep-alive clients to go."""
        self._server.should_exit = True
        self._thread.join()


def reachable(host: str) -> str:
    """The host that clients of this machine find in a URL, for an interface to listen on."""
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"[{host}]" if ":" in host else host


class _DrainingServer(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        assert isinstance(self.config, HttpSettings)
        self.config.draining = True
        for connection in list(self.server_state.connections):
            connection.drain()  # type: ignore[union-attr]
        end = time.monotonic() + DRAINING_SECONDS
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def allow_open_files(connections: int) -> None:
    """Raises this process's limit of open files, where it may, so that so many connections fit beside all else."""
    if os.name != "posix":  # without such a limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + OTHER_FILES  # those that are refused are open for a moment, too
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # then the system refuses some connections
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
