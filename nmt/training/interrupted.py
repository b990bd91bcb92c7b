"""What a training that was told to stop raises. Imports no TensorFlow."""

from __future__ import annotations

import signal

from nmt.runs.run import Run


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP came, and the run is saved. `signal` is its number."""

    def __init__(self, signal_number: int, run: Run) -> None:
        self.signal = signal_number
        name = signal.Signals(signal_number).name
        super().__init__(f"stopped by {name}; {run.path} is saved and `nmt train` with the same config continues it")
