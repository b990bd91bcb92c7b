"""What a training raises that has to stop before its end. Imports no TensorFlow."""

from __future__ import annotations

import signal

from nmt.runs.run import Run


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP came, and the run is saved. `signal` is its number."""

    def __init__(self, signal_number: int, run: Run) -> None:
        self.signal = signal_number
        name = signal.Signals(signal_number).name
        super().__init__(f"stopped by {name}; {run.path} is saved and `nmt train` with the same config continues it")


class WorkerLostError(Exception):
    """One of the workers that train together is gone, so that the others cannot go on; starting all again can."""
