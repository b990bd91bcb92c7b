"""Opens one version of a model to be served, whatever wrote it. Imports TensorFlow only for a SavedModel."""

from __future__ import annotations

from pathlib import Path

from nmt.exports.signatures import ServedModel
from nmt.startup import import_tensorflow


def open_model(version: Path, *, lanes: int) -> ServedModel:
    """Args: lanes: how many calls are to run side by side, each on one core; 0 = every call uses all cores.
    Raises: ValueError where there is no model, or one that does not load.
    """
    import_tensorflow()
    from nmt.exports.saved_model import SavedModel

    return SavedModel(version, lanes=lanes)
