"""The one error of the serving API: a gRPC status code and a message, as TensorFlow Serving answers them.

REST and gRPC are two spellings of the same answer, so that everything between them raises this and only the two front
ends know how it looks on the wire.
"""

from __future__ import annotations

import re
from enum import IntEnum


class StatusCode(IntEnum):
    """gRPC's codes, by the numbers they have on the wire: REST needs no gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS = {
    StatusCode.OK: 200,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.ABORTED: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INTERNAL: 500,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}
_DIRECTORIES = re.compile(r"(?<![\w.:/])/(?:[^\s/'\":,]+/)+")  # of an absolute path


class ServingError(Exception):
    """A request that fails with a status code and a message for the client."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = HTTP_STATUS[code]


class Overloaded(ServingError):
    """A request that is refused at once because too much is waiting; the client should come back later.

    RESOURCE_EXHAUSTED over gRPC. Over HTTP it is 503, which clients and proxies retry, with a Retry-After header.
    """

    def __init__(self, message: str) -> None:
        super().__init__(StatusCode.RESOURCE_EXHAUSTED, message)
        self.http_status = 503


def invalid_argument(message: str) -> ServingError:
    return ServingError(StatusCode.INVALID_ARGUMENT, message)


def from_exception(error: Exception) -> ServingError:
    """What the client is told of an exception; TensorFlow's errors carry the code already, with gRPC's own numbers."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, ValueError):
        return invalid_argument(without_directories(str(error)))
    number = getattr(error, "error_code", None)
    code = StatusCode(number) if number in set(StatusCode) else StatusCode.INTERNAL
    message = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    return ServingError(code, without_directories(message))


def without_directories(message: str) -> str:
    """The message with the names of files only, as where they lie on the server is not for clients."""
    return _DIRECTORIES.sub("", message)
