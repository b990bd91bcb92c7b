"""The command line: runs one command, a file of this room, and turns errors into messages.

A command imports what does its work inside `execute`, so that `nmt --help` and a mistyped option answer at once, and
TensorFlow, which takes seconds, after all that can be found wrong without it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from nmt.cli import (
    augment,
    beam_clean,
    beam_prepare,
    beam_sample,
    beam_translate,
    calibrate,
    check,
    clean,
    config,
    evaluate,
    export,
    gateway,
    info,
    init,
    prepare,
    report,
    score,
    serve,
    train,
    translate,
)
from nmt.cli.arguments import hyphenated
from nmt.full_disk import is_no_room

DESCRIPTION = "Neural machine translation with LSTMs: train from one YAML file, translate, serve."


class Command(Protocol):
    """What the file of a command defines: its line of help, its arguments, its work."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def execute(self, options: argparse.Namespace, /) -> int:
        """Returns: the exit code."""


COMMANDS: Mapping[str, Command] = {
    "init": init,
    "config": config,
    "check": check,
    "clean": clean,
    "prepare": prepare,
    "train": train,
    "translate": translate,
    "score": score,
    "evaluate": evaluate,
    "calibrate": calibrate,
    "augment": augment,
    "info": info,
    "report": report,
    "export": export,
    "serve": serve,
    "gateway": gateway,
    "beam clean": beam_clean,
    "beam prepare": beam_prepare,
    "beam sample": beam_sample,
    "beam translate": beam_translate,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code is 0, 1 where a check found errors, 2 for a user's mistake."""
    _open_stderr()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name, arguments = named(arguments)
    if not name:
        parser = _main_parser()
        parser.parse_args(arguments)
        parser.print_help()
        return 2
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"nmt {name}", description=command.HELP)
    command.add_arguments(parser)
    options = parser.parse_intermixed_args(hyphenated(arguments))
    if sys.stdout is None:  # what is opened next would take its place and be written over
        print("nmt: error: stdout is closed: redirect it to a file, or to /dev/null", file=sys.stderr)
        return 2
    try:
        code = command.execute(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:  # TensorFlow's poller may complain while it is torn down, GRPC_VERBOSITY or not
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if os.environ.get("NMT_DEBUG"):
            raise
        print(f"nmt: error: {_message(error)}", file=sys.stderr)
        _drop_output()
        return 2


def named(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command of one word or two that arguments begin with, "" for none, and the rest."""
    for words in (2, 1):
        if (name := " ".join(arguments[:words])) in COMMANDS:
            return name, list(arguments[words:])
    return "", list(arguments)


def _open_stderr() -> None:
    """Where it is closed (`2>&-`), nobody wants its messages; but a file opened later must not get them."""
    if sys.stderr is None:
        null = os.open(os.devnull, os.O_WRONLY)
        if null != 2:
            os.dup2(null, 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  (open as long as the process)


def _drop_output() -> None:
    """Drops what stdout holds back where it cannot be written, for Python would complain of that at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main_parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<14} {command.HELP}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="nmt",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"commands:\n{commands}\n\n`nmt COMMAND --help` tells more. NMT_DEBUG=1 shows where an error came from.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        from nmt.version import version

        print(f"nmt {version()}")
        parser.exit()


def _message(error: ValueError | OSError | ModuleNotFoundError) -> str:
    if isinstance(error, ModuleNotFoundError):  # as where only what ONNX exports take is installed
        return f"this takes the package {(error.name or '').partition('.')[0]}, which is not installed"
    if isinstance(error, OSError) and error.strerror:
        name = error.filename or ("stdout" if is_no_room(error) else None)
        return f"{name}: {error.strerror}" if name else error.strerror
    return str(error) or type(error).__name__
