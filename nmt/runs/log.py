"""Reads a run's log.jsonl, which a training may be writing at the same time. Imports no TensorFlow."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from nmt.runs.run import Run

Event = dict[str, Any]


class Log(NamedTuple):
    """What a training logged (training/callbacks.py says what), and the numbers of unreadable lines, from 1."""

    events: list[Event]
    unreadable: list[int]

    @property
    def training(self) -> list[Event]:
        return [event for event in self.events if event.get("event") == "train"]

    @property
    def validations(self) -> list[Event]:
        return [event for event in self.events if event.get("event") == "validation"]

    @property
    def last(self) -> Event | None:
        """The training or validation of the highest step."""
        return max([*self.training, *self.validations], key=lambda event: event["step"], default=None)

    @property
    def best(self) -> Event | None:
        """The scores of the best weights."""
        return next((event for event in reversed(self.events) if event.get("best")), None)


def read_log(run: Run) -> Log:
    """The log of a run; empty where nothing was logged yet."""
    file, log = run.path / "log.jsonl", Log([], [])
    if not file.is_file():
        return log
    lines = file.read_bytes().split(b"\n")[:-1]  # text after the last line end belongs to a line still being written
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            log.events.append(event)
        else:
            log.unreadable.append(number)
    return log
