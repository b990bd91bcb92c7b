"""`nmt config`: every setting there is, or those of one job."""

from __future__ import annotations

import argparse

from nmt.cli.arguments import add_set

HELP = "print every setting there is, or those of one job"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="print this job's settings, defaults filled in")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema, for editors that check YAML")
    add_set(parser)


def execute(options: argparse.Namespace) -> int:
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
