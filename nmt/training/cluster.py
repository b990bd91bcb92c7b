"""The workers that TF_CONFIG lists, and which of them can be reached. Imports no TensorFlow."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from nmt.training.interrupted import WorkerLostError
from nmt.training.messages import say

# Of a process that stops because another one is gone: EX_TEMPFAIL of sysexits.h, "try again".
TRY_AGAIN = 75
_EXAMPLE = '{"cluster": {"worker": ["HOST-0:2222", "HOST-1:2222"]}, "task": {"type": "worker", "index": 0}}'
# Seconds: after which it is said who is waited for; between two looks for them; that a machine has to answer in.
_SILENT = 15.0
_PAUSE = 0.5
_ANSWER = 2.0


class Cluster(NamedTuple):
    """The workers' addresses, HOST:PORT, and which of them this process is, counted from 0."""

    addresses: list[str]
    own: int

    def unreachable(self) -> list[int]:
        """The other workers at whose address no process listens."""
        return [index for index, address in enumerate(self.addresses) if index != self.own and _answer(address) is None]

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


def gather(cluster: Cluster, *, minutes: float) -> None:
    """Waits until all workers have been started and have found each other.

    It comes before TensorFlow waits for them, as that would be for ever, and heed no signal. Each worker listens at its
    address, and goes on when all others, too, have found everybody. So no worker takes the port of a training that has
    lost one, and is about to stop, for that of the one that is started again.

    Raises:
        WorkerLostError: if it takes too long.
        ValueError: if another process uses this worker's port, or if workers have different lists of workers.
    """
    missing = set(range(len(cluster.addresses))) - {cluster.own}
    searching = set(missing)  # those that may not have found all others yet
    since, said = time.monotonic(), False
    with _answering(cluster, missing):
        while True:
            for index in sorted(searching):
                answer = _answer(cluster.addresses[index])
                ready = _ready(cluster, index, answer)
                if ready is not None:
                    missing.discard(index)
                elif answer is not None and index not in missing:  # it has gone on, and this is TensorFlow's answer
                    ready = True
                if ready:
                    searching.discard(index)
            if not searching:
                return
            awaited = cluster.named(sorted(missing or searching))
            waited = time.monotonic() - since
            if waited > 60 * minutes:
                raise WorkerLostError(
                    f"worker {cluster.own} has waited {minutes:g} minutes (training.gather_minutes) for {awaited}: "
                    "start the command on all machines, each with its index in TF_CONFIG"
                )
            if waited > _SILENT and not said:
                say(f"Worker {cluster.own} waits for {awaited}.")
                said = True
            time.sleep(_PAUSE)


@contextmanager
def _answering(cluster: Cluster, missing: set[int]) -> Iterator[None]:
    """Tells whoever connects to this worker's port which list of workers it has, and whether it has found them all."""
    port = int(cluster.addresses[cluster.own].rpartition(":")[2])
    try:
        both = socket.has_dualstack_ipv6()
        server = socket.create_server(
            ("", port), family=socket.AF_INET6 if both else socket.AF_INET, dualstack_ipv6=both
        )
    except OSError as error:
        raise ValueError(
            f"worker {cluster.own} cannot listen at its port {port}: {error.strerror}. Choose another one, in "
            "TF_CONFIG on all machines"
        ) from None

    def answer() -> None:
        while True:
            try:
                with server.accept()[0] as connection:
                    connection.sendall(json.dumps({"workers": cluster.addresses, "ready": not missing}).encode())
            except ConnectionError:  # it did not wait for the answer
                continue
            except OSError:  # the server is closed
                return

    threading.Thread(target=answer, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _ready(cluster: Cluster, index: int, answer: bytes | None) -> bool | None:
    """Whether a worker that gathers, too, has found all others, by its answer; None if the answer is none of such."""
    try:
        found = json.loads(answer or b"")
    except ValueError:
        return None
    if found["workers"] != cluster.addresses:
        raise ValueError(
            f"all workers need the same list of workers in TF_CONFIG: worker {cluster.own} has "
            f"{', '.join(cluster.addresses)}, worker {index} has {', '.join(found['workers'])}"
        )
    return found["ready"]


def _answer(address: str) -> bytes | None:
    """What a process at an address says first, possibly nothing; None if nobody listens."""
    host, _, port = address.rpartition(":")
    answer = b""
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER) as connection:
            while part := connection.recv(65_536):
                answer += part
    except TimeoutError:
        return answer
    except OSError:
        return None
    return answer
