"""The translator that a run's settings make of an engine. Imports no TensorFlow."""

from __future__ import annotations

from typing import Any

from nmt.config.search import SearchConfig
from nmt.runs.run import Run
from nmt.search.confidence import Calibration
from nmt.text.glossary import Glossary
from nmt.translation.engine import Engine
from nmt.translation.translator import Translator


def run_translator(
    engine: Engine,
    run: Run,
    search: SearchConfig,
    *,
    calibration: Calibration | None,
    glossary: Glossary | None = None,
    **options: Any,
) -> Translator:
    """Args: search: how to translate; glossary: the terms that translations have, None = the run's own; options,
    calibration: as of Translator.
    Raises: ValueError as Run.translation_protection.
    """
    protection = run.translation_protection(glossary)
    return Translator(
        engine,
        run.tokenizers,
        search,
        protection=protection,
        calibration=calibration,
        sentences=run.sentence_splitter(search, protection),
        capitals=run.capitals(),
        **options,
    )
