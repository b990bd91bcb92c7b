"""Calibrates a run's confidence (search/confidence.py) on translations of its validation set."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nmt.runs.run import Run
from nmt.search.confidence import Calibration, calibrate, check_enough
from nmt.text.augmentation import concatenate
from nmt.text.files import evenly, read_pairs
from nmt.text.metrics import sentence_chrf
from nmt.translation.ensemble import load_translator

MAX_LINES = 2000  # of the validation set: more make it slower and hardly better


def calibrate_run(run: Run) -> Calibration:
    """Fits confidence for a run's best weights under its own search settings, and stores it in the run.

    Raises:
        ValueError: for files that cannot be read; TooFewLinesError for fewer validation lines than MIN_LINES.
    """
    pairs = list(read_pairs(run.config.data.validation))
    check_enough(len(pairs))
    sources, references = zip(*_lines(list(evenly(pairs, total=len(pairs), keep=MAX_LINES))), strict=True)
    # Whole lines, so that some of those of two sentences lose one.
    search = run.config.search.model_copy(update={"n_best": 1, "sampling": False, "split_sentences": "never"})
    # Features are read off attention.
    translations = load_translator([run], search=search, alignments=True).translate(sources)
    quality = sentence_chrf([translation.text for translation in translations], references) / 100
    features = [translation.features for translation in translations]
    told = [place for place, each in enumerate(features) if each]  # a line without pieces tells nothing
    calibration = calibrate(np.array([features[place] for place in told]), quality[told])
    run.save_calibration(calibration)
    return calibration


def _lines(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs, and two on a line, of which a model of single sentences may lose one: confidence must be low then."""
    pairs = [pair for pair in pairs if all(map(str.strip, pair))]
    joined = [concatenate(first, second) for first, second in pairwise(pairs)]
    repeated = [concatenate(pair, pair) for pair in pairs[::5]]
    return [*pairs, *joined, *repeated]
