"""All that a report says of one run, or of two side by side, before any of it is drawn.

A run may be in any state: what cannot be had is missing with its reason, and everything else is there.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt.config.data import TextPair
from nmt.config.settings import Config
from nmt.evaluation.evaluate import VALIDATION
from nmt.report.breakdown import FrequencyClass, LengthClass, count_words, scores_by_frequency, scores_by_length
from nmt.report.settings import Setting, changed_settings
from nmt.report.words import split_words
from nmt.runs.info import run_facts
from nmt.runs.log import Log, read_log
from nmt.runs.run import Run
from nmt.search.confidence import Bin, Calibration, reliability
from nmt.text.files import no_pairs, read_pairs, read_side
from nmt.text.metrics import SystemScore, bleu_tokenize, bootstrap, paired_bootstrap, sentence_chrf
from nmt.translation.ensemble import load_translator
from nmt.translation.translation import Translation
from nmt.translation.translator import Translator

MIN_RELIABILITY_LINES = 50  # fewer make bins of less than five lines


class System(NamedTuple):
    """A run without its test sets: what it is, how it was trained, what it translates with."""

    name: str
    config: Config
    log: Log
    facts: dict[str, str]
    calibration: Calibration | None
    translator: Translator | None
    word_counts: Counter[str] | None  # of the target side of its training data
    notes: list[str]  # what is missing, and why


class Output(NamedTuple):
    """A system's translations of a test set, and what they are worth."""

    translations: list[Translation]
    chrf: np.ndarray  # of each line, 0..100
    scores: list[SystemScore]
    by_length: list[LengthClass]
    by_frequency: list[FrequencyClass]  # [] where the training data cannot be read
    reliability: tuple[Bin, ...]  # () where the translations have no confidence, or are few


class TestSet(NamedTuple):
    """A test set with each system's output, None for a system that cannot translate."""

    name: str
    sources: list[str]
    references: list[str]
    outputs: list[Output | None]
    problem: str = ""  # why it cannot be read


class Report(NamedTuple):
    """Of one system, or of two; the first is the one that the report is of."""

    systems: list[System]
    settings: list[Setting]
    test_sets: list[TestSet]


def gather(run: Run, against: Run | None = None) -> Report:
    """Translates the run's test sets (the validation set where there is none), and scores and describes everything.

    Args: against: another run to compare with, on the same test sets.
    """
    systems = [_system(each) for each in (run, against) if each]
    sets = run.config.data.test or {VALIDATION: run.config.data.validation}
    return Report(
        systems,
        changed_settings([system.config for system in systems]),
        [_test_set(name, pair, systems) for name, pair in sets.items()],
    )


def _system(run: Run) -> System:
    log, notes = read_log(run), []
    if log.unreadable:
        notes.append(f"log.jsonl, line {', '.join(map(str, log.unreadable))}: unreadable and left out")
    try:
        calibration = run.calibration()
        if not calibration:
            notes.append(f"no confidence: it is fitted at the end of a training, or by `nmt calibrate {run.path}`")
    except ValueError as error:
        calibration = None
        notes.append(str(error))
    try:
        counts = Counter[str]()
        for corpus in run.config.data.train:
            counts += count_words(read_side(corpus, "target"), run.config.target_language)
    except ValueError as error:
        counts = None
        notes.append(f"no scores by frequency of words, as training data cannot be read: {error}")
    translator = _load_translator(run, notes)
    return System(str(run.path), run.config, log, run_facts(run, log), calibration, translator, counts, notes)


def _load_translator(run: Run, notes: list[str]) -> Translator | None:
    """With the best weights, else the last; None where there are none. Says in `notes` what is not as it should be."""
    search = run.config.search.model_copy(update={"n_best": 1})
    problems = []
    for weights in ("best", "last"):
        try:
            translator = load_translator([run], weights=weights, search=search, alignments=True)
        except ValueError as error:
            problems.append(str(error))
            continue
        if problems:
            notes.append(f"translations are by the last checkpoint, not by the best weights: {problems[0]}")
        return translator
    notes.append(f"no translations: {problems[0]}")
    return None


def _test_set(name: str, pair: TextPair, systems: Sequence[System]) -> TestSet:
    outputs: list[Output | None] = [None] * len(systems)
    try:
        pairs = list(read_pairs(pair))
    except ValueError as error:
        return TestSet(name, [], [], outputs, str(error))
    if not pairs:
        return TestSet(name, [], [], outputs, no_pairs(pair))
    sources, references = (list(side) for side in zip(*pairs, strict=True))
    translations = {}
    for system in systems:
        if system.translator:
            print(f"{system.name}: translating {name} ({len(sources):,} lines) ...", file=sys.stderr)
            translations[system.name] = system.translator.translate(sources)
    config = systems[0].config
    scores = _scores(references, translations, tokenize=bleu_tokenize(config))
    for place, system in enumerate(systems):
        if found := translations.get(system.name):
            outputs[place] = _output(system, sources, references, found, scores[system.name], config)
    return TestSet(name, sources, references, outputs)


def _scores(
    references: Sequence[str], translations: dict[str, list[Translation]], *, tokenize: str
) -> dict[str, list[SystemScore]]:
    """Each system's scores; those of the first are compared with the second's, as `nmt evaluate --against` does."""
    hypotheses = {name: [each.text for each in translated] for name, translated in translations.items()}
    if len(hypotheses) == 1:
        ((name, lines),) = hypotheses.items()
        return {name: bootstrap(references, name, lines, tokenize=tokenize)}
    table = paired_bootstrap(references, dict(reversed(hypotheses.items())), tokenize=tokenize) if hypotheses else []
    return {name: [entry for entry in table if entry.system == name] for name in hypotheses}


def _output(
    system: System,
    sources: Sequence[str],
    references: Sequence[str],
    translations: list[Translation],
    scores: list[SystemScore],
    config: Config,
) -> Output:
    """Args: config: of the run that is reported on, whose languages and tokenization count for both."""
    hypotheses = [translation.text for translation in translations]
    chrf = sentence_chrf(hypotheses, references)
    lengths = [len(split_words(line, config.source_language)) for line in sources]
    wanted, written = (
        [split_words(line, config.target_language) for line in side] for side in (references, hypotheses)
    )
    confidence = [translation.confidence for translation in translations if translation.confidence is not None]
    enough = len(confidence) == len(translations) >= MIN_RELIABILITY_LINES
    return Output(
        translations,
        chrf,
        scores,
        scores_by_length(lengths, references, hypotheses, tokenize=bleu_tokenize(config)),
        scores_by_frequency(wanted, written, system.word_counts) if system.word_counts is not None else [],
        reliability(np.array(confidence), chrf / 100) if enough else (),
    )
