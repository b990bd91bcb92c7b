"""What a search has written: each step's tokens, and which hypotheses they continue. Sequences are read off at the end.

So no step copies what was written before it.
"""

from __future__ import annotations

import numpy as np

from nmt.text.tokenizer import EOS, PAD

Rows = np.ndarray | slice  # of the first batch


class History:
    """Of a batch's `size` slots, for at most `max_time` steps; attention weights where a source_time is given."""

    def __init__(self, batch: int, size: int, max_time: int, source_time: int | None) -> None:
        self._tokens = np.empty([max_time, batch, size], np.int32)
        self._slots = np.empty([max_time, batch, size], np.int32)
        self._weights = None if source_time is None else np.empty([max_time, batch, size, source_time], np.float32)

    def write(
        self, time: int | slice, rows: Rows, tokens: np.ndarray, slots: np.ndarray, weights: np.ndarray | None
    ) -> None:
        """Writes a step's tokens int32 [batch, size], each after what is in the slot `slots` int [batch, size] so far.
        Of several steps, all have one axis more, in front.

        Args: weights float32 [batch, slots before, source_time], what the step read.
        """
        self._tokens[time, rows, : tokens.shape[-1]] = tokens
        self._slots[time, rows, : tokens.shape[-1]] = slots
        if self._weights is not None:
            assert weights is not None
            self._weights[time, rows, : weights.shape[-2]] = weights

    def read(self, lengths: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The sequences that end in EOS after `lengths` tokens, written by the step that read the slots `slots`.

        Args: both int [batch, n]; a length of 0 = there is none.
        Returns: tokens int32 [batch, n, time]; weights float32 [batch, n, time, source_time], or None.
        """
        batch, n = lengths.shape
        time, size = int(lengths.max(initial=1)), self._tokens.shape[2]
        start = np.arange(batch)[:, np.newaxis] * size
        tokens = np.empty([time, batch, n], np.int32)
        readers = np.empty([time, batch, n], np.intp)
        ends = lengths - 1
        for step in range(time - 1, -1, -1):
            place = start + slots
            tokens[step] = self._tokens[step].take(place)
            slots = np.where(step < ends, self._slots[step].take(place), slots)
            readers[step] = slots
        steps = np.arange(time)[:, np.newaxis, np.newaxis]
        tokens = np.where(steps < ends, tokens, np.where(steps == ends, EOS, PAD)).astype(np.int32)
        weights = None
        if self._weights is not None:
            row = np.arange(batch)[np.newaxis, :, np.newaxis]
            read = self._weights[steps, row, readers]  # [time, batch, n, source_time]
            weights = np.where((steps <= ends)[..., np.newaxis], read, np.float32(0.0)).transpose(1, 2, 0, 3)
        return tokens.transpose(1, 2, 0), weights
