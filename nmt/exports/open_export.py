"""Translates with an export in this process, without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nmt.exports.endpoint import Endpoint
from nmt.exports.saved_model import SavedModel
from nmt.exports.signatures import choose_signature
from nmt.text.glossary import Glossary


def open_export(
    version: Path, *, n_best: int | None = None, alignments: bool = False, glossary: Glossary | None = None
) -> Endpoint:
    """Opens one version of a text endpoint.

    Args: n_best, alignments, glossary: as Endpoint.
    Raises: ValueError where it takes no text or no glossary, or as SavedModel and Endpoint.
    """
    signature = choose_signature(n_best, alignments, glossary is not None)
    model = SavedModel(version, warm_up=False)  # of its signatures only one is used here
    if glossary is not None and "serving_default" in model.signatures and signature not in model.signatures:
        model.close()
        raise ValueError(
            f"{version} takes no glossary: an older version wrote it, or its run has no symbols for protected spans"
        )
    if signature not in model.signatures or "text" not in model.signatures[signature].inputs:
        model.close()
        raise ValueError(f"{version} takes no text; the text endpoint of an export is the directory above ids/")

    def predict(signature: str, lines: list[bytes], glossaries: list[bytes] | None = None) -> dict[str, np.ndarray]:
        inputs = {"text": lines} if glossaries is None else {"text": lines, "glossary": glossaries}
        return model.run(signature, {name: np.array(each, dtype=object) for name, each in inputs.items()})

    return Endpoint(
        predict, name="an export", n_best=n_best, alignments=alignments, glossary=glossary, close=model.close
    )
