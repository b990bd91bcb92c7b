"""Runs a gateway until it is stopped. Imports no TensorFlow by itself."""

from __future__ import annotations

import logging

from nmt.gateway.app import create_app
from nmt.gateway.settings import GatewaySettings
from nmt.serving.http_protocol import Deadlines
from nmt.serving.http_server import HttpServer, reachable
from nmt.serving.stop_signal import stop_signal


def serve(settings: GatewaySettings, *, host: str, port: int) -> None:
    """Answers until SIGINT or SIGTERM; then ends the requests under way.

    Args: port: 0 = any free one.
    Raises: ValueError where a model's address is no server, export or run, or the port cannot be had.
    """
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # not what clients do wrong
    try:
        server = start(settings, host=host, port=port)
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"cannot listen on {host}, port {port} ({error}): choose another port, or 0 for any free one"
        ) from None
    with stop_signal() as wait_for_stop:
        print(f"gateway at http://{reachable(host)}:{server.port}", flush=True)
        wait_for_stop()
    server.close()


def start(settings: GatewaySettings, *, host: str, port: int) -> HttpServer:
    """A gateway that runs in a thread of its own. Raises: as `serve`, of the port OSError or OverflowError."""
    return HttpServer(
        create_app(settings), host=host, port=port, max_connections=settings.limits.connections, deadlines=Deadlines()
    )
