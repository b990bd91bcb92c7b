"""The command line: each command reads its arguments and calls the module that does the work.

Modules are imported inside the commands, so that `nmt --help` and a mistyped option answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

DESCRIPTION = "Neural machine translation with LSTMs: train from one YAML file, translate, serve."


class Command(NamedTuple):
    """What a command is for, its options, and the function that runs it and returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code is 0, 1 where a check found errors, 2 for a user's mistake."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments or arguments[0] not in COMMANDS:
        parser = _main_parser()
        parser.parse_args(arguments)
        parser.print_help()
        return 2
    command = COMMANDS[arguments[0]]
    parser = argparse.ArgumentParser(prog=f"nmt {arguments[0]}", description=command.help)
    command.add_arguments(parser)
    options = parser.parse_intermixed_args(arguments[1:])
    try:
        code = command.run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:  # TensorFlow's poller may complain while it is torn down, GRPC_VERBOSITY or not
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        if os.environ.get("NMT_DEBUG"):
            raise
        print(f"nmt: error: {_message(error)}", file=sys.stderr)
        return 2


def _main_parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<10} {command.help}" for name, command in COMMANDS.items())
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
        from importlib.metadata import version

        print(f"nmt {version('nmt')}")
        parser.exit()


def _import_tensorflow() -> None:
    """Takes seconds: what can be found wrong without it should have been found before."""
    from nmt.startup import import_tensorflow

    import_tensorflow()


def _message(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


# ---- config, check, train -------------------------------------------------------------------------------------------


def _add_set(parser: argparse.ArgumentParser, what: str = "any setting") -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="SECTION.KEY=VALUE",
        help=f"change {what}; may be repeated (`nmt config` lists them)",
    )


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="the job's YAML file")
    _add_set(parser)


def _add_config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="print this job's settings, defaults filled in")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema, for editors that check YAML")
    _add_set(parser)


def _config(options: argparse.Namespace) -> int:
    import json

    from nmt.config.file import dump_config, load_config
    from nmt.config.schema import describe_settings, json_schema

    if options.schema:
        print(json.dumps(json_schema(), indent=2))
    elif options.config:
        print(dump_config(load_config(options.config, options.overrides)), end="")
    elif options.overrides:
        raise ValueError("--set changes the settings of a CONFIG, and none is given")
    else:
        print(describe_settings())
    return 0


def _add_init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Looks at a corpus and writes a config that suits it, each setting with its reason. Where no validation set is "
        "given, pairs are held out for one and for a test set, into files beside the config; yours stay as they are."
    )
    parser.add_argument("--source", required=True, metavar="FILE", help="source lines (plain or .gz)")
    parser.add_argument("--target", required=True, metavar="FILE", help="their translations, line by line")
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-language", metavar="CODE", help=f"such as en (default: --{side}'s name tells it)"
        )
    for part in ("validation", "test"):
        for side in ("source", "target"):
            parser.add_argument(f"--{part}-{side}", metavar="FILE", help=f"a {part} set of your own")
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="measure how fast this machine trains, and train no longer"
    )
    parser.add_argument(
        "--output",
        metavar="DIR_OR_FILE",
        help="directory for config.yaml and the sets, or the .yaml file itself (default: named by the languages)",
    )


def _init(options: argparse.Namespace) -> int:
    from nmt.corpus.initialize import Request, initialize

    print(initialize(Request(**vars(options)), steps_per_minute=_steps_per_minute))
    return 0


def _steps_per_minute(config) -> float:
    _import_tensorflow()
    from nmt.training.pace import steps_per_minute

    print(f"Measuring how fast this machine trains a model of {config.model.units} units ...", file=sys.stderr)
    return steps_per_minute(config)


def _check(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config
    from nmt.corpus.check import check

    report = check(load_config(options.config, options.overrides))
    print(report)
    return 1 if report.errors else 0


def _train(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config

    config = load_config(options.config, options.overrides)
    _import_tensorflow()
    from nmt.training.loop import Interrupted, train

    try:
        train(config)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    return 0


# ---- translate, score, evaluate -------------------------------------------------------------------------------------


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="directory of a run")
    _add_weights(parser)


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", default="best", help='"best" (the default), "last", or the step of a checkpoint')


def _add_ensemble(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ensemble", action="append", default=[], metavar="RUN", help="one more run to average with; may be repeated"
    )


def _add_translate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [options] RUN [FILE ...]\n       %(prog)s [options] --server URL [FILE ...]"
    parser.description = (
        "Translates line by line, files (plain or .gz) or stdin, to stdout: one line out for each line in. "
        "On a terminal and without FILE it asks for lines."
    )
    parser.add_argument("paths", nargs="*", metavar="RUN [FILE ...]", help="a run or an export, then the files")
    parser.add_argument("--server", metavar="URL", help="instead of RUN: http://host:8501 or grpc://host:8500[/model]")
    _add_ensemble(parser)
    _add_weights(parser)
    parser.add_argument("--output", metavar="FILE", help="write there instead of to stdout")
    parser.add_argument("--n-best", type=_positive, metavar="N", help='the N best, as "line ||| translation ||| score"')
    parser.add_argument("--scores", action="store_true", help='"score<TAB>translation"')
    parser.add_argument(
        "--alignments",
        choices=["hard", "soft"],
        help='after a tab, or in --jsonl: "0-0 2-1", the source piece that each target piece read most, or all weights',
    )
    parser.add_argument("--jsonl", action="store_true", help="one JSON object a line, with confidence and n-best list")
    parser.add_argument("--prefix-file", metavar="FILE", help="how each translation starts, line by line")
    _add_set(parser, "a setting of search, such as search.beam_size=8")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} came, a whole number >= 1 was expected")
    return int(text)


def _translate(options: argparse.Namespace) -> int:
    from nmt.cli.translate_files import translate_files

    translate_files(options)
    return 0


def _add_score_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints the log-probability of each target line given its source line; the perplexity on stderr."
    )
    _add_run(parser)
    parser.add_argument("source", metavar="SOURCE", help="file of source lines (plain or .gz)")
    parser.add_argument("target", metavar="TARGET", help="file of their translations (plain or .gz)")


def _score(options: argparse.Namespace) -> int:
    from nmt.cli.score_files import score_files
    from nmt.config.settings import TextPair
    from nmt.runs.run import Run

    score_files(Run.open(options.run), TextPair(source=options.source, target=options.target), weights=options.weights)
    return 0


def _add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Translates test sets of the run's config and scores them with BLEU, chrF and TER."
    _add_run(parser)
    _add_ensemble(parser)
    parser.add_argument(
        "--test",
        metavar="NAME",
        action="append",
        default=[],
        help='one of data.test, or "validation"; may be repeated (default: all of data.test)',
    )
    parser.add_argument("--against", metavar="RUN_OR_FILE", help="another run, or its output, to compare with")
    parser.add_argument("--json", metavar="FILE", help="write the report there, too")
    _add_set(parser, "a setting of search, such as search.beam_size=8")


def _evaluate(options: argparse.Namespace) -> int:
    from nmt.config.resuming import override_run
    from nmt.runs.run import Run

    run = Run.open(options.run)
    search = override_run(run.config, options.overrides).search
    if options.json:
        open(options.json, "a").close()  # where nothing can be written, that is known before all is translated
    _import_tensorflow()
    from nmt.evaluation.evaluate import evaluate

    report = evaluate(
        run,
        test_sets=options.test,
        options=search,
        against=options.against,
        weights=options.weights,
        ensemble=[Run.open(path) for path in options.ensemble],
    )
    print(report)
    if options.json:
        Path(options.json).write_text(report.as_json(), encoding="utf-8")
    return 0


def _add_calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Translates the validation set with the run's best weights and fits confidence on it, as the end of a training "
        "does; prints how reliable it is on lines it was not fitted on."
    )
    parser.add_argument("run", metavar="RUN", help="directory of a run")


def _calibrate(options: argparse.Namespace) -> int:
    from nmt.runs.run import Run

    run = Run.open(options.run)
    _import_tensorflow()
    from nmt.translation.calibrate import calibrate_run

    print(calibrate_run(run))
    return 0


def _add_info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="directory of a run")


def _info(options: argparse.Namespace) -> int:
    from nmt.runs.info import describe_run
    from nmt.runs.run import Run

    print(describe_run(Run.open(options.run)))
    return 0


# ---- export, serve --------------------------------------------------------------------------------------------------


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Writes DIR/<version>, a SavedModel that takes text and gives text, with configs and a README."
    _add_run(parser)
    parser.add_argument("directory", metavar="DIR", help="where to; a later export becomes the next version")
    _add_set(parser, "a setting of search or export, such as search.precision=bfloat16")


def _export(options: argparse.Namespace) -> int:
    from nmt.config.resuming import override_run
    from nmt.runs.run import Run

    run = Run.open(options.run)
    config = override_run(run.config, options.overrides, sections=("search", "export"))
    _import_tensorflow()
    from nmt.export.writer import export

    print(export(run, options.directory, weights=options.weights, config=config))
    return 0


def _add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serves an export over TensorFlow Serving's REST and gRPC API, without Docker."
    parser.add_argument("directory", nargs="?", metavar="DIR", help="what `nmt export` wrote")
    parser.add_argument(
        "--host", default="127.0.0.1", help="interface to listen on, 0.0.0.0 = all (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=8500, help="of gRPC, 0 = any free one (default: %(default)s)")
    parser.add_argument("--rest-api-port", type=int, default=8501, help="of REST (default: %(default)s)")
    parser.add_argument("--model-name", metavar="NAME", help="(default: the export's own, export.name)")
    parser.add_argument("--model-config-file", metavar="FILE", help="serve this model_config_list instead of DIR")


def _serve(options: argparse.Namespace) -> int:
    _import_tensorflow()
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


COMMANDS = {
    "init": Command("look at a corpus and write a config that suits it", _add_init_arguments, _init),
    "config": Command("print every setting there is, or those of one job", _add_config_arguments, _config),
    "check": Command("look for what is wrong in a job's files before training", _add_config, _check),
    "train": Command("train a job, or continue where it was stopped", _add_config, _train),
    "translate": Command("translate files, stdin or typed lines", _add_translate_arguments, _translate),
    "score": Command("tell how probable given translations are", _add_score_arguments, _score),
    "evaluate": Command("translate test sets and score them", _add_evaluate_arguments, _evaluate),
    "calibrate": Command("fit the confidence of a run's translations", _add_calibrate_arguments, _calibrate),
    "info": Command("tell what a run is and how far it came", _add_info_arguments, _info),
    "export": Command("make a SavedModel of a run", _add_export_arguments, _export),
    "serve": Command("serve exports over REST and gRPC", _add_serve_arguments, _serve),
}
