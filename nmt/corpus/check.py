"""Finds what is wrong or suspicious in a job's files before hours are spent on training.

Each corpus is read once (twice with counting its lines). Memory grows by 24 bytes per pair: hashes and lengths are
kept, never lines.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from nmt.config.data import TextPair
from nmt.config.file import load_config
from nmt.config.resuming import best_path, check_changes, check_place, config_path, is_begun
from nmt.config.section import Section
from nmt.config.settings import Config
from nmt.corpus.statistics import PAIR_CHECKS, length_outliers, profile, script, similarity, suspicious_blocks
from nmt.text.files import count_pairs, read_pairs
from nmt.text.protection import Protection
from nmt.text.tokenizer import UNK, Tokenizers, train_tokenizers

_EXAMPLES = 5
_CHUNK_PAIRS = 10_000
_PROFILE_PAIRS = 2_000
# Enough to tell whether the settings work; the tokenizer of the run itself uses tokenizer.max_sentences.
_TOKENIZER_SENTENCES = 100_000
# What may differ from a run whose weights or tokenizer are taken.
_FREE = (
    *("dropout", "sampling_alpha", "from_run"),
    # These act only while weights and tokenizer are made; a preset's values are compared one by one.
    *("embedding_range", "preset", "max_sentences", "hard_vocabulary_limit"),
)


@dataclass
class Finding:
    """One finding: what it is, how often it occurs, and the first lines of the file where it does."""

    text: str
    file: str = ""
    count: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        self.count += 1
        if len(self.lines) < _EXAMPLES:
            self.lines.append(line)

    def __str__(self) -> str:
        if not self.count:
            return self.text
        more = ", ..." if self.count > len(self.lines) else ""
        return f"{self.text}: {self.count:,}\n      {self.file}:{', '.join(map(str, self.lines))}{more}"


@dataclass
class Report:
    """Errors prevent training, warnings deserve a look, notes inform. str() is a readable page."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        parts = []
        for title, findings in (("Errors", self.errors), ("Warnings", self.warnings), ("Notes", self.notes)):
            if findings:
                parts.append("\n".join([title, *(f"  - {finding}" for finding in findings)]))
        return "\n\n".join(parts) if parts else "Nothing to report."


class _Scan:
    """Reads one corpus and collects what the checks of all of it need."""

    def __init__(self, name: str, pair: TextPair) -> None:
        self.name, self.pair = name, pair
        self.source_hashes, self.pair_hashes = array("q"), array("q")
        self.source_lengths, self.target_lengths = array("f"), array("f")
        self.profiles: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self.scripts: tuple[dict[str, Finding], dict[str, Finding]] = ({}, {})
        self.of_pairs = [self.finding(text) for _, text, _ in PAIR_CHECKS]
        self.too_long = self.finding("pairs longer than data.max_length pieces")
        self.unknown = self.finding("pairs with characters that the tokenizer does not know")
        self.pieces = [0, 0]
        self.usable = 0  # pairs that can be trained on

    def __len__(self) -> int:
        return len(self.pair_hashes)

    def finding(self, text: str, indices: np.ndarray | None = None) -> Finding:
        """A finding about the pairs of this corpus with these indices."""
        found = Finding(f"{text} in {self.name}", self.pair.source)
        for index in indices if indices is not None else ():
            found.add(int(index) + 1)
        return found

    def read(self, config: Config, tokenizers: Tokenizers | None) -> None:
        pairs = read_pairs(self.pair)
        while chunk := list(islice(pairs, _CHUNK_PAIRS)):
            if not len(self):
                sources, targets = zip(*chunk[:_PROFILE_PAIRS], strict=True)
                self.profiles = (profile(sources), profile(targets))
            if tokenizers:
                self._add_pieces(chunk, config, tokenizers)
            for source, target in chunk:
                self._add(source, target)

    def _add(self, source: str, target: str) -> None:
        line_number = len(self) + 1
        for finding, (_, _, holds) in zip(self.of_pairs, PAIR_CHECKS, strict=True):
            if holds(source, target):
                finding.add(line_number)
        for scripts, line, path in zip(
            self.scripts, (source, target), (self.pair.source, self.pair.target), strict=True
        ):
            if letters := script(line):
                scripts.setdefault(letters, Finding(letters, path)).add(line_number)
        self.source_hashes.append(hash(source))
        self.pair_hashes.append(hash((source, target)))
        self.source_lengths.append(len(source))
        self.target_lengths.append(len(target))

    def _add_pieces(self, chunk: Sequence[tuple[str, str]], config: Config, tokenizers: Tokenizers) -> None:
        protection = Protection.of(config, tokenizers)
        hidden = [map(protection.join, protection.hide_common(source, target)) for source, target in chunk]
        sources, targets = (
            tokenizer.encode(lines) for tokenizer, lines in zip(tokenizers, zip(*hidden, strict=True), strict=True)
        )
        for line_number, (source, target) in enumerate(zip(sources, targets, strict=True), start=len(self) + 1):
            self.pieces[0] += len(source)
            self.pieces[1] += len(target)
            if max(len(source), len(target)) > config.data.max_length:
                self.too_long.add(line_number)
            elif source and target:
                self.usable += 1
            if UNK in source or UNK in target:
                self.unknown.add(line_number)


def quick_check(config: Config) -> Report:
    """The checks that need only one pass over the files; training runs them before it starts."""
    report = Report()
    try:
        check_place(config.run)
    except ValueError as error:
        report.errors.append(Finding(f"run: {error}"))
    for name, pair in _corpora(config):
        try:
            if count_pairs(pair) == 0:
                report.errors.append(Finding(f"{name}: {pair.source} and {pair.target} are empty"))
        except ValueError as error:
            report.errors.append(Finding(f"{name}: {error}"))
    _check_files(config, report)
    _check_start(config, report)
    return report


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
    scans = [_Scan(name, pair) for name, pair in _corpora(config)]
    training, held_out = scans[: len(config.data.train)], scans[len(config.data.train) :]
    for scan in scans:
        scan.read(config, tokenizers)
        _report_pairs(scan, report)
        _check_alignment(scan, report)
        _check_duplicates(scan, report)
        _check_scripts(scan, report)
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


def _corpora(config: Config) -> Iterator[tuple[str, TextPair]]:
    for number, corpus in enumerate(config.data.train):
        yield f"data.train[{number}]", corpus
    yield "data.validation", config.data.validation
    for name, pair in config.data.test.items():
        yield f"data.test.{name}", pair


def _check_files(config: Config, report: Report) -> None:
    """Files that are named twice, unless training text comes with several translations."""
    pairs: dict[tuple[str, str], str] = {}
    used: dict[str, tuple[str, str]] = {}
    for name, pair in _corpora(config):
        files = (os.path.realpath(pair.source), os.path.realpath(pair.target))
        if earlier := pairs.get(files):
            report.warnings.append(Finding(f"{name} is the same as {earlier}: {pair.source}, {pair.target}"))
            continue
        pairs[files] = name
        for side, file in zip(("source", "target"), files, strict=True):
            other, other_side = used.get(file, ("", ""))
            both_train = name.startswith("data.train[") and other.startswith("data.train[") and name != other
            if other and not (both_train and side == other_side):
                text = f"{name}.{side} is the same file as {other}.{other_side}: {getattr(pair, side)}"
                report.warnings.append(Finding(text))
            used[file] = name, side


def tokenizers_from(config: Config) -> str | None:
    """The other run whose tokenizers the job takes; None where it learns its own."""
    return config.training.start_from or config.tokenizer.from_run


def _check_start(config: Config, report: Report) -> None:
    """Weights fit one model only, and they and ensembles need the same pieces."""
    if is_begun(config.run):
        return
    for setting, start, sections in (
        ("training.start_from", config.training.start_from, ("model", "tokenizer")),
        ("tokenizer.from_run", config.tokenizer.from_run, ("tokenizer",)),
    ):
        if start is None:
            continue
        try:
            base = load_config(config_path(start))
        except ValueError as error:
            report.errors.append(Finding(f"{setting}: {error} (it is the directory of a run)"))
            continue
        if setting == "training.start_from" and not best_path(start).is_file():
            text = f"{setting}: {start} has no best weights yet: train it up to a validation first"
            report.errors.append(Finding(text))
        for section in sections:
            for name, wanted, value in _differing(getattr(config, section), getattr(base, section)):
                if name not in _FREE:
                    text = f"{section}.{name}: {wanted}, but {start}, which {setting} names, has {value}"
                    report.errors.append(Finding(f"{text}: set it so, or leave {setting} out"))
        if config.protect and not base.protect:
            text = f"protect: {config.protect}, but {start}, which {setting} names, has no symbols for that"
            report.errors.append(Finding(f"{text}: set protect: [], or leave {setting} out"))


def _differing(section: Section, other: Section) -> Iterator[tuple[str, object, object]]:
    """Names of settings that differ between two sections of one kind, with both values."""
    for name, value in other:
        if (wanted := getattr(section, name)) != value:
            yield name, wanted, value


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


def _report_pairs(scan: _Scan, report: Report) -> None:
    for finding, (severity, _, _) in zip(scan.of_pairs, PAIR_CHECKS, strict=True):
        if finding.count:
            getattr(report, severity).append(finding)
    report.warnings += [finding for finding in (scan.too_long, scan.unknown) if finding.count]
    characters = f"{sum(scan.source_lengths):,.0f} and {sum(scan.target_lengths):,.0f} characters"
    pieces = f", {scan.pieces[0]:,} and {scan.pieces[1]:,} pieces" if scan.pieces[0] else ""
    report.notes.append(Finding(f"{scan.name}: {len(scan):,} pairs, {characters}{pieces}"))


def _check_alignment(scan: _Scan, report: Report) -> None:
    outliers = length_outliers(scan.source_lengths, scan.target_lengths)
    if len(outliers):
        report.warnings.append(scan.finding("pairs of extreme length ratio (are they translations?)", outliers))
    for start, stop, shift in suspicious_blocks(scan.source_lengths, scan.target_lengths):
        lines = f"{scan.name}: lines {start + 1:,} to {stop:,} of {scan.pair.source} and {scan.pair.target}"
        if shift:
            text = f"{lines} look shifted: source line n fits target line n{shift:+d}"
        else:
            text = f"{lines} do not look like translations of each other (their lengths have nothing in common)"
        report.warnings.append(Finding(text))


def _check_duplicates(scan: _Scan, report: Report) -> None:
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


def _check_scripts(scan: _Scan, report: Report) -> None:
    for side, scripts in zip(("source", "target"), scan.scripts, strict=True):
        most = max(scripts.values(), key=lambda finding: finding.count, default=None)
        for name, finding in scripts.items():
            if most is not None and finding is not most:
                text = f"lines in {name} letters in {scan.name}.{side}, most are {most.text}: another language?"
                report.warnings.append(replace(finding, text=text))


def _check_languages(scan: _Scan, validation: _Scan, report: Report) -> None:
    source, target = scan.profiles
    if similarity(source, target) > 0.95:
        report.warnings.append(Finding(f"{scan.name}: source and target look like the same language"))
    expected_source, expected_target = validation.profiles
    straight = similarity(source, expected_source) + similarity(target, expected_target)
    crossed = similarity(source, expected_target) + similarity(target, expected_source)
    if crossed > straight + 0.1:
        text = f"{scan.name}: source and target look exchanged, compared with data.validation"
        report.warnings.append(Finding(f"{text} ({scan.pair.source}, {scan.pair.target})"))


def _check_overlap(scan: _Scan, others: Sequence[_Scan], where: str, report: Report) -> None:
    def shared(mine: array[int], theirs: Sequence[array[int]]) -> np.ndarray:
        return np.flatnonzero(np.isin(np.asarray(mine), np.concatenate([np.asarray(hashes) for hashes in theirs])))

    pairs = shared(scan.pair_hashes, [other.pair_hashes for other in others])
    if len(pairs):
        report.warnings.append(scan.finding(f"pairs of {where} (scores will be too good)", pairs))
    sources = np.setdiff1d(shared(scan.source_hashes, [other.source_hashes for other in others]), pairs)
    if len(sources):
        report.notes.append(scan.finding(f"sources of {where} with another target", sources))
