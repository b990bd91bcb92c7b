"""`nmt beam sample`: the pairs that train a job's tokenizers, found by any number of machines."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from nmt.cli.arguments import add_beam, add_config, needing

HELP = "choose the pairs that train a tokenizer on a runner of Apache Beam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the pairs of data.train, at most tokenizer.max_sentences sentences evenly spread over them, that train "
        "the tokenizers of a new run: trained on these alone, they are the same. All workers read the corpora and "
        "write to DIR, so these have to be in a file system that they share."
    )
    add_config(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="where to")
    add_beam(parser)


def execute(options: argparse.Namespace) -> int:
    from nmt.config.file import load_config

    with needing("nmt beam sample", "beam"):
        from nmt.beam.sample import sample
    config = load_config(options.config, options.overrides)
    corpora = sample(config, Path(options.output), options.beam)
    run = str(Path(options.output) / "run")
    train = json.dumps([corpus.model_dump(mode="json") for corpus in corpora], ensure_ascii=False)

    def job(*further: str) -> str:
        overrides = (part for override in (*options.overrides, *further) for part in ("--set", override))
        return shlex.join([options.config, *overrides])

    print(
        f"Wrote {options.output}. Train the tokenizers, then use them:\n"
        f"  nmt prepare {job(f'data.train={train}', f'run={run}')}\n"
        f"  nmt beam prepare {job(f'tokenizer.from_run={run}')}"
    )
    return 0
