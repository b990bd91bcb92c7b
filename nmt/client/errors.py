"""What goes wrong between a client and a server, as exceptions whose message says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nmt.exports.signatures import OUTPUTS


class Unavailable(ConnectionError):
    """No server answers, or it has too much to do: asking again may help.

    Args:
        retry_after: seconds that the server asks to wait; None where it says nothing.
        connected: whether there was a server that took the request.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, connected: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.connected = connected


def no_server(address: str, reason: object) -> Unavailable:
    return Unavailable(
        f"no server answers at {address} ({reason}): start one with `nmt serve DIR`, or check host and port",
        connected=False,
    )


def unavailable(address: str, message: str, retry_after: float | None = None) -> Unavailable:
    return Unavailable(str(failed(address, message)), retry_after=retry_after)


def no_model(address: str, model: str, message: str) -> ValueError:
    return ValueError(
        f"the server at {address} has no model {model!r} ready ({message}): put the model's name behind the address, "
        f"{address}/NAME"
    )


def failed(address: str, message: str) -> ConnectionError:
    return ConnectionError(f"the server at {address} failed: {message}; its log may say more")


def refused(address: str, message: str) -> ValueError:
    return ValueError(f"the server at {address} refused the request: {message}")


def unusable(address: str, model: str) -> ValueError:
    return ValueError(
        f"the model {model!r} at {address} cannot be used: it is no text export of `nmt export` (its outputs should be "
        "translation, score and truncated)"
    )


def check_outputs(outputs: Any, address: str, model: str) -> Mapping[str, Any]:
    """Raises ValueError where a model's outputs are not those of a text export."""
    if not isinstance(outputs, Mapping) or not set(OUTPUTS) <= set(outputs):
        raise unusable(address, model)
    return outputs
