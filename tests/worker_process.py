"""`nmt train` in processes of their own, forked from one that has imported TensorFlow, which takes longest."""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["nmt.api", "nmt.cli.main", "nmt.training.train"])


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
        self._process.start()

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def end(self, seconds: float) -> tuple[int | None, str]:
        """Waits for the end, at most so long: exit status, None if there was no end; what was written to stderr."""
        self._process.join(seconds)
        status = self._process.exitcode
        self._process.kill()
        self._process.join()
        return status, self.said.read_text()


def addresses(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [f"localhost:{each.getsockname()[1]}" for each in sockets]


def _train(arguments: list[str], environment: dict[str, str], said: str) -> None:
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
