"""What to serve: TensorFlow Serving's model_config_list, and the versions on disk that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from nmt.serving.text_protos import read_text_proto


def read_model_configs(path: str | Path) -> list[ModelConfig]:
    """Reads a model_config_list in protobuf's text form, as `tensorflow_model_server --model_config_file` does.

    Raises: ValueError with the file's name, and the line where protobuf tells it.
    """
    configs = list(read_text_proto(path, ModelServerConfig()).model_config_list.config)
    try:
        check_model_configs(configs)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return configs


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
            f"{config.base_path}/1, each with a saved_model.pb; make one with `nmt export`"
        )
    for label, number in config.version_labels.items():
        if number not in versions:
            raise ValueError(
                f"label {label!r} of model {config.name!r} is on version {number}, which is not served "
                f"(served: {', '.join(map(str, sorted(versions)))}); mend version_labels or model_version_policy"
            )
    return versions
