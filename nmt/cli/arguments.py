"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nmt.text.glossary import Glossary


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


def add_glossary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--glossary",
        metavar="FILE",
        help="terms and the translations they are to have, term TAB translation in each line; instead of the run's own",
    )
    parser.add_argument(
        "--glossary-ignore-case", action="store_true", help='"Term" and "TERM" are that glossary\'s term "term"'
    )


def read_glossary(options: argparse.Namespace) -> Glossary | str | None:
    """What `--glossary` names, to be handed to the Python API; None where the command line has none.

    Raises:
        ValueError: for a file that is no glossary, and where only --glossary-ignore-case was given.
    """
    from nmt.text.glossary import Glossary

    if not options.glossary_ignore_case:
        return options.glossary
    if options.glossary is None:
        raise ValueError("--glossary-ignore-case is of the file that --glossary names, and there is none")
    return Glossary.read(options.glossary, ignore_case=True)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} came, a whole number >= 1 was expected")
    return int(text)


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} came, a whole number >= 0 was expected")
    return int(text)


def hyphenated(arguments: Sequence[str]) -> list[str]:
    """Arguments whose options are spelled with - for _, as tensorflow_model_server spells options; what follows `--`
    stays as it is."""
    own = arguments.index("--") if "--" in arguments else len(arguments)
    return [_hyphenated(argument) for argument in arguments[:own]] + list(arguments[own:])


def _hyphenated(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def add_beam(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "beam",
        nargs="*",
        metavar="-- OPTION",
        help="options of Apache Beam, such as --runner=FlinkRunner (default: Beam's runner in this process)",
    )


@contextmanager
def needing(command: str, extra: str) -> Iterator[None]:
    """Says which extra has a package that is imported inside and is not installed.

    Raises:
        ValueError: where one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{command} needs {error.name}, which is not installed: pip install 'recurrent-nmt[{extra}]'"
        ) from None
