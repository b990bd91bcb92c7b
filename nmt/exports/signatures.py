"""What servers, clients and exports have to agree on beside the graph. Imports no TensorFlow."""

from __future__ import annotations

DEFAULT_SIGNATURE = "serving_default"
OUTPUTS = ("translation", "score", "truncated")  # of every text signature
MISSING = -1e9  # the score of an n-best place that no hypothesis fills: JSON has no -Infinity


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
