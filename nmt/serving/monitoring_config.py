"""Where the metrics are, in the file that `tensorflow_model_server --monitoring_config_file` reads. No TensorFlow."""

from __future__ import annotations

from pathlib import Path

from nmt.serving.text_protos import BOOL, STRING, new_message, read_text_proto

METRICS_PATH = "/monitoring/prometheus/metrics"


def read_metrics_path(path: str | Path) -> str | None:
    """The path of the page that a MonitoringConfig asks for; None where it asks for none.

    Raises: ValueError with the file's name.
    """
    fields = {"prometheus_config": {"enable": BOOL, "path": STRING}}
    config = read_text_proto(path, new_message("MonitoringConfig", fields)).prometheus_config
    if not config.enable:
        return None
    if config.path and not config.path.startswith("/"):
        raise ValueError(f'{path}: path must start with "/", got {config.path!r}')
    return config.path or METRICS_PATH
