"""Who may ask, how often and for how much: API keys, rates and quotas, by the package `limits`. No TensorFlow."""

from __future__ import annotations

import hmac
import math
import time

import limits
from fastapi import HTTPException
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from nmt.gateway.settings import GatewaySettings, KeySettings


class Access:
    """Counts in this process's memory what each key, or each address without one, has used."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._keys = settings.keys
        self._required = settings.key_required
        self._without_key = KeySettings(
            key="none", requests=settings.limits.requests, characters=settings.limits.characters_rate
        )
        self._used = SlidingWindowCounterRateLimiter(MemoryStorage())

    def admit(self, key: str | None, address: str, *, characters: int) -> None:
        """Counts a request.

        Raises: HTTPException 400 without a key where one is required, or for a request of more than is ever allowed,
            403 for a wrong key, 429 where more was used than is allowed.
        """
        key = key if self._keys else None  # a gateway without keys takes any
        allowed = self._allowed(key)
        user = key or address
        if allowed.requests:
            self._use(limits.parse(allowed.requests), "requests", user, cost=1)
        if allowed.characters and characters:
            self._use(limits.parse(allowed.characters), "characters", user, cost=characters)

    def _allowed(self, key: str | None) -> KeySettings:
        if not key:
            if self._required:
                raise HTTPException(400, "an API key is required here: send it as api_key")
            return self._without_key
        for known in self._keys:
            if hmac.compare_digest(known.key.encode(), key.encode()):
                return known
        raise HTTPException(403, "invalid API key")

    def _use(self, rate: limits.RateLimitItem, what: str, user: str, *, cost: int) -> None:
        if self._used.hit(rate, what, user, cost=cost):
            return
        if cost > rate.amount:  # which no waiting helps
            raise HTTPException(400, f"{cost} {what} came in one request, but {rate} are allowed: send less")
        wait = max(1, math.ceil(self._used.get_window_stats(rate, what, user).reset_time - time.time()))
        raise HTTPException(
            429, f"too many {what}: {rate} are allowed; try again in {wait} s", headers={"Retry-After": str(wait)}
        )
