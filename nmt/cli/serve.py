"""`nmt serve`: serves exports over REST and gRPC."""

from __future__ import annotations

import argparse

from nmt.startup import import_tensorflow

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


def execute(options: argparse.Namespace) -> int:
    import_tensorflow()
    from nmt.serving.server import serve

    serve(
        options.directory,
        host=options.host,
        port=options.port,
        rest_api_port=options.rest_api_port,
        model_name=options.model_name,
        model_config_file=options.model_config_file,
    )
    return 0
