"""`nmt serve`: serves exports over REST and gRPC."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nmt.cli.arguments import positive
from nmt.startup import import_tensorflow

if TYPE_CHECKING:
    from nmt.serving.batching_parameters import BatchingParameters

HELP = "serve exports over REST and gRPC"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serves an export over TensorFlow Serving's REST and gRPC API, without Docker."
    parser.add_argument("directory", nargs="?", metavar="DIR", help="what `nmt export` wrote")
    parser.add_argument(
        "--host", default="127.0.0.1", help="interface to listen on, 0.0.0.0 = all (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=8500, help="of gRPC, 0 = any free one (default: %(default)s)")
    parser.add_argument("--rest-api-port", type=int, default=8501, help="of REST (default: %(default)s)")
    parser.add_argument("--model-name", metavar="NAME", help="(default: the export's own, export.name)")
    parser.add_argument("--model-config-file", metavar="FILE", help="serve this model_config_list instead of DIR")
    parser.add_argument("--ssl-config-file", metavar="FILE", help="serve REST and gRPC over TLS, with this SSLConfig")
    parser.add_argument(
        "--access-log", metavar="FILE", help="write a line of JSON for each REST request, - = to standard error"
    )
    parser.add_argument(
        "--max-body-bytes",
        type=positive,
        default=8 * 2**20,
        metavar="N",
        help="of a REST request, also once unpacked (default: 8 MiB)",
    )
    parser.add_argument(
        "--max-connections", type=positive, default=2048, metavar="N", help="REST, at once (default: %(default)s)"
    )
    parser.add_argument(
        "--rest-api-num-threads",
        type=positive,
        default=64,
        metavar="N",
        help="REST predictions in progress at once; 256 more wait (default: %(default)s)",
    )
    parser.add_argument(
        "--rest-api-timeout-in-ms",
        type=positive,
        default=30_000,
        metavar="MS",
        help="of a REST prediction (default: %(default)s)",
    )
    parser.add_argument(
        "--enable-batching",
        type=_boolean,
        nargs="?",
        const=True,
        default=True,
        metavar="BOOL",
        help="run requests that come together as one call of the model (default: true)",
    )
    parser.add_argument(
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
    import_tensorflow()
    from nmt.serving.rest_app import RestOptions
    from nmt.serving.server import serve

    serve(
        options.directory,
        host=options.host,
        port=options.port,
        rest_api_port=options.rest_api_port,
        model_name=options.model_name,
        model_config_file=options.model_config_file,
        ssl_config_file=options.ssl_config_file,
        access_log=options.access_log,
        rest=RestOptions(
            max_body_bytes=options.max_body_bytes,
            max_connections=options.max_connections,
            threads=options.rest_api_num_threads,
            timeout=options.rest_api_timeout_in_ms / 1000,
        ),
        batching=_batching(options),
    )
    return 0
