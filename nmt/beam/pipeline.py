"""Runs a pipeline, by the runner and the options that the user chose. Imports no TensorFlow."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO

logging.disable(logging.WARNING)  # importing Beam warns of Google's packages, which nothing here needs
import apache_beam as beam  # noqa: E402
from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402

logging.disable(logging.NOTSET)

_DEFAULTS = (
    "--runner=DirectRunner",
    # DirectRunner would otherwise try Prism first, a program that Beam downloads. There are no triggers here.
    "--allow_unsafe_triggers",
    # Workers import what they run from nmt.
    "--no_save_main_session",
    # What a worker raises comes back as an error, too.
    "--default_sdk_harness_log_level=CRITICAL",
)
# That error tells of the worker's in its text, by most runners at the end of the worker's traceback.
_MISTAKE = re.compile(r"^ValueError: (.*) \[while running '", re.MULTILINE)

# What the direct runner says where a worker process is gone, if it does not wait for it.
_DEAD = "Channel closed prematurely"


@contextmanager
def pipeline(arguments: Sequence[str]) -> Iterator[beam.Pipeline]:
    """A pipeline to be built inside; it has run when the block ends.

    Args:
        arguments: options of Beam, as on a command line.

    Raises:
        ValueError: for options that Beam does not take, and the user's mistakes that workers found.
        ChildProcessError: if a worker of the direct runner died.
        Exception: whatever the runner raises if the pipeline fails for another reason.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    building = beam.Pipeline(options=_options(arguments))
    yield building
    try:
        building.run().wait_until_finish()
    except Exception as error:
        if mistake := _MISTAKE.search(f"{type(error).__name__}: {error}"):
            raise ValueError(mistake[1]) from None
        if _DEAD in str(error):
            raise ChildProcessError(
                "a worker process died, perhaps for want of memory, and this runner does not replace it: give the "
                "command again"
            ) from None
        raise


def _options(arguments: Sequence[str]) -> PipelineOptions:
    complaint = StringIO()
    try:
        with redirect_stderr(complaint):
            options = PipelineOptions([*_DEFAULTS, *arguments])
            options.get_all_options()  # parses them
    except SystemExit:  # argparse
        raise ValueError(f"Apache Beam: {complaint.getvalue().rpartition('error: ')[2].strip()}") from None
    return options
