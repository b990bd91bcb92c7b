"""The URL of a model on a server."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_MODEL = "translator"


class Address(NamedTuple):
    scheme: str  # http, https or grpc
    host: str  # and port
    model: str

    @property
    def server(self) -> str:
        """For messages and requests: the URL without the model."""
        return f"{self.scheme}://{self.host}"


def read_url(url: str) -> Address:
    """Reads http://host:8501, https://... or grpc://host:8500, each with an optional /model-name (translator).

    Raises: ValueError where it is none of these.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 8501, "grpc": 8500}[parts.scheme]
        if not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(
            f"{url!r} is no address of a server: expected http://host:8501 or grpc://host:8500, with /model-name "
            f"behind it where the model is not called {DEFAULT_MODEL}"
        ) from None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(parts.scheme, f"{host}:{port}", parts.path.strip("/") or DEFAULT_MODEL)
