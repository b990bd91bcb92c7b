"""`nmt serve`: serves exports over REST and gRPC."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nmt.cli.arguments import natural, positive

if TYPE_CHECKING:
    from nmt.serving.batching_parameters import BatchingParameters

HELP = "serve exports over REST and gRPC"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serves an export over TensorFlow Serving's REST and gRPC API, without Docker. Options that "
        "tensorflow_model_server has too are called as there; _ may be written for -."
    )
    parser.add_argument("directory", nargs="?", metavar="DIR", help="what `nmt export` wrote")
    parser.add_argument(
        "--host", default="127.0.0.1", help="interface to listen on, 0.0.0.0 = all (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=8500, help="of gRPC, 0 = any free one (default: %(default)s)")
    parser.add_argument("--rest-api-port", type=int, default=8501, help="of REST (default: %(default)s)")
    parser.add_argument("--ssl-config-file", metavar="FILE", help="serve REST and gRPC over TLS, with this SSLConfig")
    _add_models(parser.add_argument_group("models"))
    _add_limits(parser.add_argument_group("limits: what is beyond them is refused"))
    _add_batching(parser.add_argument_group("batching"))
    monitoring = parser.add_argument_group("monitoring")
    monitoring.add_argument(
        "--monitoring-config-file",
        metavar="FILE",
        help="whether and where Prometheus finds metrics (default: at /monitoring/prometheus/metrics)",
    )
    monitoring.add_argument(
        "--access-log", metavar="FILE", help="write a line of JSON for each REST request, - = to standard error"
    )


def _add_models(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model-name", metavar="NAME", help="(default: the export's own, export.name)")
    group.add_argument("--model-base-path", metavar="DIR", help="the same as DIR")
    group.add_argument("--model-config-file", metavar="FILE", help="serve this model_config_list instead of DIR")
    group.add_argument(
        "--model-config-file-poll-wait-seconds",
        type=natural,
        default=0,
        metavar="S",
        help="read it again so often and serve what has changed, 0 = never (default: 0)",
    )
    group.add_argument(
        "--file-system-poll-wait-seconds",
        type=positive,
        default=1,
        metavar="S",
        help="look so often for new versions (default: 1)",
    )
    group.add_argument(
        "--num-load-threads",
        type=natural,
        default=0,
        metavar="N",
        help="versions that load side by side, 0 = as many as there are cores (default: 0)",
    )


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--max-lines", type=positive, default=10_000, metavar="N", help="of a request (default: %(default)s)"
    )
    group.add_argument(
        "--max-line-bytes", type=positive, default=2**20, metavar="N", help="of text (default: %(default)s, 1 MiB)"
    )
    group.add_argument(
        "--max-body-bytes",
        type=positive,
        default=8 * 2**20,
        metavar="N",
        help="of a REST request, also once unpacked (default: 8 MiB)",
    )
    group.add_argument(
        "--max-connections", type=positive, default=2048, metavar="N", help="REST, at once (default: %(default)s)"
    )
    group.add_argument(
        "--rest-api-num-threads",
        type=positive,
        default=64,
        metavar="N",
        help="REST predictions in progress at once; 256 more wait (default: %(default)s)",
    )
    group.add_argument(
        "--rest-api-timeout-in-ms",
        type=positive,
        default=30_000,
        metavar="MS",
        help="of a REST prediction (default: %(default)s)",
    )
    group.add_argument(
        "--grpc-max-message-bytes",
        type=positive,
        default=4 * 2**20,
        metavar="N",
        help="of a gRPC request (default: 4 MiB)",
    )
    group.add_argument(
        "--grpc-max-calls",
        type=positive,
        default=256,
        metavar="N",
        help="gRPC, at once; 64 of them run, the others wait (default: %(default)s)",
    )


def _add_batching(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--enable-batching",
        type=_boolean,
        nargs="?",
        const=True,
        default=True,
        metavar="BOOL",
        help="run requests that come together as one call of the model (default: true)",
    )
    group.add_argument(
        "--batching-parameters-file", metavar="FILE", help="how: a BatchingParameters message, as TensorFlow Serving's"
    )


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text.lower() == "true"


def _batching(options: argparse.Namespace) -> BatchingParameters | None:
    from nmt.serving.batching_parameters import DEFAULT_BATCHING, read_batching_parameters

    if options.batching_parameters_file is None:
        return DEFAULT_BATCHING if options.enable_batching else None
    if not options.enable_batching:
        raise ValueError("--batching-parameters-file needs batching: leave --enable-batching=false out")
    return read_batching_parameters(options.batching_parameters_file)


def execute(options: argparse.Namespace) -> int:
    if options.directory and options.model_base_path:
        raise ValueError("DIR and --model-base-path name the same thing: leave one of them out")
    from nmt.serving.grpc_limits import GrpcLimits
    from nmt.serving.rest_app import RestOptions
    from nmt.serving.server import serve
    from nmt.serving.text_limits import TextLimits

    serve(
        options.directory or options.model_base_path,
        host=options.host,
        port=options.port,
        rest_api_port=options.rest_api_port,
        ssl_config_file=options.ssl_config_file,
        model_name=options.model_name,
        model_config_file=options.model_config_file,
        model_config_file_poll_seconds=options.model_config_file_poll_wait_seconds,
        file_system_poll_seconds=options.file_system_poll_wait_seconds,
        load_threads=options.num_load_threads,
        text=TextLimits(options.max_lines, options.max_line_bytes),
        rest=RestOptions(
            max_body_bytes=options.max_body_bytes,
            max_connections=options.max_connections,
            threads=options.rest_api_num_threads,
            timeout=options.rest_api_timeout_in_ms / 1000,
        ),
        grpc=GrpcLimits(options.grpc_max_message_bytes, options.grpc_max_calls),
        batching=_batching(options),
        monitoring_config_file=options.monitoring_config_file,
        access_log=options.access_log,
    )
    return 0
