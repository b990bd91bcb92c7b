"""The run of a job, made or taken up: what comes before training itself, and before preparing its data.

Imports no TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

from nmt.config.resuming import is_begun, is_run
from nmt.config.settings import Config
from nmt.corpus.habits import measure_habits
from nmt.corpus.quick_check import quick_check, tokenizers_from
from nmt.data.preparer import known_files
from nmt.runs.corpora import changed_corpora, record_corpora
from nmt.runs.run import Run, prepared_path
from nmt.text.known_files import take_over
from nmt.text.tokenizer import Tokenizers, train_tokenizers
from nmt.training.messages import say


def open_run(config: Config) -> Run:
    """The job's run; made if it is new, with its tokenizers.

    Raises:
        ValueError: for files or settings that cannot be trained on, and a run of another job.
    """
    take_over(known_files(prepared_path(Path(config.run))))
    report = quick_check(config)
    if report.errors:
        raise ValueError(report.refusal())
    if report.warnings:
        say(str(report))
    if is_begun(config.run):
        return _resume(config)
    return _made(config) or _create(config)


def _made(config: Config) -> Run | None:
    """The run of this very job that has not been trained yet, but whose data may be prepared."""
    if not (is_run(config.run) and (Path(config.run) / "corpora.json").is_file()):
        return None
    run = Run.open(config.run)
    complete = run.habits() is not None
    return run if complete and run.config == config and not changed_corpora(config.run, config) else None


def _create(config: Config) -> Run:
    run = Run.create(config, _tokenizers(config))
    for side, tokenizer in run.tokenizers._asdict().items():
        if tokenizer.vocabulary_size < config.tokenizer.vocabulary_size and not tokenizers_from(config):
            say(
                f"The {side} vocabulary has {tokenizer.vocabulary_size:,} pieces, not the "
                f"{config.tokenizer.vocabulary_size:,} of tokenizer.vocabulary_size: the text has no more."
            )
    record_corpora(run.path, config)
    run.save_habits(measure_habits(config))
    return run


def _resume(config: Config) -> Run:
    for change in changed_corpora(config.run, config):
        say(f"Warning: {change}; what follows is trained on other text than what came before")
    return Run.resume(config)


def _tokenizers(config: Config) -> Tokenizers:
    other = tokenizers_from(config)
    return Run.open(other).tokenizers if other else train_tokenizers(config)
