"""The models an endpoint serves: finds their versions on disk, loads, swaps and unloads them while requests run.

A model is a directory with one folder per version, named by a number. It is read every second; a new
version is loaded before the one it replaces is unloaded, and a version in use is closed only after its last request
(TensorFlow Serving's AvailabilityPreservingPolicy), so that a swap loses no request. Versions load side by side, in
threads of their own.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path

from nmt.exports.signatures import ServedModel
from nmt.serving.error import ServingError, StatusCode, invalid_argument
from nmt.serving.model_configs import ModelConfig, aspired_versions, check_aspired, check_model_configs
from nmt.serving.monitoring import Metrics
from nmt.serving.open_model import open_model

POLL_SECONDS = 1.0
LOAD_RETRIES = 5  # of a version that fails to load, which a copy still under way does
RETRY_SECONDS = 60.0

logger = logging.getLogger(__name__)


class State(IntEnum):
    """Of a version, with the numbers of GetModelStatusResponse.ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


class Version:
    """One version of a model and what became of it; its fields change under the lock of ServedModels."""

    def __init__(self, name: str, number: int, directory: Path) -> None:
        self.name = name
        self.number = number
        self.directory = directory
        self.state = State.START
        self.wanted = True  # else it goes as soon as it is loaded and unused
        self.error: ServingError | None = None  # why it failed to load
        self.attempts = 0
        self.retry_at = 0.0
        self.requests = 0  # in progress
        self.model: ServedModel | None = None

    def __str__(self) -> str:
        return f"version {self.number} of {self.name}"


class ServedModels:
    """Versions of models, ready to be used by many threads.

    Args: configs: what to serve, as in TensorFlow Serving's model_config_list; metrics: told of loads;
        lanes: as of open_model; poll_seconds: how often the directories are read; load_threads: how many versions
        load side by side, 0 = as many as there are cores.
    Raises: ValueError as `reload`.
    """

    def __init__(
        self,
        configs: Sequence[ModelConfig],
        *,
        metrics: Metrics,
        lanes: int = 0,
        poll_seconds: float = POLL_SECONDS,
        load_threads: int = 0,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._lanes = lanes
        self._configs: dict[str, ModelConfig] = {}
        self._versions: dict[str, dict[int, Version]] = {}
        self._lock = threading.Lock()
        self._changing = threading.Lock()  # held to decide what is to be loaded and unloaded
        self._closing = threading.Event()
        self._listeners: list[Callable[[], None]] = []
        self._loaders = ThreadPoolExecutor(load_threads or os.cpu_count(), thread_name_prefix="loading")
        try:
            self.reload(configs)
        except BaseException:
            self._loaders.shutdown()
            raise
        self._poller = threading.Thread(target=self._poll, name="model versions", daemon=True)
        self._poller.start()

    @property
    def names(self) -> list[str]:
        return list(self._configs)

    @property
    def configs(self) -> list[ModelConfig]:
        """As they were asked for last."""
        return list(self._configs.values())

    @property
    def ready(self) -> bool:
        """Whether every model has a version that answers."""
        return all(self.serving().values())

    def serving(self) -> dict[str, bool]:
        """Whether a version answers, by model."""
        with self._lock:
            return {
                name: any(version.state == State.AVAILABLE for version in versions.values())
                for name, versions in self._versions.items()
            }

    def name_of(self, model: ServedModel) -> str:
        """The name under which a loaded version is or was served."""
        with self._lock:
            versions = [version for versions in self._versions.values() for version in versions.values()]
        return next((version.name for version in versions if version.model is model), "unknown")

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after each change of a version's state, in whichever thread it happens."""
        self._listeners.append(listener)

    @contextmanager
    def use(self, name: str, *, number: int | None = None, label: str | None = None) -> Iterator[Version]:
        """Holds a version for the time of a request: the newest, or the one with this number or label.

        Raises: ServingError NOT_FOUND for what is not served, INVALID_ARGUMENT for an unknown label.
        """
        version = self._take(name, number, label)
        try:
            yield version
        finally:
            with self._lock:
                version.requests -= 1
            self._close_if_unused(version)

    def versions(self, name: str) -> list[tuple[int, State, ServingError | None]]:
        """All versions a model has or had, newest first; none for an unknown model."""
        with self._lock:
            found = self._versions.get(name, {}).values()
            return sorted(((v.number, v.state, v.error) for v in found), key=lambda each: -each[0])

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serves these models instead of those before, when all their versions are loaded that were not yet.

        Raises: ValueError where a config is wrong, a model has no version, one does not load, or a label is on none;
            everything is then as it was.
        """
        check_model_configs(configs)
        with self._changing:
            kept: dict[str, dict[int, Version]] = {}
            new: list[Version] = []
            for config in configs:
                known = self._versions.get(config.name, {})
                aspired = check_aspired(config)
                kept[config.name] = {
                    number: version
                    for number, version in known.items()
                    if aspired.get(number) == version.directory and (version.state != State.END or version.error)
                }
                new += [
                    Version(config.name, number, directory)
                    for number, directory in aspired.items()
                    if number not in kept[config.name]
                ]
            wait([self._loaders.submit(self._load, version) for version in new])
            failed = next((version.error for version in new if version.error), None)
            if failed:
                for version in new:
                    self._unload(version)
                raise ValueError(failed.message)
            for version in new:
                kept[version.name][version.number] = version
            before = [version for versions in self._versions.values() for version in versions.values()]
            with self._lock:
                self._configs = {config.name: config for config in configs}
                self._versions = kept
            for version in before:
                if kept.get(version.name, {}).get(version.number) is not version:
                    self._unload(version)
        self._tell()

    def close(self) -> None:
        """Unloads everything; each version goes when its last request ends."""
        self._closing.set()
        self._poller.join()
        self._loaders.shutdown(cancel_futures=True)
        for versions in self._versions.values():
            for version in versions.values():
                self._unload(version)

    def _take(self, name: str, number: int | None, label: str | None) -> Version:
        if label is not None:
            config = self._configs.get(name)
            labels = config.version_labels if config else {}
            if label not in labels:
                raise invalid_argument(f"Unrecognized servable version label: {label}")
            number = labels[label]
        with self._lock:
            available = {
                each.number: each for each in self._versions.get(name, {}).values() if each.state == State.AVAILABLE
            }
            wanted = max(available, default=None) if number is None else number
            if wanted not in available:
                request = f"Latest({name})" if number is None else f"Specific({name}, {number})"
                raise ServingError(StatusCode.NOT_FOUND, f"Servable not found for request: {request}")
            available[wanted].requests += 1
            return available[wanted]

    def _poll(self) -> None:
        while not self._closing.wait(self._poll_seconds):
            if self._changing.acquire(blocking=False):  # while a reload goes on, it decides
                try:
                    for config in self._configs.values():
                        self._update(config)
                finally:
                    self._changing.release()

    def _update(self, config: ModelConfig) -> None:
        """Begins to load and to unload versions to match those on disk."""
        try:
            aspired = aspired_versions(config)
        except OSError as error:
            logger.warning("%s: %s", config.base_path, error)
            return
        versions = self._versions[config.name]
        for number, known in versions.items():
            if number not in aspired:  # a version that replaces it starts without failures
                known.attempts, known.retry_at = 0, 0.0
        for number, directory in aspired.items():
            with self._lock:
                version = versions.get(number)
                if version is None or (version.state == State.END and version.error is None):
                    version = versions[number] = Version(config.name, number, directory)
            if version.state == State.START or (version.error and self._may_retry(version)):
                self._set(version, State.LOADING)
                self._loaders.submit(self._load, version)
        if not aspired or any(versions[number].state == State.AVAILABLE for number in aspired):
            for version in list(versions.values()):
                if version.number not in aspired:
                    self._unload(version)

    def _may_retry(self, version: Version) -> bool:
        return version.attempts <= LOAD_RETRIES and time.monotonic() >= version.retry_at

    def _load(self, version: Version) -> None:
        logger.info("loading %s from %s", version, version.directory)
        self._set(version, State.LOADING)
        version.attempts += 1
        started = time.perf_counter()
        try:
            version.model = open_model(version.directory, lanes=self._lanes)
        except Exception as error:
            # Whatever a broken export raises, the versions that work go on serving.
            logger.error("%s does not load: %s", version, error)
            version.retry_at = time.monotonic() + RETRY_SECONDS
            self._set(version, State.END, ServingError(StatusCode.UNKNOWN, str(error)))
            self._metrics.load_attempts.labels(version.directory, "fail").inc()
        else:
            seconds = time.perf_counter() - started
            _give_memory_back()
            logger.info("%s is loaded and warm after %.1f s", version, seconds)
            self._metrics.load_attempts.labels(version.directory, "success").inc()
            self._metrics.load_latency.labels(version.directory).inc(round(seconds * 1e6))
            self._set(version, State.AVAILABLE if version.wanted else State.UNLOADING)
            self._close_if_unused(version)

    def _unload(self, version: Version) -> None:
        with self._lock:
            version.wanted = False
            if version.state != State.AVAILABLE:
                return
            version.state = State.UNLOADING
        self._tell()
        self._close_if_unused(version)

    def _close_if_unused(self, version: Version) -> None:
        with self._lock:
            if version.state != State.UNLOADING or version.requests:
                return
            version.state = State.END
            model, version.model = version.model, None
        assert model is not None
        started = time.perf_counter()
        model.close()
        del model
        _give_memory_back()
        logger.info("%s is unloaded after %.1f s", version, time.perf_counter() - started)
        self._tell()

    def _set(self, version: Version, state: State, error: ServingError | None = None) -> None:
        with self._lock:
            version.state, version.error = state, error
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _give_memory_back() -> None:
    """To the system: glibc keeps what loading and unloading a model have freed, some 180 MB, for later."""
    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function; Windows has no None
        ctypes.CDLL(None).malloc_trim(0)
