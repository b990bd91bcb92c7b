"""Has the data of each epoch ready when training comes to it, in a directory of the run.

Where epochs differ, processes in the background prepare the next one while training uses this one. The data of an epoch
are deleted when the second one after it begins to be prepared, so there are never more than two. Where epochs do not
differ, one preparation serves all.

Of several workers each prepares its share; the first decides what is to be done, and writes the manifest.

Imports no TensorFlow.
"""

from __future__ import annotations

import json
import math
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from nmt.config.settings import Config
from nmt.data.fingerprint import differs_by_epoch, fingerprint
from nmt.data.mixing import count_mixed
from nmt.data.preparation import (
    ALONE,
    Prepared,
    Share,
    begin,
    finish,
    has_begun,
    num_shards,
    open_prepared,
    prepare_shards,
)
from nmt.text.known_files import keep, take_over
from nmt.text.tokenizer import Tokenizers

# So few pairs are prepared sooner than a process is started.
_FEW_PAIRS = 2_048

# Makes all shards of an epoch: the directory, the epoch's number.
MakeShards = Callable[[Path, int], None]


def known_files(directory: Path) -> Path:
    """What is known of the corpora (known_files.py of text), in a directory of prepared data."""
    return directory / "files.json"


class Preparer:
    """Prepares a job's epochs in a directory, `with` which its processes end.

    Args:
        share: of the workers that train together, which this is. All call the same methods in the same order.
        any_worker: whether a flag is set for any of them; it waits for them all to ask.

    Raises:
        ValueError: for corpora that cannot be read.
    """

    def __init__(
        self,
        config: Config,
        tokenizers: Tokenizers,
        directory: Path,
        *,
        processes: int | None = None,
        share: Share = ALONE,
        any_worker: Callable[[bool], bool] = bool,
    ) -> None:
        self.directory = directory
        self._share = share
        self._any_worker = any_worker
        self._config = config
        self._tokenizers = tokenizers
        self._processes = processes or os.cpu_count() or 1
        self._workers: list[subprocess.Popen[str]] = []
        self._asked: int | None = None  # the epoch that they are preparing
        self._differs = differs_by_epoch(config)
        take_over(known_files(directory))
        self._fingerprint = fingerprint(config, tokenizers)
        if self._first:
            keep(known_files(directory))

    def __enter__(self) -> Preparer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()
            worker.communicate()
        self._workers = []

    @property
    def in_background(self) -> bool:
        """Whether there are enough pairs to be prepared by other processes."""
        return count_mixed(self._config) > _FEW_PAIRS

    def begun(self, epoch: int) -> bool:
        """Whether an epoch is being prepared, or is prepared."""
        return self._asked == epoch or self.ready(epoch) is not None

    def complete(self, epoch: int) -> bool:
        """Whether `prepare` returns an epoch, or raises an error, without work or waiting."""
        if self._asked != epoch:
            return self.ready(epoch) is not None
        answers = [_pipe(worker.stdout) for worker in self._workers]
        return len(select.select(answers, [], [], 0)[0]) == len(answers)

    def ready(self, epoch: int) -> Prepared | None:
        """An epoch's data, or this worker's share, if they are complete."""
        return open_prepared(self._config, self._of(epoch), self._fingerprint, self._share)

    def prepare(self, epoch: int, make_shards: MakeShards | None = None) -> Prepared:
        """An epoch's data, or this worker's share; waits until they are complete. Those of the epoch before it stay.

        Args:
            make_shards: makes them instead of processes of this machine.

        Raises:
            ValueError: for corpora that cannot be read, where nothing is left to train on, or where processes failed.
            OSError: where there is no room.
        """
        prepared = None
        if self._first:
            self._delete_all_but(epoch - 1, epoch, epoch + 1)
            prepared = self.ready(epoch)
        if self._any_worker(self._first and prepared is None):
            if self._asked != epoch:
                self._begin(epoch)
                if make_shards:
                    make_shards(self._of(epoch), self._number(epoch))
                elif self.in_background:
                    self._ask(epoch)
                else:
                    self._prepare_shards(epoch)
            self._wait()
            self._all_have_come()
            prepared = finish(self._config, self._of(epoch), share=self._share) if self._first else None
            self._all_have_come()
        prepared = prepared or self.ready(epoch)
        if prepared is None:
            raise self._another_directory(epoch)
        return prepared

    def prepare_ahead(self, epoch: int) -> None:
        """Begins with an epoch's data in the background, unless they are there or so few that there is no need; deletes
        those of epochs before the last.
        """
        if self._first:
            self._delete_all_but(epoch - 1, epoch)
        if self.in_background and self._any_worker(self._first and not self.begun(epoch)):
            self._begin(epoch)
            self._ask(epoch)

    def delete(self) -> None:
        """Deletes everything that was prepared."""
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _first(self) -> bool:
        return self._share.worker == 0

    def _all_have_come(self) -> None:
        """Waits for the other workers."""
        self._any_worker(False)

    def _begin(self, epoch: int) -> None:
        """Has a directory for an epoch's data, when the processes have done what they were asked for before."""
        self._wait()
        if self._first:
            begin(self._of(epoch), self._fingerprint)
        self._all_have_come()
        if not self._first and not has_begun(self._of(epoch), self._fingerprint):
            raise self._another_directory(epoch)

    def _prepare_shards(self, epoch: int) -> None:
        """In this process."""
        worker, workers = self._share
        number = self._number(epoch)
        prepare_shards(self._config, self._tokenizers, self._of(epoch), epoch=number, index=worker, count=workers)

    def _another_directory(self, epoch: int) -> ValueError:
        return ValueError(
            f"{self._of(epoch)} does not hold the data that the first worker prepares: all workers need the same "
            "directory run: and the same corpora"
        )

    def _delete_all_but(self, *epochs: int) -> None:
        wanted = set(map(self._of, epochs))
        for other in self.directory.glob("e*-*"):
            if other not in wanted:
                shutil.rmtree(other, ignore_errors=True)

    def _of(self, epoch: int) -> Path:
        return self.directory / (f"epoch-{epoch:05d}" if self._differs else "every-epoch")

    def _number(self, epoch: int) -> int:
        return epoch if self._differs else 0

    def _ask(self, epoch: int) -> None:
        """Hands an epoch to the worker processes, which are started first if there are none."""
        if not self._workers:
            own, workers = self._share
            folder = self.directory / f"tokenizer-{own}"
            folder.mkdir(parents=True, exist_ok=True)
            self._tokenizers.save(folder)
            count = min(self._processes, math.ceil(num_shards(self._config) / workers))
            job = {"config": self._config.model_dump_json(), "tokenizers": str(folder), "count": workers * count}
            job["known_files"] = str(known_files(self.directory))
            for process in range(count):
                self._workers.append(_start())
                _send(self._workers[-1], {**job, "index": own + workers * process})
        for worker in self._workers:
            _send(worker, {"epoch": self._number(epoch), "directory": str(self._of(epoch))})
        self._asked = epoch

    def _wait(self) -> None:
        """Waits until the workers have done what they were asked for."""
        if self._asked is None:
            return
        self._asked = None
        answers = [_pipe(worker.stdout).readline() for worker in self._workers]
        for worker, answer in zip(self._workers, answers, strict=True):
            if not answer:
                raise ValueError(
                    f"a process that prepared data in {self.directory} has ended (status {worker.wait()}), perhaps for "
                    "want of memory: run the command again, what is finished is kept"
                )
            if error := json.loads(answer).get("error"):
                raise ValueError(error)


def _start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nmt.data.worker"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, env=_environment()
    )


def _environment() -> dict[str, str]:
    """With this process's path of modules, so that the worker runs the same package."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _send(worker: subprocess.Popen[str], request: dict[str, Any]) -> None:
    stdin = _pipe(worker.stdin)
    with suppress(BrokenPipeError):  # it has ended, as `_wait` will find and say
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "opened with the process"
    return pipe
