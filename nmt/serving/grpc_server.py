"""Carries a GrpcApi over gRPC, with health checking and reflection, on an event loop in a thread beside the others.

A request is read as a stream of one message, which is the same on the wire: so that one that does not come has a
deadline, one that is no protobuf has an answer, and neither has a thread while it is waited for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2  # registers what reflection describes

from nmt.serving.error import ServingError
from nmt.serving.grpc_api import METHODS, Call, GrpcApi
from nmt.serving.grpc_limits import GRPC_LIMITS, GrpcLimits
from nmt.serving.served_models import ServedModels

THREADS = 64  # calls that may run at once
GRACE_SECONDS = 30.0  # for calls in progress when the server stops
RECEIVE_SECONDS = 30.0  # for a call's message to arrive
ONE_DAY = 86_400.0  # seconds
_DESCRIBED = (model_service_pb2, prediction_service_pb2)


class GrpcServer:
    """A running server, with the health of each model, by its name, and of all together, as "".

    Args: host, port: to listen on, port 0 = any free one; credentials: of TLS, None = without.
    Raises: OSError where the port is taken, or none at all.
    """

    def __init__(
        self,
        api: GrpcApi,
        models: ServedModels,
        *,
        host: str,
        port: int,
        limits: GrpcLimits = GRPC_LIMITS,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        if not 0 <= port <= 0xFFFF:  # gRPC itself would take another one
            raise OSError(f"port {port}: a number from 0 to 65535 was expected")
        self._api = api
        self._models = models
        self._limits = limits
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gRPC call")
        self._in_progress = 0
        self._healths: dict[str, bool] = {}
        self._loop = _event_loop()
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port: int = self._in_loop(self._start(address, credentials)).result()
        except RuntimeError as error:
            raise OSError(str(error)) from None
        models.subscribe(self._models_changed)

    def stop(self) -> Future[None]:
        """Says NOT_SERVING, refuses new calls and finishes those in progress; the result comes when they are done."""
        return self._in_loop(self._stop())

    async def _start(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        options = [
            ("grpc.max_receive_message_length", self._limits.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # else a second server on the same port would silently share it
        ]
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=self._limits.max_calls)
        for service, methods in METHODS.items():
            handlers = {each: grpc.stream_unary_rpc_method_handler(self._handler(each)) for each in methods}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*METHODS, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        await self._set_health()
        await self._server.start()
        return port

    def _handler(self, method: str) -> Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext], Any]:
        async def handle(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
            try:
                body = await asyncio.wait_for(anext(requests, b""), RECEIVE_SECONDS)
            except TimeoutError:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"no request within {RECEIVE_SECONDS:g} s")
            gone = threading.Event()
            call = Call(body, _timeout(context), gone.is_set)
            self._in_progress += 1
            try:
                return await self._loop.run_in_executor(self._threads, self._api.answer, method, call)
            except ServingError as failure:
                await context.abort(grpc.StatusCode[failure.code.name], failure.message)
            finally:
                gone.set()
                self._in_progress -= 1
            raise AssertionError("abort raises")

        return handle

    def _models_changed(self) -> None:
        self._in_loop(self._set_health())

    async def _set_health(self) -> None:
        # Models that are no longer served keep a status, for those who watch them.
        self._healths = dict.fromkeys(self._healths, False) | self._models.serving() | {"": self._models.ready}
        for name, serving in self._healths.items():
            await self._health.set(name, _status(serving))

    async def _stop(self) -> None:
        await self._health.enter_graceful_shutdown()
        stopped = asyncio.ensure_future(self._server.stop(GRACE_SECONDS))
        end = self._loop.time() + GRACE_SECONDS
        while self._in_progress and self._loop.time() < end:
            await asyncio.sleep(0.02)
        await self._server.stop(0.1)  # what is left are streams that would not end by themselves, such as Health.Watch
        await stopped
        self._threads.shutdown(wait=False)

    def _in_loop(self, coroutine: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """The loop of all servers of this process: where several loops share gRPC's queue of events, some get lost."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="gRPC", daemon=True).start()
    return loop


def _timeout(context: grpc.aio.ServicerContext) -> float | None:
    """Seconds until a call's deadline. One without has None or some hundred million years, too many to count."""
    remaining = context.time_remaining()
    return remaining if remaining is not None and remaining < ONE_DAY else None


def _status(serving: bool) -> Any:
    statuses = health_pb2.HealthCheckResponse
    return statuses.SERVING if serving else statuses.NOT_SERVING
