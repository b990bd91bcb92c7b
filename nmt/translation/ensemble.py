"""The translator of a run, or of several as an ensemble, as the runs' own settings say."""

from __future__ import annotations

from collections.abc import Sequence

from nmt.config.search import SearchConfig
from nmt.model.precision import choose_precision
from nmt.runs.run import Run
from nmt.text.glossary import Glossary
from nmt.translation.model_engine import ModelEngine
from nmt.translation.run_translator import run_translator
from nmt.translation.translator import Translator


def check_ensemble(runs: Sequence[Run]) -> None:
    """Raises ValueError for runs that cannot translate together: they must cut text into the same pieces."""
    first, *others = runs
    for run in others:
        if [each.model for each in run.tokenizers] != [each.model for each in first.tokenizers]:
            raise ValueError(f"{run.path} and {first.path} have different tokenizers: they cannot be one ensemble")
        if run.protection.kinds != first.protection.kinds:
            raise ValueError(f"{run.path} and {first.path} differ in `protect`: they cannot be one ensemble")


def load_translator(
    runs: Sequence[Run],
    *,
    weights: str | int = "best",
    search: SearchConfig | None = None,
    alignments: bool = False,
    glossary: Glossary | None = None,
) -> Translator:
    """Loads the models of one or more runs, and what they translate with. One run's best weights have a confidence.

    Args:
        weights: which of each run's, as in Run.load_model.
        search: how to translate; None = as the first run's config says.
        glossary: the terms that translations have; None = the first run's own.

    Raises:
        ValueError: as check_ensemble, Run.load_model and Run.translation_protection.
    """
    check_ensemble(runs)
    first = runs[0]
    search = search or first.config.search
    first.translation_protection(glossary)  # what is wrong with it is said before models are built
    precision = choose_precision(search.precision)
    models = [run.load_model(weights, precision, shortlist=search.shortlist > 0) for run in runs]
    return run_translator(
        ModelEngine(models, lexicon=first.lexicon() if search.shortlist else None),
        first,
        search,
        calibration=first.calibration(weights) if len(runs) == 1 else None,
        glossary=glossary,
        alignments=alignments,
    )
