"""Translates with an export in this process, without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nmt.exports.endpoint import Endpoint
from nmt.exports.saved_model import SavedModel
from nmt.exports.signatures import choose_signature


def open_export(version: Path, *, n_best: int | None = None, alignments: bool = False) -> Endpoint:
    """Opens one version of a text endpoint.

    Args: n_best, alignments: as Endpoint.
    Raises: ValueError where it takes no text, or as SavedModel and Endpoint.
    """
    signature = choose_signature(n_best, alignments)
    model = SavedModel(version, warm_up=False)  # of its signatures only one is used here
    if signature not in model.signatures or "text" not in model.signatures[signature].inputs:
        model.close()
        raise ValueError(f"{version} takes no text; the text endpoint of an export is the directory above ids/")

    def predict(signature: str, lines: list[bytes]) -> dict[str, np.ndarray]:
        return model.run(signature, {"text": np.array(lines, dtype=object)})

    return Endpoint(predict, name="an export", n_best=n_best, alignments=alignments, close=model.close)
