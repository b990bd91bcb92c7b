"""The workers that TF_CONFIG lists, and which of them can be reached. Imports no TensorFlow."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from nmt.training.messages import say

# Of a process that stops because another one is gone: EX_TEMPFAIL of sysexits.h, "try again".
TRY_AGAIN = 75
_EXAMPLE = '{"cluster": {"worker": ["HOST-0:2222", "HOST-1:2222"]}, "task": {"type": "worker", "index": 0}}'
# Seconds after which it is said who is waited for, and that a machine has to answer in.
_SILENT = 15.0
_ANSWER = 3.0


class Cluster(NamedTuple):
    """The workers' addresses, HOST:PORT, and which of them this process is, counted from 0."""

    addresses: list[str]
    own: int

    def unreachable(self) -> list[int]:
        """The other workers at whose address no process listens."""
        return [index for index, address in enumerate(self.addresses) if index != self.own and not _listens(address)]

    def named(self, indices: Iterable[int]) -> str:
        """Workers as messages name them: "worker 1 (host-1:2222) and worker 2 (host-2:2222)"."""
        return " and ".join(f"worker {index} ({self.addresses[index]})" for index in indices)


def read_cluster() -> Cluster:
    """The cluster of the environment variable TF_CONFIG.

    Raises:
        ValueError: if it is not set, or none.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise ValueError(
            "training.strategy is multi_worker, but the environment variable TF_CONFIG is not set. On the first of two "
            f"machines: export TF_CONFIG='{_EXAMPLE}'"
        )
    try:
        found = json.loads(text)
        workers, kind, index = found["cluster"]["worker"], found["task"]["type"], int(found["task"]["index"])
        others = found["cluster"].keys() - {"worker"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = (
            f"{error}" if isinstance(error, json.JSONDecodeError) else f"{error} is missing or not what it should be"
        )
        raise ValueError(f"TF_CONFIG={text}\n{problem}; expected something like {_EXAMPLE}") from None
    if others or kind != "worker":
        raise ValueError(
            f"TF_CONFIG={text}\nhas tasks that are no workers: all processes train alike, as in {_EXAMPLE}"
        )
    if not all(isinstance(address, str) and address.rpartition(":")[2].isdecimal() for address in workers):
        raise ValueError(f"TF_CONFIG={text}\nnot all workers are given as HOST:PORT, as in {_EXAMPLE}")
    if not 0 <= index < len(workers):
        raise ValueError(f"TF_CONFIG={text}\nhas {len(workers)} workers, counted from 0, so none with index {index}")
    return Cluster(workers, index)


@contextmanager
def gathering(cluster: Cluster, *, minutes: float) -> Iterator[None]:
    """Ends this process if the block, in which it waits for the others, takes too long.

    TensorFlow waits for ever there, and Python cannot act on a signal meanwhile: Ctrl-C ends the process at once.
    """
    gathered = threading.Event()

    def watch() -> None:
        if gathered.wait(min(_SILENT, 60 * minutes)):
            return
        say(f"Worker {cluster.own} waits for {_missing(cluster)}.")
        if gathered.wait(60 * minutes - _SILENT):
            return
        say(
            f"nmt: error: worker {cluster.own} has waited {minutes:g} minutes (training.gather_minutes) for "
            f"{_missing(cluster)}. Start the same command on all machines, with the same list of workers in TF_CONFIG."
        )
        os._exit(TRY_AGAIN)

    threading.Thread(target=watch, daemon=True).start()
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if main else None
    try:
        yield
    finally:
        gathered.set()
        if main:
            signal.signal(signal.SIGINT, before)


def _missing(cluster: Cluster) -> str:
    missing = cluster.unreachable()
    return cluster.named(missing) if missing else "the other workers, which all answer but have not joined"


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
    except OSError:
        return False
    return True
