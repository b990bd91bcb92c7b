"""Runs a gateway until it is stopped, by uvicorn. Imports no TensorFlow by itself."""

from __future__ import annotations

import os
import socket

import uvicorn

from nmt.gateway.app import create_app
from nmt.gateway.settings import GatewaySettings

DRAIN_SECONDS = 30  # for requests that are being answered when it is told to stop


def serve(settings: GatewaySettings, *, host: str, port: int) -> None:
    """Answers until SIGINT or SIGTERM.

    Raises:
        ValueError: where a model's address is no server, export or run.
        OSError: where the port is taken.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            http="httptools",
            limit_concurrency=settings.limits.connections,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            server_header=False,
            access_log=False,
            log_level="warning",
        )
    )
    with listen(host, port) as listening:
        print(f"Gateway at http://{host}:{listening.getsockname()[1]}", flush=True)
        server.run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that clients can connect to from now on.

    Args: port: 0 = any free one.
    Raises: OSError with the address where it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), f"{host}:{port}") from None
