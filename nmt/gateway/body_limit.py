"""Refuses requests whose body is too large, before it is read to its end. No TensorFlow."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: status 413 for a body of more than `most` bytes, declared or not."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, declared = 0, int(dict(scope.get("headers", ())).get(b"content-length", 0))  # the parser's number

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if max(received, declared) > self._most:
                raise HTTPException(413, f"the request is too large: {self._most} bytes are allowed")
            return message

        await self._app(scope, counted, send)
