"""What clients may take of the gRPC side. Imports no TensorFlow."""

from __future__ import annotations

from typing import NamedTuple


class GrpcLimits(NamedTuple):
    """What is refused as RESOURCE_EXHAUSTED."""

    max_message_bytes: int = 4 * 2**20  # of a request; gRPC's own default
    max_calls: int = 256  # at once, those included that wait for a thread


GRPC_LIMITS = GrpcLimits()
