"""What to serve: TensorFlow Serving's model_config_list, and the versions on disk that it asks for.

Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nmt.onnx_engine.files import is_onnx_export
from nmt.serving.text_protos import DOUBLE, INT64, STRING, UINT32, new_message, parse_text_proto, read_text_proto

_FIELDS = {
    "model_config_list": {
        "config": [
            {
                "name": STRING,
                "base_path": STRING,
                "model_platform": STRING,
                "model_version_policy": {
                    "latest": {"num_versions": UINT32},
                    "all": {},
                    "specific": {"versions": [INT64]},
                },
                "version_labels": [{"key": STRING, "value": INT64}],
                "logging_config": {  # which the real server knows and this one passes over
                    "log_collector_config": {"type": STRING, "filename_prefix": STRING},
                    "sampling_config": {"sampling_rate": DOUBLE},
                },
            }
        ]
    }
}


class ModelConfig(NamedTuple):
    """A model to serve: a folder of versions, SavedModels or ONNX exports; or an ONNX export, which is version 1."""

    name: str
    base_path: str
    model_platform: str = "tensorflow"
    versions: int | Sequence[int] | None = 1  # so many of the newest, or these, None = all
    version_labels: Mapping[str, int] = {}


def read_model_configs(path: str | Path) -> list[ModelConfig]:
    """Reads a model_config_list in protobuf's text form, as `tensorflow_model_server --model_config_file` does.

    Raises: ValueError with the file's name, and the line where protobuf tells it.
    """
    message = read_text_proto(path, new_message("ModelServerConfig", _FIELDS))
    try:
        return _model_configs(message)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_model_configs(text: str) -> list[ModelConfig]:
    """As read_model_configs, of the text itself."""
    return _model_configs(parse_text_proto(text, new_message("ModelServerConfig", _FIELDS)))


def check_model_configs(configs: Sequence[ModelConfig]) -> None:
    """Raises ValueError unless each model has a name of its own, a platform that is served and an absolute path."""
    if not configs:
        raise ValueError("expected model_config_list { config { ... } }, found no model")
    names = [config.name for config in configs]
    for config in configs:
        if not config.name or names.count(config.name) > 1:
            raise ValueError(f"every model needs a name of its own, got {names}")
        if config.model_platform != "tensorflow":
            raise ValueError(f'model {config.name!r} needs model_platform: "tensorflow"')
        if not Path(config.base_path).is_absolute():
            raise ValueError(f"base_path of {config.name!r} must be absolute, got {config.base_path!r}")


def aspired_versions(config: ModelConfig) -> dict[int, Path]:
    """The versions on disk that the policy wants, oldest first. Raises OSError where the directory cannot be read."""
    if is_onnx_export(config.base_path):
        return {1: Path(config.base_path)}
    found = {
        int(each.name): each
        for each in sorted(Path(config.base_path).iterdir())
        if each.name.isascii() and each.name.isdecimal() and int(each.name) < 2**63 and each.is_dir()
    }
    numbers = sorted(found)
    if isinstance(config.versions, int):
        numbers = numbers[-config.versions :]
    elif config.versions is not None:
        numbers = [number for number in numbers if number in config.versions]
    return {number: found[number] for number in numbers}


def check_aspired(config: ModelConfig) -> dict[int, Path]:
    """As aspired_versions. Raises ValueError where there is none, or a label is on another one."""
    try:
        if not Path(config.base_path).is_dir():
            raise ValueError(f"{config.base_path}: no such directory (of model {config.name!r})")
        versions = aspired_versions(config)
    except OSError as error:
        raise ValueError(f"{error} (of model {config.name!r})") from None
    if not versions and (Path(config.base_path) / "saved_model.pb").is_file():
        parent = Path(config.base_path).parent
        raise ValueError(f"{config.base_path} is one version of a model: name the directory above it, {parent}")
    if not versions:
        raise ValueError(
            f"{config.base_path}: no version of a model here: expected folders named by numbers, such as "
            f"{config.base_path}/1, each with a saved_model.pb, or an ONNX export; make one with `nmt export`"
        )
    for label, number in config.version_labels.items():
        if number not in versions:
            raise ValueError(
                f"label {label!r} of model {config.name!r} is on version {number}, which is not served "
                f"(served: {', '.join(map(str, sorted(versions)))}); mend version_labels or model_version_policy"
            )
    return versions


def _model_configs(message: Any) -> list[ModelConfig]:
    configs = [
        ModelConfig(
            each.name,
            each.base_path,
            each.model_platform,
            _wanted_versions(each),
            {label.key: label.value for label in each.version_labels},
        )
        for each in message.model_config_list.config
    ]
    check_model_configs(configs)
    return configs


def _wanted_versions(config: Any) -> int | Sequence[int] | None:
    policy = config.model_version_policy
    chosen = [field.name for field, _ in policy.ListFields()]
    if len(chosen) > 1:
        raise ValueError(f"model_version_policy of {config.name!r} is one of latest, all and specific, got {chosen}")
    if chosen == ["specific"]:
        return tuple(policy.specific.versions)
    return None if chosen == ["all"] else policy.latest.num_versions or 1
