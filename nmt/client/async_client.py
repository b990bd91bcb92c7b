"""As client.py, for asyncio.

async with connect_async("http://localhost:8501/translator") as endpoint:
    print((await endpoint.translate(["A sentence."]))[0].text)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nmt.client.address import Address, read_url
from nmt.client.client import CONNECTIONS, RESTART_SECONDS
from nmt.client.errors import Unavailable
from nmt.client.rest import AsyncRestModel
from nmt.client.retries import Attempts
from nmt.exports.endpoint import Request, join_answers, split_requests
from nmt.exports.signatures import choose_signature
from nmt.startup import import_tensorflow
from nmt.translation.translation import Translation

if TYPE_CHECKING:
    from nmt.client.grpc import AsyncGrpcModel


class AsyncEndpoint:
    """Translates as Endpoint does; any number of tasks may do so at once. Made by `connect_async`."""

    def __init__(
        self,
        model: AsyncRestModel | AsyncGrpcModel,
        *,
        name: str,
        n_best: int | None,
        alignments: bool,
        timeout: float,
        restart_seconds: float,
        connections: int,
    ) -> None:
        self._model = model
        self._name = name
        self._count = n_best or 1
        self._signature = choose_signature(n_best, alignments)
        self._timeout = timeout
        self._restart_seconds = restart_seconds
        self._places = asyncio.Semaphore(connections)
        self._reached = False

    async def translate(self, lines: Sequence[str | bytes]) -> list[Translation]:
        """Translates lines, in order, one for each. Raises as Endpoint.translate."""
        requests = split_requests(lines)
        tasks = [asyncio.create_task(self._ask(request)) for request in requests]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # of those still waiting where one has failed
                task.cancel()
        return join_answers(requests, answers, count=self._count, name=self._name)

    async def close(self) -> None:
        await self._model.close()

    async def __aenter__(self) -> AsyncEndpoint:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, request: Request) -> Mapping[str, Any]:
        async with self._places:
            attempts = Attempts(self._timeout, restart=self._restart_seconds if self._reached else 0.0)
            while True:
                try:
                    outputs = await self._model.predict(self._signature, request.lines, attempts.remaining)
                except Unavailable as error:
                    await asyncio.sleep(attempts.pause_after(error))
                else:
                    self._reached = True
                    return outputs


def connect_async(
    url: str,
    *,
    n_best: int | None = None,
    alignments: bool = False,
    timeout: float = 60.0,
    restart_seconds: float = RESTART_SECONDS,
    connections: int = CONNECTIONS,
) -> AsyncEndpoint:
    """As `connect`."""
    address = read_url(url)
    return AsyncEndpoint(
        _open(address, connections),
        name=f"the server at {url}",
        n_best=n_best,
        alignments=alignments,
        timeout=timeout,
        restart_seconds=restart_seconds,
        connections=connections,
    )


def _open(address: Address, connections: int) -> AsyncRestModel | AsyncGrpcModel:
    if address.scheme != "grpc":
        return AsyncRestModel(address, connections=connections)
    import_tensorflow()
    from nmt.client.grpc import AsyncGrpcModel

    return AsyncGrpcModel(address)
