"""`nmt clean`: the training corpora of a job without what is not worth training on."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.arguments import add_config, needing, positive
from nmt.cli.output_file import output_file

if TYPE_CHECKING:
    from nmt.cleaning.corpora import Cleaned
    from nmt.config.settings import Config

HELP = "remove what is not worth training on from a job's corpora"

_PREVIEW_PAIRS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the corpora of data.train without pairs that break a rule of section cleaning, what was removed with "
        "the rule and the line, and a report as HTML and JSON. The corpora themselves stay as they are."
    )
    add_config(parser)
    add_output(parser)
    parser.add_argument(
        "--preview",
        nargs="?",
        type=positive,
        const=_PREVIEW_PAIRS,
        metavar="PAIRS",
        help=f"only tell what would be removed of the first pairs of each corpus ({_PREVIEW_PAIRS:,} by default)",
    )
    parser.add_argument(
        "--processes", type=positive, default=os.cpu_count() or 1, help="judge at a time (default: one a core)"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="DIR", help="where to (default: a directory beside CONFIG)")


def execute(options: argparse.Namespace) -> int:
    with needing("nmt clean", "clean"):
        from nmt.cleaning.corpora import clean
        from nmt.cleaning.page import as_page  # noqa: F401  (before hours of work that end without a report)
        from nmt.cleaning.summary import as_text
        from nmt.config.file import load_config
    config = load_config(options.config, options.overrides)
    if options.preview:
        print(as_text(clean(config, first=options.preview), examples=True))
        return 0
    output = output_directory(options)
    report(options.config, config, output, clean(config, output, processes=options.processes))
    return 0


def output_directory(options: argparse.Namespace) -> Path:
    path = Path(options.config)
    return Path(options.output) if options.output else path.with_name(f"{path.stem}.cleaned")


def report(job: str, config: Config, output: Path, cleaned: Cleaned) -> None:
    """Writes what a cleaning did as HTML and JSON, and prints it, with the command that trains on the result.

    Args: job: the YAML file.
    """
    from nmt.cleaning.output import cleaned_pairs
    from nmt.cleaning.page import as_page
    from nmt.cleaning.summary import as_json, as_text

    for name, text in (("report.html", as_page(Path(job).stem, cleaned)), ("report.json", as_json(config, cleaned))):
        with output_file(output / name) as file:
            file.write(text.encode())
    print(as_text(cleaned))
    corpora = [
        {**pair.files, "weight": corpus.weight}
        for pair, corpus in zip(cleaned_pairs(config, output), config.data.train, strict=True)
    ]
    setting = shlex.quote(f"data.train={json.dumps(corpora, ensure_ascii=False)}")
    print(f"\nWrote {output}. See {output / 'report.html'}, then\n  nmt train {shlex.quote(job)} --set {setting}")
