"""Arguments that several commands take."""

from __future__ import annotations

import argparse


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="the job's YAML file")
    add_set(parser)


def add_set(parser: argparse.ArgumentParser, what: str = "any setting") -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="SECTION.KEY=VALUE",
        help=f"change {what}; may be repeated (`nmt config` lists them)",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="directory of a run")


def add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="best", help='"best" (the default), "last", or the step of a checkpoint')


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ensemble", action="append", default=[], metavar="RUN", help="one more run to average with; may be repeated"
    )


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} came, a whole number >= 1 was expected")
    return int(text)


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} came, a whole number >= 0 was expected")
    return int(text)


def hyphenated(argument: str) -> str:
    """An argument whose option, if it is one, is spelled with - for _, as tensorflow_model_server spells options."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument
