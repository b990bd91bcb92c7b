"""Opens one version of a model to be served, whatever wrote it. Imports TensorFlow only for a SavedModel."""

from __future__ import annotations

from pathlib import Path

from nmt.exports.signatures import ServedModel
from nmt.onnx_engine.files import is_onnx_export
from nmt.startup import import_tensorflow


def open_model(version: Path, *, lanes: int) -> ServedModel:
    """Args: lanes: how many calls are to run side by side, each on one core; 0 = every call uses all cores.
    Raises: ValueError where there is no model, or one that does not load.
    """
    if is_onnx_export(version):
        return _open_onnx(version)
    import_tensorflow()
    from nmt.exports.saved_model import SavedModel

    return SavedModel(version, lanes=lanes)


def _open_onnx(directory: Path) -> ServedModel:
    from nmt.onnx_engine.open_onnx import onnx_translator, open_onnx
    from nmt.serving.translator_model import TranslatorModel

    model, run = open_onnx(directory)
    translator = onnx_translator(model, run)
    translator.translate(["."])  # fails here, if it does
    return TranslatorModel(translator, run.config.export, ignore_case=run.config.glossary_ignore_case)
