"""What training says beside what its callbacks show. Imports no TensorFlow."""

from __future__ import annotations

import sys

from tqdm.auto import tqdm


def say(text: str) -> None:
    """Writes to stderr, above a progress bar if there is one."""
    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()
