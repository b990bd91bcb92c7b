"""What `nmt augment` is asked for -> the passes over a text that this takes. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from nmt.config.file import load_config
from nmt.config.resuming import config_path, is_run
from nmt.config.settings import Config
from nmt.text.files import read_pairs
from nmt.text.lines import read_lines
from nmt.text.tokenizer import Tokenizers

Direction = Literal["back", "forward"]


@dataclass(frozen=True)
class Request:
    """What is to be made.

    Attributes:
        job: a run, which the pairs are to train on, or a config, whose training is to begin with them.
        output: the directory of what is made.
        back: who translates text in the job's target language into its source language: each item once for itself,
            the runs of an item together as an ensemble. An export or a server's URL is an item of its own.
        forward: likewise from the source into the target language.
        target_text, source_text: files to translate back and forward, plain or compressed, one text; none = that side
            of the job's own corpora.
        tag: of the pairs that were translated back, which tells them from those of people (Caswell et al. 2019).
        min_confidence: least confidence of a translation, 0..1; None = all are taken.
        overrides: settings of search, SECTION.KEY=VALUE, for all who translate.
    """

    job: str
    output: str
    back: Sequence[Sequence[str]] = ()
    forward: Sequence[Sequence[str]] = ()
    target_text: Sequence[str] = ()
    source_text: Sequence[str] = ()
    tag: str | None = None
    min_confidence: float | None = None
    overrides: Sequence[str] = ()


class Pass(NamedTuple):
    """One text, translated by one model or ensemble."""

    name: str  # of the files that are made
    direction: Direction
    models: tuple[str, ...]
    text: str  # what is translated, in words
    lines: Callable[[], Iterator[str]]


def read_job(job: str) -> Config:
    """The settings of a run or of a config file. Raises: ValueError where it is neither."""
    return load_config(config_path(job) if is_run(job) else job)


def passes(request: Request, config: Config) -> list[Pass]:
    """All that has to be translated.

    Raises:
        ValueError: for a request that makes nothing, or with a run that translates between other languages.
    """
    if not request.back and not request.forward:
        raise ValueError("nothing to make: name who translates with --back RUN, --forward RUN or both")
    if request.tag and not request.back:
        raise ValueError("--tag marks what --back RUN makes, and no such run is given")
    if request.tag and is_run(request.job):
        Tokenizers.load(Path(request.job) / "tokenizer").source.tag_ids(request.tag)  # the vocabulary stays
    for files, models, option in (
        (request.target_text, request.back, "--target-text is translated by --back RUN"),
        (request.source_text, request.forward, "--source-text is translated by --forward RUN"),
    ):
        if files and not models:
            raise ValueError(f"{option}, and no such run is given")
    languages = (config.source_language, config.target_language)
    for models in request.back:
        _check_languages(models, languages[::-1])
    for models in request.forward:
        _check_languages(models, languages)
    back = _text(request.target_text, config, side=1)
    forward = _text(request.source_text, config, side=0)
    return [
        *(Pass(f"back-{n}", "back", tuple(models), *back) for n, models in enumerate(request.back, start=1)),
        *(
            Pass(f"forward-{n}", "forward", tuple(models), *forward)
            for n, models in enumerate(request.forward, start=1)
        ),
    ]


def _check_languages(models: Sequence[str], languages: tuple[str, str]) -> None:
    for model in filter(is_run, models):
        config = load_config(config_path(model))
        if (config.source_language, config.target_language) != languages:
            raise ValueError(
                f"{model} translates from {config.source_language} to {config.target_language}; a run from "
                f"{languages[0]} to {languages[1]} is needed here"
            )


def _text(files: Sequence[str], config: Config, *, side: int) -> tuple[str, Callable[[], Iterator[str]]]:
    """What a text is, and its lines, to be read as often as wanted."""
    if files:
        return ", ".join(files), lambda: chain.from_iterable(map(read_lines, files))
    corpora = config.data.train
    what = f"the {('source', 'target')[side]} side of data.train"
    return what, lambda: (pair[side] for corpus in corpora for pair in read_pairs(corpus))


def held_out_lines(config: Config) -> set[str]:
    """Both sides of the validation and test sets: training must not see them in synthetic pairs either."""
    pairs = [config.data.validation, *config.data.test.values()]
    return {line.strip() for pair in pairs for both in read_pairs(pair) for line in both}


def config_file(request: Request) -> Path:
    """Where the config of the next training is written."""
    return Path(request.output) / "config.yaml"
