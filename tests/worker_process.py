"""`nmt train` in processes of their own, forked from one that has imported TensorFlow, which takes longest."""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["nmt.api", "nmt.cli.main", "nmt.training.train"])
# Seconds after which a process is ended, whatever it waits for: far more than one needs on a busy machine.
_LONGEST = 400
_started: list[multiprocessing.process.BaseProcess] = []


class Worker:
    """A process that trains, alone or as one of a cluster."""

    def __init__(self, config: Path, *overrides: str, cluster: list[str] | None = None, index: int = 0) -> None:
        self.said = config.with_name(f"{config.name}.{index}.stderr")
        environment = {}
        if cluster:
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
        settings = [part for override in overrides for part in ("--set", override)]
        arguments = (["train", str(config), *settings], environment, str(self.said))
        self._process = _FORKS.Process(target=_train, args=arguments)
        _started.append(self._process)
        self._process.start()

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def end(self) -> tuple[int | None, str]:
        """Waits for the end: exit status; what was written to stderr."""
        self._process.join()
        return self._process.exitcode, self.said.read_text()


def end_all() -> None:
    """Kills the workers that a test has left."""
    while _started:
        process = _started.pop()
        process.kill()
        process.join()


def addresses(count: int) -> list[str]:
    """Free ones, below the ports that the system gives to whoever asks for any."""
    with contextlib.ExitStack() as stack:
        found: list[str] = []
        for port in random.sample(range(20_000, 32_000), 100):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_server(("localhost", port)))
                found.append(f"localhost:{port}")
            if len(found) == count:
                break
        return found


def _train(arguments: list[str], environment: dict[str, str], said: str) -> None:
    signal.alarm(_LONGEST)  # ends it also where it heeds nothing else
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment)
    sys.stderr = open(said, "w")  # noqa: SIM115  (open as long as the process)
    os.dup2(sys.stderr.fileno(), 2)
    from nmt.cli.main import main
    from nmt.data import preparation
    from nmt.training import callbacks, loop

    # So that a small corpus has something for each worker, and each step's loss is in log.jsonl.
    preparation._CHUNK_PAIRS = 10
    callbacks._LOG_STEPS = loop._LOOK_STEPS = 1
    sys.exit(main(arguments))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
