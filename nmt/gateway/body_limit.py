"""Refuses requests whose body is too large or takes too long, before it is read to its end. No TensorFlow."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: status 413 for a body of more than `most` bytes, declared or not, 408 after `seconds`."""

    def __init__(self, app: ASGIApp, *, most: int, seconds: float) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, declared = 0, int(dict(scope["headers"]).get(b"content-length", 0))  # the parser has checked it
        deadline = asyncio.get_running_loop().time() + self._seconds
        ended = False

        async def limited() -> Message:
            nonlocal received, ended
            if declared > self._most:
                raise self._too_large()
            try:
                async with asyncio.timeout_at(None if ended else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the request must arrive within {self._seconds:g} seconds") from None
            received += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if received > self._most:
                raise self._too_large()
            return message

        await self._app(scope, limited, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the request is too large: {self._most} bytes are allowed")
