"""A model behind TensorFlow Serving's REST API: requests, and what their answers mean. Imports no TensorFlow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from nmt.client.address import Address
from nmt.client.errors import check_outputs, failed, no_model, no_server, refused, unavailable, unusable

_OVERLOADED = (429, 503)


class RestModel:
    """Asks over connections that are kept open."""

    def __init__(self, address: Address, *, connections: int) -> None:
        self._messages = _Messages(address)
        self._client = httpx.Client(limits=httpx.Limits(max_connections=connections))

    def predict(
        self, signature: str, lines: list[bytes], timeout: float, glossaries: list[bytes] | None = None
    ) -> Mapping[str, Any]:
        """The outputs of a signature.

        Args: glossaries: one for each line, where the signature takes them.

        Raises:
            Unavailable: where asking again may help.
            ConnectionError: where the server fails or takes longer than timeout seconds.
            ValueError: where it refuses the request.
        """
        with self._messages.explained(timeout):
            response = self._client.post(**self._messages.request(signature, lines, glossaries), timeout=timeout)
        return self._messages.outputs(response)

    def close(self) -> None:
        self._client.close()


class AsyncRestModel:
    """As RestModel, for asyncio."""

    def __init__(self, address: Address, *, connections: int) -> None:
        self._messages = _Messages(address)
        self._client = httpx.AsyncClient(limits=httpx.Limits(max_connections=connections))

    async def predict(self, signature: str, lines: list[bytes], timeout: float) -> Mapping[str, Any]:
        with self._messages.explained(timeout):
            response = await self._client.post(**self._messages.request(signature, lines), timeout=timeout)
        return self._messages.outputs(response)

    async def close(self) -> None:
        await self._client.aclose()


class _Messages:
    """Requests and answers, however they are carried."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._url = f"{address.server}/v1/models/{quote(address.model, safe='')}:predict"

    def request(self, signature: str, lines: list[bytes], glossaries: list[bytes] | None = None) -> dict[str, Any]:
        text = list(map(_json_string, lines))
        inputs = text if glossaries is None else {"text": text, "glossary": list(map(_json_string, glossaries))}
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        return {"url": self._url, "content": body, "headers": {"Content-Type": "application/json"}}

    def outputs(self, response: httpx.Response) -> Mapping[str, Any]:
        if response.status_code != 200:
            raise self._error(response)
        try:
            outputs = json.loads(response.content)["outputs"]
        except (ValueError, KeyError, TypeError):
            raise unusable(self._address.server, self._address.model) from None
        return check_outputs(outputs, self._address.server, self._address.model)

    @contextmanager
    def explained(self, timeout: float) -> Iterator[None]:
        """Turns what httpx raises into errors that say what to do."""
        server = self._address.server
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise no_server(server, error) from None
        except httpx.TimeoutException:
            raise failed(server, f"no answer within {timeout:.3g} seconds") from None
        except httpx.RemoteProtocolError as error:
            if "disconnected" in str(error):
                raise unavailable(server, f"the connection broke ({error})") from None
            raise failed(
                server,
                f"it does not answer in HTTP/1.1; if this is its gRPC port, write grpc{server[server.index(':') :]}",
            ) from None
        except httpx.TransportError as error:
            raise unavailable(server, f"the connection broke ({error})") from None

    def _error(self, response: httpx.Response) -> ValueError | ConnectionError:
        body, status, server = response.text, response.status_code, self._address.server
        try:
            message = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            message = f"HTTP status {status}, which is not how TensorFlow Serving answers: {body[:200]!r}"
        if status in _OVERLOADED:
            return unavailable(server, message, _seconds(response.headers.get("Retry-After", "")))
        if status == 404:
            return no_model(server, self._address.model, message)
        return failed(server, message) if status >= 500 else refused(server, message)


def _json_string(line: bytes) -> str | dict[str, str]:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(line).decode()}


def _seconds(retry_after: str) -> float | None:
    """A date in place of seconds counts as nothing said."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else None
