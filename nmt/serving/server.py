"""The embedded endpoint: TensorFlow Serving's REST and gRPC API over exported models, without Docker.

It answers as `tensorflow_model_server` does on the same export, for what translation clients use: Predict, status and
metadata. Requests that come together run together (batching.py).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shlex
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nmt.config.file import load_config
from nmt.config.resuming import config_path
from nmt.exports.signatures import DEFAULT_SIGNATURE
from nmt.onnx_engine.files import is_onnx_export
from nmt.serving.access_log import write_access_log
from nmt.serving.batching_parameters import DEFAULT_BATCHING, BatchingParameters
from nmt.serving.config_polling import polled_config_file
from nmt.serving.grpc_limits import GRPC_LIMITS, GrpcLimits
from nmt.serving.http_server import HttpServer, allow_open_files, reachable
from nmt.serving.model_configs import ModelConfig, read_model_configs
from nmt.serving.monitoring import Metrics
from nmt.serving.monitoring_config import METRICS_PATH, read_metrics_path
from nmt.serving.prediction_service import PredictionService, signatures_of
from nmt.serving.rest_api import RestApi
from nmt.serving.rest_app import RestApp, RestOptions
from nmt.serving.served_models import POLL_SECONDS, ServedModels
from nmt.serving.stop_signal import stop_signal
from nmt.serving.text_limits import TEXT_LIMITS, TextLimits
from nmt.serving.tls import Tls, read_tls
from nmt.startup import import_tensorflow

if TYPE_CHECKING:
    from nmt.serving.grpc_server import GrpcServer

DEFAULT_MODEL_NAME = "translator"
NO_GRPC = "it takes the packages tensorflow and tensorflow-serving-api"
DEFAULT_REST_OPTIONS = RestOptions()


class Server:
    """A running endpoint; use it in a `with` statement or call `close`.

    Args: configs: the models, as in a model_config_list; host: the interface to listen on, "0.0.0.0" for all;
        port, rest_api_port: of gRPC and REST, 0 = any free one; rest, grpc, text: what clients may take and send;
        batching: how requests are joined, None = not; tls: None = without; metrics_path: as RestApi;
        file_system_poll_seconds, load_threads: as ServedModels.
    Raises: ValueError where a model does not load or a port is taken.
    """

    def __init__(
        self,
        configs: list[ModelConfig],
        *,
        host: str = "127.0.0.1",
        port: int = 8500,
        rest_api_port: int = 8501,
        rest: RestOptions = DEFAULT_REST_OPTIONS,
        grpc: GrpcLimits = GRPC_LIMITS,
        text: TextLimits = TEXT_LIMITS,
        batching: BatchingParameters | None = DEFAULT_BATCHING,
        tls: Tls | None = None,
        metrics_path: str | None = METRICS_PATH,
        file_system_poll_seconds: float = POLL_SECONDS,
        load_threads: int = 0,
    ) -> None:
        metrics = Metrics()
        self.models = ServedModels(
            configs,
            metrics=metrics,
            lanes=batching.num_batch_threads if batching else 0,
            poll_seconds=file_system_poll_seconds,
            load_threads=load_threads,
        )
        self._host = host
        self._tls = tls
        self._service = service = PredictionService(self.models, metrics=metrics, limits=text, batching=batching)
        self._app = RestApp(RestApi(service, timeout=rest.timeout, metrics_path=metrics_path), rest)
        try:
            self._rest = HttpServer(
                self._app,
                host=host,
                port=rest_api_port,
                max_connections=rest.max_connections,
                deadlines=rest.deadlines,
                tls=tls.of_http() if tls else None,
            )
        except (OSError, OverflowError) as error:
            service.close()
            self.models.close()
            raise _port_error(host, rest_api_port, error) from None
        try:
            self._grpc = self._grpc_server(port, grpc) if _has_grpc() else None
        except OSError as error:
            self._rest.close()
            service.close()
            self.models.close()
            raise _port_error(host, port, error) from None
        self.port = self._grpc.port if self._grpc else None
        self.rest_api_port = self._rest.port

    @property
    def rest_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{reachable(self._host)}:{self.rest_api_port}"

    @property
    def grpc_url(self) -> str | None:
        """None where the packages that gRPC takes are not installed."""
        return f"grpc://{reachable(self._host)}:{self.port}" if self._grpc else None

    def close(self) -> None:
        """Stops accepting requests, finishes those in progress and unloads the models."""
        stopped = self._grpc.stop() if self._grpc else None
        self._rest.close()
        self._app.close()
        if stopped:
            stopped.result()
        self._service.close()
        self.models.close()

    def _grpc_server(self, port: int, limits: GrpcLimits) -> GrpcServer:
        import_tensorflow()
        from nmt.serving.grpc_api import GrpcApi
        from nmt.serving.grpc_server import GrpcServer

        credentials = self._tls.of_grpc() if self._tls else None
        return GrpcServer(
            GrpcApi(self._service), self.models, host=self._host, port=port, limits=limits, credentials=credentials
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def model_config(directory: str | Path, *, name: str) -> ModelConfig:
    """The config of one model whose versions are in `directory`."""
    return ModelConfig(name, str(Path(directory).absolute()))


def serve(
    directory: str | Path | None = None,
    *,
    model_name: str | None = None,
    model_config_file: str | Path | None = None,
    model_config_file_poll_seconds: float = 0.0,
    ssl_config_file: str | Path | None = None,
    access_log: str | Path | None = None,
    monitoring_config_file: str | Path | None = None,
    **options: Any,
) -> None:
    """Serves an export, or the models of a config file, until SIGINT or SIGTERM; then ends the requests under way.

    Args: directory: what `nmt export` wrote, holding version folders; model_name: in the URLs, None = the export's own;
        model_config_file: a model_config_list instead of directory and model_name; model_config_file_poll_seconds: how
        often it is read again, 0 = never; ssl_config_file: an SSLConfig, for TLS; access_log: a file for a line of JSON
        per REST request, "-" = standard error; monitoring_config_file: a MonitoringConfig, None = metrics are at
        METRICS_PATH; options: as Server's.
    Raises: ValueError where there is nothing to serve, a model does not load or a port is taken.
    """
    if (directory is None) == (model_config_file is None):
        raise ValueError("serve either an export directory or the models of a model config file, one of the two")
    if model_name is not None and model_config_file is not None:
        raise ValueError("--model-name names the model of DIR: those of a model config file have their names there")
    if model_config_file is not None:
        configs = read_model_configs(model_config_file)
    else:
        assert directory is not None
        configs = [model_config(directory, name=model_name or _exported_name(Path(directory)))]
    if ssl_config_file is not None:
        options["tls"] = read_tls(ssl_config_file)
    if monitoring_config_file is not None:
        options["metrics_path"] = read_metrics_path(monitoring_config_file)
    allow_open_files(options.get("rest", DEFAULT_REST_OPTIONS).max_connections)
    _log_models()
    with ExitStack() as stack:
        if access_log is not None:
            stack.enter_context(write_access_log(access_log))
        server = stack.enter_context(Server(configs, **options))
        if model_config_file is not None and model_config_file_poll_seconds > 0:
            stack.enter_context(
                polled_config_file(model_config_file, server.models, seconds=model_config_file_poll_seconds)
            )
        with stop_signal() as wait_for_stop:
            print(_greeting(server), flush=True)
            wait_for_stop()
        print("stopping: waiting for the requests under way", flush=True)


def _has_grpc() -> bool:
    return all(map(importlib.util.find_spec, ("tensorflow", "tensorflow_serving", "grpc_health", "grpc_reflection")))


def _log_models() -> None:
    """Says on standard error which versions are loaded and unloaded, and how long it takes."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    models = logging.getLogger("nmt.serving")
    models.addHandler(handler)
    models.setLevel(logging.INFO)


def _exported_name(directory: Path) -> str:
    """The name that `nmt export` gave the model: in an ONNX export, or in the config it wrote for the real server."""
    if is_onnx_export(directory):
        return load_config(config_path(directory)).export.name
    written = directory / "models.config"
    return read_model_configs(written)[0].name if written.is_file() else DEFAULT_MODEL_NAME


def _greeting(server: Server) -> str:
    lines = []
    for name in server.models.names:
        with server.models.use(name) as version:
            lines.append(f"serving {name}, version {version.number}, from {version.directory}")
            url = f"{server.rest_url}/v1/models/{quote(name, safe='')}"
            lines.append(f"  REST  {url}")
            lines.append(f"  gRPC  {server.grpc_url}/{name}" if server.grpc_url else f"  gRPC  none: {NO_GRPC}")
            inputs = (
                signatures_of(version)[DEFAULT_SIGNATURE].inputs if DEFAULT_SIGNATURE in signatures_of(version) else {}
            )
        if [(spec.dtype, spec.shape) for spec in inputs.values()] == [("string", (None,))]:
            body = json.dumps({"instances": ["A sentence."]})
            lines.append(f"  try   curl -d '{body}' {shlex.quote(url + ':predict')}")
    return "\n".join([*lines, "Ctrl-C stops it."])


def _port_error(host: str, port: int, error: Exception) -> ValueError:
    return ValueError(f"cannot listen on {host}, port {port} ({error}): choose another port, or 0 for any free one")
