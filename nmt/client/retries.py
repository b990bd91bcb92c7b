"""When a client asks again: exponential back-off with jitter, as the server asks, within a deadline.

A translation changes nothing on the server, so a request can be sent any number of times.
"""

from __future__ import annotations

import random
import time

from nmt.client.errors import Unavailable

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0  # seconds


class Attempts:
    """The attempts of one request.

    Args:
        timeout: seconds for all of them and the pauses between.
        restart: seconds that a server which refuses connections is waited for, as it is while it restarts.
    """

    def __init__(self, timeout: float, *, restart: float) -> None:
        self._end = time.monotonic() + timeout
        self._restarted = time.monotonic() + restart
        self._delay = FIRST_DELAY

    @property
    def remaining(self) -> float:
        """Seconds that the next attempt may take, never 0."""
        return max(self._end - time.monotonic(), 0.001)

    def pause_after(self, error: Unavailable) -> float:
        """Seconds to wait before the next attempt. Raises the error where there is to be none."""
        end = self._end if error.connected else min(self._end, self._restarted)
        pause = error.retry_after
        if pause is None:
            pause = self._delay * random.uniform(0.5, 1.0)
            self._delay = min(2 * self._delay, LONGEST_DELAY)
        if pause >= end - time.monotonic():
            raise error
        return pause
