"""Finds what is wrong or suspicious in a job's files before hours are spent on training: `nmt check`.

Each corpus is read once (twice with counting its lines).
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nmt.config.file import load_config
from nmt.config.resuming import check_changes, config_path, is_begun
from nmt.config.settings import Config
from nmt.corpus.findings import Finding, Report
from nmt.corpus.quick_check import corpora, quick_check, tokenizers_from
from nmt.corpus.scan import Scan
from nmt.corpus.statistics import PAIR_CHECKS, length_outliers, similarity, suspicious_blocks
from nmt.text.files import count_pairs
from nmt.text.tokenizer import Tokenizers, train_tokenizers

# Enough to tell whether the settings work; the tokenizer of the run itself uses tokenizer.max_sentences.
_TOKENIZER_SENTENCES = 100_000
_MOST_NAMED = 5


def check(config: Config) -> Report:
    """Everything that can be known about a job before training. Changes nothing.

    Uses the tokenizers of the job's run, where there is one, or of the run it takes them from, else some trained for
    this on part of the text.
    """
    report = quick_check(config)
    if is_begun(config.run):
        try:
            check_changes(config.run, load_config(config_path(config.run)), config)
        except ValueError as error:
            report.errors.append(Finding(str(error)))
    if report.errors:
        return report
    tokenizers = _settled_tokenizers(config, report) or _trial_tokenizers(config, report)
    scans = [Scan(name, pair) for name, pair in corpora(config)]
    training, held_out = scans[: len(config.data.train)], scans[len(config.data.train) :]
    for scan in scans:
        scan.read(config, tokenizers)
        _report_pairs(scan, report)
        _check_alignment(scan, report)
        _check_duplicates(scan, report)
        _check_scripts(scan, report)
        _check_invisible(scan, report)
    if tokenizers and not any(scan.usable for scan in training):
        text = f"data.train: no pair to train on: all have an empty side or over {config.data.max_length} pieces"
        report.errors.append(Finding(f"{text} (data.max_length)"))
    for scan in scans:
        _check_languages(scan, held_out[0], report)
    for scan in held_out:
        _check_overlap(scan, training, "the training data", report)
    for scan in held_out[1:]:
        _check_overlap(scan, held_out[:1], "the validation data", report)
    return report


def _settled_tokenizers(config: Config, report: Report) -> Tokenizers | None:
    """Those of the job's run, or of the run that it takes them from; None where there is neither."""
    run = config.run if is_begun(config.run) else tokenizers_from(config)
    if run is None:
        return None
    try:
        return Tokenizers.load(Path(run) / "tokenizer")
    except ValueError as error:
        report.errors.append(Finding(str(error)))
        return None


def _trial_tokenizers(config: Config, report: Report) -> Tokenizers | None:
    settings = config.tokenizer
    sentences = min(settings.max_sentences, _TOKENIZER_SENTENCES)
    # A part of the text may have fewer pieces than all that the run will see.
    whole = sentences == settings.max_sentences or 2 * sum(map(count_pairs, config.data.train)) <= sentences
    trial = settings.model_copy(update={"max_sentences": sentences, "hard_vocabulary_limit": False})
    try:
        tokenizers = train_tokenizers(config.model_copy(update={"tokenizer": trial}))
    except ValueError as error:
        report.errors.append(Finding(str(error)))
        return None
    for side, tokenizer in tokenizers._asdict().items():
        if tokenizer.vocabulary_size < settings.vocabulary_size:
            text = (
                f"tokenizer.vocabulary_size: {settings.vocabulary_size:,}, but {side} text (of at most {sentences:,} "
                f"lines) has only {tokenizer.vocabulary_size:,} different pieces"
            )
            (report.errors if settings.hard_vocabulary_limit and whole else report.warnings).append(Finding(text))
    return tokenizers


def _report_pairs(scan: Scan, report: Report) -> None:
    for finding, (severity, _, _) in zip(scan.of_pairs, PAIR_CHECKS, strict=True):
        if finding.count:
            getattr(report, severity).append(finding)
    report.warnings += [finding for finding in (scan.empty, scan.too_long, scan.unknown) if finding.count]
    characters = f"{sum(scan.source_lengths):,.0f} and {sum(scan.target_lengths):,.0f} characters"
    pieces = f", {scan.pieces[0]:,} and {scan.pieces[1]:,} pieces" if scan.pieces[0] else ""
    report.notes.append(Finding(f"{scan.name}: {len(scan):,} pairs, {characters}{pieces}"))


def _check_alignment(scan: Scan, report: Report) -> None:
    outliers = length_outliers(scan.source_lengths, scan.target_lengths)
    if len(outliers):
        report.warnings.append(scan.finding("pairs of extreme length ratio (are they translations?)", outliers))
    for start, stop, shift in suspicious_blocks(scan.source_lengths, scan.target_lengths):
        lines = f"{scan.name}: lines {start + 1:,} to {stop:,} of {scan.pair.name}"
        if shift:
            text = f"{lines} look shifted: source line n fits target line n{shift:+d}"
        else:
            text = f"{lines} do not look like translations of each other (their lengths have nothing in common)"
        report.warnings.append(Finding(text))


def _check_duplicates(scan: Scan, report: Report) -> None:
    again = _repeated(np.asarray(scan.pair_hashes))
    if len(again):
        severity = report.warnings if len(again) > len(scan) / 10 else report.notes
        severity.append(scan.finding("pairs that came before", again))
    other = np.setdiff1d(_repeated(np.asarray(scan.source_hashes)), again)
    if len(other):
        report.notes.append(scan.finding("sources that came before with another target", other))


def _repeated(hashes: np.ndarray) -> np.ndarray:
    """Indices of all but the first of each value, in order."""
    _, first = np.unique(hashes, return_index=True)
    return np.setdiff1d(np.arange(len(hashes)), first)


def _check_scripts(scan: Scan, report: Report) -> None:
    for side, scripts in zip(("source", "target"), scan.scripts, strict=True):
        most = max(scripts.values(), key=lambda finding: finding.count, default=None)
        for name, finding in scripts.items():
            if most is not None and finding is not most:
                text = f"lines in {name} letters in {scan.name}.{side}, most are {most.text}: another language?"
                report.warnings.append(replace(finding, text=text))


def _check_invisible(scan: Scan, report: Report) -> None:
    effects = ("they are removed", "control characters are removed, others are written as they are")
    sides = zip(("source", "target"), effects, scan.invisible, scan.invisible_characters, strict=True)
    for side, effect, finding, characters in sides:
        if finding.count:
            names = ", ".join(f"{count:,} x {_named(each)}" for each, count in characters.most_common(_MOST_NAMED))
            more = ", ..." if len(characters) > _MOST_NAMED else ""
            text = f"lines with invisible characters in {scan.name}.{side} ({names}{more}; {effect})"
            report.warnings.append(replace(finding, text=text))


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"


def _check_languages(scan: Scan, validation: Scan, report: Report) -> None:
    source, target = scan.profiles
    if similarity(source, target) > 0.95:
        report.warnings.append(Finding(f"{scan.name}: source and target look like the same language"))
    expected_source, expected_target = validation.profiles
    straight = similarity(source, expected_source) + similarity(target, expected_target)
    crossed = similarity(source, expected_target) + similarity(target, expected_source)
    if crossed > straight + 0.1:
        text = f"{scan.name}: source and target look exchanged, compared with data.validation"
        report.warnings.append(Finding(f"{text} ({scan.pair.name})"))


def _check_overlap(scan: Scan, others: Sequence[Scan], where: str, report: Report) -> None:
    def shared(mine: array[int], theirs: Sequence[array[int]]) -> np.ndarray:
        return np.flatnonzero(np.isin(np.asarray(mine), np.concatenate([np.asarray(hashes) for hashes in theirs])))

    pairs = shared(scan.pair_hashes, [other.pair_hashes for other in others])
    if len(pairs):
        report.warnings.append(scan.finding(f"pairs of {where} (scores will be too good)", pairs))
    sources = np.setdiff1d(shared(scan.source_hashes, [other.source_hashes for other in others]), pairs)
    if len(sources):
        report.notes.append(scan.finding(f"sources of {where} with another target", sources))
