"""`nmt translate`: lines from files, a pipe or a prompt, through a run, an export or a server, and out.

Imports TensorFlow only where something is to be run on it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nmt.cli.arguments import add_ensemble, add_glossary, add_set, add_weights, positive, read_glossary
from nmt.cli.input import count_lines, open_input, typed_lines, windows
from nmt.cli.output_file import output_file
from nmt.text.opening import open_bytes

if TYPE_CHECKING:
    from nmt.exports.endpoint import Endpoint
    from nmt.translation.translator import Translator

_SHOWN_NUMBERS = 10

HELP = "translate files, stdin or typed lines"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [options] RUN [FILE ...]\n       %(prog)s [options] --server URL [FILE ...]"
    parser.description = (
        "Translates line by line, files (plain or compressed) or stdin, to stdout: one line out for each line in. "
        "On a terminal and without FILE it asks for lines."
    )
    parser.add_argument("paths", nargs="*", metavar="RUN [FILE ...]", help="a run or an export, then the files")
    parser.add_argument("--server", metavar="URL", help="instead of RUN: http://host:8501 or grpc://host:8500[/model]")
    add_ensemble(parser)
    add_weights(parser)
    parser.add_argument("--output", metavar="FILE", help="write there instead of to stdout")
    parser.add_argument("--n-best", type=positive, metavar="N", help='the N best, as "line ||| translation ||| score"')
    parser.add_argument("--scores", action="store_true", help='"score<TAB>translation"')
    parser.add_argument(
        "--alignments",
        choices=["hard", "soft", "html"],
        help='after a tab, or in --jsonl: "0-0 2-1", the source piece that each target piece read most, or all '
        "weights; html = a page with a heat map for each line",
    )
    parser.add_argument("--jsonl", action="store_true", help="one JSON object a line, with confidence and n-best list")
    parser.add_argument("--prefix-file", metavar="FILE", help="how each translation starts, line by line")
    add_glossary(parser)
    documents = parser.add_argument_group(
        "files in formats (PO, XLIFF, TMX, .ts, .properties, Android and JSON resources, subtitles, HTML, Markdown, "
        "DOCX, ODT)"
    )
    documents.add_argument(
        "--retranslate", choices=["unfinished", "all"], help="also what is translated: only fuzzy, unfinished; or all"
    )
    documents.add_argument("--finished", action="store_true", help="mark translations as finished, not for review")
    for side in ("source", "target"):
        documents.add_argument(f"--{side}-language", metavar="CODE", help="of TMX and XLIFF (default: the run's)")
    add_set(parser, "a setting of search, such as search.beam_size=8")


def execute(options: argparse.Namespace) -> int:
    """Translates as the options of `nmt translate` say; memory stays flat, whatever the files' length.

    Raises:
        ValueError: for options that do not go together, and what is no run, export or server.
    """
    from nmt.cli.output import OutputFormat, beginning, ending, render
    from nmt.documents.formats import is_document

    paths = list(options.paths)
    if not options.server and not paths:
        raise ValueError("a run, an export or --server is needed to translate with; see `nmt translate --help`")
    run = None if options.server else paths.pop(0)
    if options.server and paths and os.path.isdir(paths[0]):
        raise ValueError(f"{paths[0]} is a directory: with --server only files are given, for the server has the model")
    if options.jsonl and options.alignments == "html":
        raise ValueError("--alignments html writes a page and --jsonl writes JSON: leave one of them out")
    if any(map(is_document, paths)):
        return _translate_document(options, run, paths)
    output_format = OutputFormat(options.n_best is not None, options.scores, options.alignments, options.jsonl)
    with ExitStack() as stack:
        # Opened first, for loading a model takes seconds.
        inputs = [stack.enter_context(open_input(path)) for path in paths or ["-"]]
        _check_output(options.output, inputs, options.prefix_file)
        prefixes = _prefixes(stack, options.prefix_file)
        translator = _load(options, run)
        stack.enter_context(translator)
        if prefixes is not None:
            translator.translate([], [])  # an error about prefixes comes before anything is translated
        output = stack.enter_context(output_file(options.output)) if options.output else sys.stdout.buffer
        output.write(beginning(output_format).encode())
        number = 0
        degenerate: list[int] = []
        for lines in _windows(inputs, paths, stack):
            starts = None if prefixes is None else list(islice(prefixes, len(lines)))
            if starts is not None and len(starts) < len(lines):
                raise ValueError(
                    f"{options.prefix_file}: {number + len(starts):,} lines, fewer than there are to translate"
                )
            for source, translation in zip(lines, translator.translate(lines, starts), strict=True):
                text = render(translation, source=source, number=number, output_format=output_format)
                output.write(text.encode("utf-8", "replace") + b"\n")
                number += 1
                if translation.degenerate:
                    degenerate.append(number)
                if translation.truncated:
                    print(truncated_line(number), file=sys.stderr)
            output.flush()
        output.write(ending(output_format).encode())
        if prefixes is not None and next(prefixes, None) is not None:
            raise ValueError(f"{options.prefix_file}: more lines than the {number:,} that were to translate")
    if degenerate:
        print(degenerate_lines(degenerate, number), file=sys.stderr)
    return 0


def _translate_document(options: argparse.Namespace, run: str | None, paths: list[str]) -> int:
    """Translates one file whose format is kept."""
    from nmt.documents.file import Settings
    from nmt.documents.formats import translate_document

    if len(paths) > 1:
        raise ValueError(f"{len(paths)} files: those of other formats than plain text are translated one at a time")
    lines_only = {"--n-best": options.n_best, "--scores": options.scores, "--alignments": options.alignments}
    lines_only |= {"--jsonl": options.jsonl, "--prefix-file": options.prefix_file}
    if given := [name for name, value in lines_only.items() if value]:
        raise ValueError(f"{given[0]} is for lines, and {paths[0]} keeps its format: leave it out, or give it as stdin")
    with open_bytes(paths[0]) as file:
        _check_output(options.output, [file], None)
    source_language, target_language = _languages(options, run)
    settings = Settings(options.retranslate or "none", options.finished, source_language, target_language)
    with _load(options, run) as translator:
        done = translate_document(paths[0], translator.translate, settings)
    if options.output:
        with output_file(options.output) as output:
            output.write(done.content)
    else:
        sys.stdout.buffer.write(done.content)
    alone = ", ".join(f"{count:,} {reason}" for reason, count in done.left_alone.most_common())
    print(f"translated {done.translated:,} lines" + (f"; left alone: {alone}" if alone else ""), file=sys.stderr)
    if done.degenerate:
        print(f"{done.degenerate:,} of them look degenerate: look for them in the file", file=sys.stderr)
    return 0


def _languages(options: argparse.Namespace, run: str | None) -> tuple[str | None, str | None]:
    """As given, or those of the run."""
    from nmt.config.file import load_config
    from nmt.config.resuming import config_path, is_run

    config = load_config(config_path(run)) if run is not None and is_run(run) else None
    given = (options.source_language, options.target_language)
    known = (config.source_language, config.target_language) if config else (None, None)
    return given[0] or known[0], given[1] or known[1]


def degenerate_lines(numbers: list[int], lines: int) -> str:
    """What the guard has flagged, in words."""
    some = ", ".join(map(str, numbers[:_SHOWN_NUMBERS])) + (", ..." if len(numbers) > _SHOWN_NUMBERS else "")
    return (
        f"{len(numbers):,} of {lines:,} translations look degenerate (they repeat themselves, are far too short or too "
        f"long, or leave much of their line out): line {some}"
    )


def truncated_line(number: int) -> str:
    """What the endpoint did not translate, in words."""
    return f"line {number}: too long for the endpoint, its end is not translated"


def _load(options: argparse.Namespace, run: str | None) -> Translator | Endpoint:
    """What RUN or --server names."""
    from nmt.api import load
    from nmt.client.address import read_url
    from nmt.onnx_engine.files import is_onnx_export

    if run is not None and any(Path(run).glob("*/saved_model.pb")):
        print(f"loading {run}, which takes seconds", file=sys.stderr, flush=True)
    if options.server:
        read_url(options.server)
        if options.ensemble:
            raise ValueError("--ensemble averages runs: leave it or --server out")
    translator = load(
        options.server if run is None else [run, *options.ensemble],
        weights=options.weights,
        overrides=options.overrides,
        n_best=options.n_best,
        alignments=options.alignments is not None,
        glossary=read_glossary(options),
    )
    if options.jsonl and run and getattr(translator, "calibration", True) is None:
        calibrated = "RUN` and another export" if is_onnx_export(run) else f"{run}`"
        print(f"no confidence: it is that of a run's best weights, after `nmt calibrate {calibrated}", file=sys.stderr)
    return translator


def _windows(inputs: list[BinaryIO], paths: list[str], stack: ExitStack) -> Iterator[list[bytes]]:
    """The lines to translate, some at a time."""
    if not paths and sys.stdin.isatty():
        yield from typed_lines()
    elif paths and sys.stderr.isatty():
        from tqdm.auto import tqdm

        # What is counted is read, and a pipe can be read only once.
        total = sum(map(count_lines, paths)) if all(map(os.path.isfile, paths)) else None
        bar = stack.enter_context(tqdm(total=total, unit=" lines", dynamic_ncols=True))
        for file in inputs:
            for lines in windows(file):
                yield lines
                bar.update(len(lines))
    else:
        for file in inputs:
            yield from windows(file)


def _prefixes(stack: ExitStack, path: str | None) -> Iterator[str] | None:
    if path is None:
        return None
    from nmt.text.lines import read_lines

    return read_lines(path)


def _check_output(path: str | None, inputs: Iterable[BinaryIO], prefix_file: str | None) -> None:
    """Raises ValueError where --output is a file that is to be read, by whatever name or through a redirection."""
    if path is None or not os.path.isfile(path):
        return
    read = [os.fstat(file.fileno()) for file in inputs]
    if prefix_file and os.path.exists(prefix_file):
        read.append(os.stat(prefix_file))
    if any(os.path.samestat(each, os.stat(path)) for each in read):
        raise ValueError(f"{path} is to be read and to be written: choose another --output")
