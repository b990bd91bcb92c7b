"""`nmt gateway`: LibreTranslate's API and a page in front of any number of models."""

from __future__ import annotations

import argparse
import json
from typing import Any

HELP = "LibreTranslate's API and a web page in front of servers, exports or runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Answers LibreTranslate's API and shows a page to translate on, by models behind TensorFlow Serving, "
        "`nmt serve`, or of this machine. Where there is no direct model, two are used over a third language."
    )
    parser.add_argument(
        "config", nargs="?", metavar="FILE", help="models, limits, API keys as YAML: configs/gateway.yaml"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="EN-DE=URL",
        help="a direction and its model: http://host:8501/model, grpc://host:8500/model, an export or a run; may be "
        "given several times",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="interface to listen on, 0.0.0.0 = all (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=5000, help="(default: %(default)s)")


def execute(options: argparse.Namespace) -> int:
    if bool(options.config) == bool(options.model):
        raise ValueError("what should translate? Name a FILE with models, or give each as --model en-de=URL")
    models = [_model(argument) for argument in options.model]
    from nmt.config.file import load_settings, parse_settings

    try:
        from nmt.gateway.server import serve
        from nmt.gateway.settings import GatewaySettings
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ValueError(
            f"nmt gateway needs {package}, which is not installed: pip install 'recurrent-nmt[gateway]'"
        ) from None
    if options.config:
        settings = load_settings(GatewaySettings, options.config)
    else:
        settings = parse_settings(GatewaySettings, json.dumps({"models": models}), name="--model")
    serve(settings, host=options.host, port=options.port)
    return 0


def _model(argument: str) -> dict[str, Any]:
    """A model as the settings have it.

    Raises: ValueError where it is not of the form en-de=URL.
    """
    direction, equals, address = argument.partition("=")
    source, hyphen, target = direction.partition("-")
    if not (equals and hyphen and source and target and address) or "-" in target:
        raise ValueError(
            f"--model {argument}: a direction and an address such as en-de=http://localhost:8501 were expected; codes "
            "with a hyphen such as pt-BR need a file"
        )
    return {"source": source, "target": target, "address": address}
