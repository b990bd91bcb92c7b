"""How much text a request may have. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nmt.serving.error import invalid_argument


class TextLimits(NamedTuple):
    """What a client may send at once; more is refused before anything is computed."""

    max_lines: int = 10_000
    max_line_bytes: int = 2**20

    def check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Checks the inputs of a request, of which those of strings (dtype object) are text.

        Raises: ServingError INVALID_ARGUMENT.
        """
        for array in inputs.values():
            if array.dtype == object:
                self.check_count(array.size)
                for number, line in enumerate(array.reshape(-1), start=1):
                    if len(line) > self.max_line_bytes:
                        raise invalid_argument(
                            f"line {number} has {len(line):,} bytes, more than the {self.max_line_bytes:,} that this "
                            "server takes: send it as several lines, or serve with a larger --max-line-bytes"
                        )

    def check_count(self, lines: int) -> None:
        """As `check`, of the number of lines alone."""
        if lines > self.max_lines:
            raise invalid_argument(
                f"{lines:,} lines in one request, more than the {self.max_lines:,} that this server takes: send "
                "several requests, or serve with a larger --max-lines"
            )


TEXT_LIMITS = TextLimits()
