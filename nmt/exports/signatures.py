"""What servers, clients and exports have to agree on beside the graph. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from nmt.config.search import SearchConfig

DEFAULT_SIGNATURE = "serving_default"
OUTPUTS = ("translation", "score", "truncated")  # of every text signature
MISSING = -1e9  # the score of an n-best place that no hypothesis fills: JSON has no -Infinity
MAX_ALIGNED_PIECES = 1000  # of a line in `align`, whose answer grows with the square of it


class TensorSpec(NamedTuple):
    """One input or output of a signature."""

    tensor: str  # its name in the graph
    dtype: str  # TensorFlow's name: "string", "float32", ...
    shape: tuple[int | None, ...] | None  # None in it = any size; None = any rank


class Signature(NamedTuple):
    """A function of the model: arrays by name in, arrays by name out."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    defaults: dict[str, np.ndarray]  # of optional inputs
    definition: Mapping[str, Any]  # as the REST API shows it: a SignatureDef message in JSON


class ServedModel(Protocol):
    """What a server runs, whatever is behind it. Strings are arrays of dtype object that hold bytes."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        timeout: float | None = None,
        lane: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs one signature; may be called from many threads at once.

        Args: signature: one of `signatures`; inputs: arrays by name; timeout: seconds, None = as long as it takes, at
            which the model stops as soon as it can; lane: the thread to run it, None = whichever are free.
        Returns: the outputs by name.
        Raises: KeyError for an unknown signature; ValueError for inputs that do not fit it.
        """
        ...

    def close(self) -> None:
        """Frees the model's memory; no `run` may be in progress."""
        ...


def best_search(search: SearchConfig) -> SearchConfig:
    """The search of a server: deterministic, one translation a line."""
    return search.model_copy(update={"n_best": 1, "sampling": False})


def n_best_search(search: SearchConfig, count: int) -> SearchConfig:
    """The search of the signature `nbest`."""
    return best_search(search).model_copy(update={"n_best": count, "beam_size": max(count, search.beam_size)})


def choose_signature(n_best: int | None, alignments: bool, glossary: bool = False) -> str:
    """The signature of an export that gives what is wanted.

    Raises:
        ValueError: where none does.
    """
    if n_best and alignments:
        raise ValueError("an export gives alignments of the best translation only: leave n_best or alignments out")
    if glossary and (n_best or alignments):
        raise ValueError("an export takes a glossary for the best translation only: leave n_best and alignments out")
    if glossary:
        return "glossary"
    return "nbest" if n_best else "align" if alignments else DEFAULT_SIGNATURE
