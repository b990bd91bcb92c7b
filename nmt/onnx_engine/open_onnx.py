"""Opens an ONNX export to translate with. Imports no TensorFlow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nmt.config.search import SearchConfig
from nmt.onnx_engine.engine import OnnxEngine
from nmt.runs.run import Run
from nmt.text.glossary import Glossary
from nmt.translation.run_translator import run_translator
from nmt.translation.translator import Translator

if TYPE_CHECKING:
    from nmt.onnx_engine.sessions import OnnxModel


def open_onnx(directory: str | os.PathLike[str]) -> tuple[OnnxModel, Run]:
    """The graphs of an export, and the rest of it as a run without weights; all files are checked first.

    Raises:
        ValueError: for a directory that is no export, is damaged or of another version, naming the file; where ONNX
            Runtime is not installed.
    """
    try:
        from nmt.onnx_engine.sessions import OnnxModel
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{directory} is an ONNX export, which needs {error.name}: pip install 'recurrent-nmt[onnx]'"
        ) from None
    return OnnxModel(directory), Run.open(directory)


def onnx_translator(
    model: OnnxModel,
    run: Run,
    *,
    search: SearchConfig | None = None,
    alignments: bool = False,
    glossary: Glossary | None = None,
) -> Translator:
    """Translates with what open_onnx gives, as many searches side by side as there are cores, each on one of them.

    Args:
        search: how to translate; None = as the run said when it was exported.
        alignments: whether translations have their attention.
        glossary: the terms that translations have; None = those that were exported.

    Raises:
        ValueError: for settings that an export cannot follow.
    """
    search = search or run.config.search
    engine = OnnxEngine(model, lexicon=run.lexicon() if search.shortlist and run.has_lexicon else None)
    return run_translator(
        engine,
        run,
        search,
        calibration=run.calibration(),
        glossary=glossary,
        alignments=alignments,
        threads=_cores(),
    )


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
