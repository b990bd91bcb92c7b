"""The models an endpoint serves: finds their versions on disk, loads, swaps and unloads them while requests run.

A model is a directory with one folder per version, named by a number. It is read every second; a new
version is loaded before the one it replaces is unloaded, and a version in use is closed only after its last request
(TensorFlow Serving's AvailabilityPreservingPolicy), so that a swap loses no request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from google.protobuf import text_format
from grpc import StatusCode
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from nmt.exports.saved_model import SavedModel
from nmt.serving.error import ServingError, invalid_argument

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
        self.error: ServingError | None = None  # why it failed to load
        self.attempts = 0
        self.retry_at = 0.0
        self.requests = 0  # in progress
        self.model: SavedModel | None = None


class ServedModels:
    """Versions of models, ready to be used by many threads.

    Args: configs: what to serve, as in TensorFlow Serving's model_config_list.
    Raises: ValueError where a model has no version, its first version does not load, or a label points to none.
    """

    def __init__(self, configs: list[ModelConfig]) -> None:
        self._configs = {config.name: config for config in configs}
        self._versions: dict[str, dict[int, Version]] = {config.name: {} for config in configs}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        for config in configs:
            if not Path(config.base_path).is_dir():
                raise ValueError(f"{config.base_path}: no such directory (of model {config.name!r})")
            self._update(config)
            self._check_started(config)
        self._poller = threading.Thread(target=self._poll, name="model versions", daemon=True)
        self._poller.start()

    @property
    def names(self) -> list[str]:
        return list(self._configs)

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

    def close(self) -> None:
        """Unloads everything; each version goes when its last request ends."""
        self._closing.set()
        self._poller.join()
        for versions in self._versions.values():
            for version in versions.values():
                self._unload(version)

    def _take(self, name: str, number: int | None, label: str | None) -> Version:
        if label is not None:
            labels = self._configs[name].version_labels if name in self._configs else {}
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
        while not self._closing.wait(POLL_SECONDS):
            for config in self._configs.values():
                try:
                    self._update(config)
                except OSError as error:
                    logger.warning("%s: %s", config.base_path, error)

    def _update(self, config: ModelConfig) -> None:
        """Loads and unloads versions to match those on disk."""
        versions = self._versions[config.name]
        aspired = _aspired(config)
        for number, known in versions.items():
            if number not in aspired:  # a version that replaces it starts without failures
                known.attempts, known.retry_at = 0, 0.0
        for number in aspired:
            with self._lock:
                version = versions.get(number)
                if version is None or (version.state == State.END and version.error is None):
                    directory = aspired[number]
                    version = versions[number] = Version(config.name, number, directory)
            if version.state == State.START or (version.error and self._may_retry(version)):
                self._load(version)
        if not aspired or any(versions[number].state == State.AVAILABLE for number in aspired):
            for version in list(versions.values()):
                if version.number not in aspired:
                    self._unload(version)

    def _may_retry(self, version: Version) -> bool:
        return version.attempts <= LOAD_RETRIES and time.monotonic() >= version.retry_at

    def _load(self, version: Version) -> None:
        self._set(version, State.LOADING)
        version.attempts += 1
        try:
            version.model = SavedModel(version.directory)
        except Exception as error:
            # Whatever a broken export raises, the versions that work go on serving.
            logger.error("version %d of %s does not load: %s", version.number, version.name, error)
            version.retry_at = time.monotonic() + RETRY_SECONDS
            self._set(version, State.END, ServingError(StatusCode.UNKNOWN, str(error)))
        else:
            logger.info("serving version %d of %s", version.number, version.name)
            self._set(version, State.AVAILABLE)

    def _unload(self, version: Version) -> None:
        with self._lock:
            if version.state != State.AVAILABLE:
                return
            version.state = State.UNLOADING
        logger.info("unloading version %d of %s", version.number, version.name)
        self._close_if_unused(version)

    def _close_if_unused(self, version: Version) -> None:
        with self._lock:
            if version.state != State.UNLOADING or version.requests:
                return
            version.state = State.END
            model, version.model = version.model, None
        assert model is not None
        model.close()

    def _set(self, version: Version, state: State, error: ServingError | None = None) -> None:
        with self._lock:
            version.state, version.error = state, error

    def _check_started(self, config: ModelConfig) -> None:
        versions = self._versions[config.name]
        if not versions and (Path(config.base_path) / "saved_model.pb").is_file():
            parent = Path(config.base_path).parent
            raise ValueError(f"{config.base_path} is one version of a model: name the directory above it, {parent}")
        if not versions:
            raise ValueError(
                f"{config.base_path}: no version of a model here: expected folders named by numbers, such as "
                f"{config.base_path}/1, each with a saved_model.pb; make one with `nmt export`"
            )
        for version in versions.values():
            if version.error:
                raise ValueError(version.error.message)
        for label, number in config.version_labels.items():
            if number not in versions:
                raise ValueError(
                    f"label {label!r} of model {config.name!r} is on version {number}, which is not served "
                    f"(served: {', '.join(map(str, sorted(versions)))}); mend version_labels or model_version_policy"
                )


def read_model_configs(path: str | Path) -> list[ModelConfig]:
    """Reads a model_config_list in protobuf's text form, as `tensorflow_model_server --model_config_file` does.

    Raises: ValueError with the file's name, and the line where protobuf tells it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        configs = list(text_format.Parse(text, ModelServerConfig()).model_config_list.config)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: a text file in UTF-8 was expected: {error}") from None
    except text_format.ParseError as error:
        raise ValueError(f"{path}:{error}") from None
    if not configs:
        raise ValueError(f"{path}: expected model_config_list {{ config {{ ... }} }}, found no model")
    names = [config.name for config in configs]
    for config in configs:
        if not config.name or names.count(config.name) > 1:
            raise ValueError(f"{path}: every model needs a name of its own, got {names}")
        if config.model_platform != "tensorflow":
            raise ValueError(f'{path}: model {config.name!r} needs model_platform: "tensorflow"')
        if not Path(config.base_path).is_absolute():
            raise ValueError(f"{path}: base_path of {config.name!r} must be absolute, got {config.base_path!r}")
    return configs


def _aspired(config: ModelConfig) -> dict[int, Path]:
    """The versions on disk that the policy wants, oldest first."""
    found = {
        int(each.name): each
        for each in sorted(Path(config.base_path).iterdir())
        if each.name.isascii() and each.name.isdecimal() and int(each.name) < 2**63 and each.is_dir()
    }
    numbers = sorted(found)
    policy: FileSystemStoragePathSourceConfig.ServableVersionPolicy = config.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        numbers = [number for number in numbers if number in policy.specific.versions]
    elif kind != "all":
        numbers = numbers[-(policy.latest.num_versions or 1) :]
    return {number: found[number] for number in numbers}
