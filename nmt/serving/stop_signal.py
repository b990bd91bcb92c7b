"""How a server waits to be stopped. Imports no TensorFlow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_SECONDS = 0.5  # Windows handles a signal only between waits


@contextmanager
def stop_signal() -> Iterator[Callable[[], None]]:
    """What waits for SIGINT or SIGTERM; afterwards they do what they did, so that a second one does not wait."""
    stop = threading.Event()
    previous = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: _wait(stop)
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)


def _wait(stop: threading.Event) -> None:
    while not stop.wait(POLL_SECONDS):
        pass
