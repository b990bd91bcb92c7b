"""The checks of a job that need no more than counting lines; `nmt train` runs them before it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator

from nmt.config.data import OF_A_FILE, TextPair
from nmt.config.file import load_config
from nmt.config.resuming import best_path, check_place, config_path, is_begun
from nmt.config.section import Section
from nmt.config.settings import Config
from nmt.corpus.findings import Finding, Report
from nmt.text.files import count_pairs, no_pairs
from nmt.text.glossary import Glossary
from nmt.text.metrics import language_code
from nmt.text.pair_files import summarize
from nmt.text.protection import Protection

# What may differ from a run whose weights or tokenizer are taken.
_FREE = (
    *("dropout", "sampling_alpha", "from_run"),
    # These act only while weights and tokenizer are made; a preset's values are compared one by one.
    *("embedding_range", "preset", "max_sentences", "hard_vocabulary_limit"),
)


def quick_check(config: Config) -> Report:
    """The checks that need only one pass over the files; training runs them before it starts."""
    report = Report()
    try:
        check_place(config.run)
    except ValueError as error:
        report.errors.append(Finding(f"run: {error}"))
    for setting in ("source_language", "target_language"):
        if (meant := language_code(language := getattr(config, setting))) is not None:
            hint = f'"{meant}"' if meant else 'such as "de"'
            text = f'{setting}: "{language}" is no language code: write {hint}, which chooses how BLEU cuts words'
            report.warnings.append(Finding(text))
    for name, pair in corpora(config):
        try:
            if count_pairs(pair) == 0:
                report.errors.append(Finding(f"{name}: {no_pairs(pair)}"))
            elif pair.file and (summary := summarize(pair)).left_out:
                report.notes.append(Finding(f"{name}: {pair.file}: {summary}"))
        except ValueError as error:
            report.errors.append(Finding(f"{name}: {error}"))
    _check_files(config, report)
    _check_glossary(config, report)
    _check_start(config, report)
    return report


def corpora(config: Config) -> Iterator[tuple[str, TextPair]]:
    for number, corpus in enumerate(config.data.train):
        yield f"data.train[{number}]", corpus
    yield "data.validation", config.data.validation
    for name, pair in config.data.test.items():
        yield f"data.test.{name}", pair


def _check_files(config: Config, report: Report) -> None:
    """Files that are named twice, unless training text comes with several translations."""
    pairs: dict[tuple[str | None, ...], str] = {}
    used: dict[str, tuple[str, str]] = {}
    for name, pair in corpora(config):
        files = {setting: os.path.realpath(path) for setting, path in pair.files.items()}
        identity = (*files.values(), *(getattr(pair, setting) for setting in OF_A_FILE))
        if earlier := pairs.get(identity):
            report.warnings.append(Finding(f"{name} is the same as {earlier}: {', '.join(pair.files.values())}"))
            continue
        pairs[identity] = name
        for side, file in files.items():
            other, other_side = used.get(file, ("", ""))
            both_train = name.startswith("data.train[") and other.startswith("data.train[") and name != other
            if other and not (both_train and side == other_side):
                text = f"{name}.{side} is the same file as {other}.{other_side}: {getattr(pair, side)}"
                report.warnings.append(Finding(text))
            used[file] = name, side


def _check_glossary(config: Config, report: Report) -> None:
    if config.glossary is None:
        return
    try:
        Protection(config.protect, Glossary.read(config.glossary, ignore_case=config.glossary_ignore_case))
    except ValueError as error:
        report.errors.append(Finding(f"glossary: {error}"))


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
