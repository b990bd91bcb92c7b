"""Which pairs are the first with their keys, whatever the workers that find them. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from nmt.cleaning.keys import DTYPE, Keys
from nmt.cleaning.repeats import repeated

# A pair without its text: its number among those of all corpora, from 0, and its keys.
ROW = np.dtype([("place", np.uint64), *((field, np.uint64) for field in Keys._fields)])


def rows(places: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Args: places: [pairs]. keys: DTYPE [pairs]. Returns: ROW [pairs]."""
    found = np.empty(len(places), ROW)
    found["place"] = places
    for field in DTYPE.fields or ():
        found[field] = keys[field]
    return found


class FirstOfEachKey(beam.PTransform):
    """PCollection of ROW arrays -> those rows before whose place fewer than `limit` others have the same key.

    Rows with the same remainder of their keys meet on one worker. Before they travel, and wherever some of them meet,
    only the first `limit` of a key are kept, so a line that is repeated a billion times needs no more memory than one
    repeated `limit` times.
    """

    def __init__(self, field: str, limit: int, *, buckets: beam.pvalue.AsSingleton) -> None:
        """Args: field: of Keys. buckets: in how many parts the keys are divided."""
        super().__init__()
        self._field, self._limit, self._buckets = field, limit, buckets

    def expand(self, found: beam.PCollection) -> beam.PCollection:
        return (
            found
            | "divide" >> beam.FlatMap(_divided, self._field, self._buckets)
            | "first" >> beam.CombinePerKey(First(self._field, self._limit))
            | "rows" >> beam.Values()
        )


def _divided(found: np.ndarray, field: str, buckets: int) -> Iterator[tuple[int, np.ndarray]]:
    numbers = found[field] % np.uint64(buckets)
    for number in np.unique(numbers):
        yield int(number), found[numbers == number]


class First(beam.CombineFn):
    """The accumulator is a list of arrays, each over twice as long as the next, so that adding costs O(n log n)."""

    def __init__(self, field: str, limit: int) -> None:
        self._field, self._limit = field, limit

    def create_accumulator(self) -> list[np.ndarray]:
        return []

    def add_input(self, accumulator: list[np.ndarray], element: np.ndarray) -> list[np.ndarray]:
        while accumulator and len(accumulator[-1]) <= 2 * len(element):
            element = self._first([accumulator.pop(), element])
        return [*accumulator, element]

    def merge_accumulators(self, accumulators: Iterable[list[np.ndarray]]) -> list[np.ndarray]:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for element in accumulator:
                merged = self.add_input(merged, element)
        return merged

    def extract_output(self, accumulator: list[np.ndarray]) -> np.ndarray:
        return self._first(accumulator)

    def _first(self, parts: list[np.ndarray]) -> np.ndarray:
        found = np.concatenate(parts)
        found = found[np.argsort(found["place"])]
        return found[~repeated(found[self._field], np.ones(len(found), bool), limit=self._limit)]
