"""Runs a pipeline, by the runner and the options that the user chose. Imports no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions

# DirectRunner would first try Prism, a program that Beam downloads.
_DEFAULT_RUNNER = "FnApiRunner"
# Runners tell of what a worker raised in the text of another error, which ends in the worker's traceback.
_MISTAKE = re.compile(r"^ValueError: (.*?) \[while running '", re.MULTILINE | re.DOTALL)


@contextmanager
def pipeline(arguments: Sequence[str]) -> Iterator[beam.Pipeline]:
    """A pipeline to be built inside; it has run when the block ends.

    Args:
        arguments: options of Beam, as on a command line.

    Raises:
        ValueError: for options that Beam does not take, and the user's mistakes that workers found.
        RuntimeError: if the pipeline fails for another reason.
    """
    building = _building(arguments)
    yield building
    try:
        building.run().wait_until_finish()
    except Exception as error:
        raise _mistake(error) from error


def _building(arguments: Sequence[str]) -> beam.Pipeline:
    try:
        options = PipelineOptions(list(arguments))
        options.view_as(StandardOptions).runner = options.view_as(StandardOptions).runner or _DEFAULT_RUNNER
        # Workers import what they run; the main module of the command is not needed there.
        options.view_as(SetupOptions).save_main_session = False
        return beam.Pipeline(options=options)
    except SystemExit:  # argparse, which has told why
        raise ValueError(f"Apache Beam does not take these options: {' '.join(arguments)}") from None


def _mistake(error: Exception) -> Exception:
    """The ValueError of a worker, where `error` tells of one, without what Beam adds."""
    found = _MISTAKE.search(f"{type(error).__name__}: {error}")
    return ValueError(found[1]) if found else error
