"""`nmt export`: a run -> a SavedModel, or the graphs of ONNX."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_glossary, add_run, add_set, add_weights, read_glossary

HELP = "make a SavedModel or an ONNX export of a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes DIR/<version>, a SavedModel that takes text and gives text, with configs and a README; with --format "
        "onnx DIR itself, for ONNX Runtime instead of TensorFlow."
    )
    add_run(parser)
    add_weights(parser)
    parser.add_argument("directory", metavar="DIR", help="where to; a later export becomes the next version")
    parser.add_argument("--format", choices=("savedmodel", "onnx"), default="savedmodel", help="default: %(default)s")
    parser.add_argument(
        "--web", action="store_true", help="with --format onnx: also write a page that translates in the browser"
    )
    parser.add_argument(
        "--onnxruntime-web",
        metavar="PACKAGE",
        help="for --web: the npm package of that name, unpacked; otherwise npm fetches it",
    )
    add_glossary(parser)
    add_set(parser, "a setting of search or export, such as search.precision=bfloat16")


def execute(options: argparse.Namespace) -> int:
    from nmt.api import export

    version = export(
        options.run,
        options.directory,
        weights=options.weights,
        overrides=options.overrides,
        glossary=read_glossary(options),
        format=options.format,
        web=options.web,
        onnxruntime_web=options.onnxruntime_web,
    )
    print(version)
    return 0
