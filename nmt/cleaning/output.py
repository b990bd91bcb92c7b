"""The files of a cleaned corpus: complete or not there at all. Imports no TensorFlow."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from nmt.cleaning.tally import Verdict
from nmt.config.data import TextPair
from nmt.config.settings import Config
from nmt.full_disk import naming

_REMOVED = "removed.jsonl"
_COPIED_CHARACTERS = 1 << 20


class Output:
    """Open files of a cleaned corpus: both sides of what is left of each, by its number, and what was removed."""

    def __init__(self, sides: Mapping[int, tuple[TextIO, TextIO]], removed: TextIO) -> None:
        self._sides, self._removed = sides, removed

    def write(self, verdicts: Sequence[Verdict]) -> None:
        kept: dict[int, tuple[list[str], list[str]]] = {number: ([], []) for number in self._sides}
        removed = []
        for place, _, (source, target), rule in verdicts:
            if not rule:
                for lines, line in zip(kept[place.corpus], (source, target), strict=True):
                    lines.append(line.replace("\n", " ").replace("\r", " ") + "\n")
            else:
                fields = {"corpus": place.corpus, "line": place.line, "rule": rule, "source": source, "target": target}
                removed.append(json.dumps(fields, ensure_ascii=False) + "\n")
        for number, sides in kept.items():
            for file, lines in zip(self._sides[number], sides, strict=True):
                _write(file, lines)
        _write(self._removed, removed)

    def append(self, corpus: int, part: Sequence[Path]) -> None:
        """Copies what another Output wrote of a part of one corpus: both sides and what was removed."""
        for file, path in zip((*self._sides[corpus], self._removed), part, strict=True):
            with naming(file.name), open(path, encoding="utf-8", newline="\n") as content:
                shutil.copyfileobj(content, file, _COPIED_CHARACTERS)


def _write(file: TextIO, lines: list[str]) -> None:
    with naming(file.name):
        file.writelines(lines)


def cleaned_pairs(config: Config, directory: Path) -> list[TextPair]:
    """The files of each training corpus, by the languages: train.en; train.1.en where there are several."""
    endings = (config.source_language, config.target_language)
    if endings[0] == endings[1]:
        endings = (f"source.{endings[0]}", f"target.{endings[1]}")
    numbers = [f".{number}" for number in range(len(config.data.train))] if len(config.data.train) > 1 else [""]
    names = [[str(directory / f"train{number}.{ending}") for ending in endings] for number in numbers]
    return [TextPair(source=source, target=target) for source, target in names]


@contextmanager
def open_output(config: Config, directory: Path) -> Iterator[Output]:
    """The files to write, under other names until all is written; after a failure none is left.

    Raises:
        ValueError: if one of the files exists.
    """
    paths = [path for pair in cleaned_pairs(config, directory) for path in pair.files.values()]
    paths.append(str(directory / _REMOVED))
    for path in paths:
        if os.path.lexists(path):
            raise ValueError(f"{path} is there already, and nothing is overwritten: choose another place with --output")
    directory.mkdir(parents=True, exist_ok=True)
    with _aside(paths, ".unfinished") as (*sides, removed):
        yield Output(dict(enumerate(zip(sides[::2], sides[1::2], strict=True))), removed)


@contextmanager
def open_part(corpus: int, part: Sequence[Path]) -> Iterator[Output]:
    """The files of a part of one corpus: both sides and what was removed. They replace those of another attempt."""
    with _aside(list(map(str, part)), f".{uuid4().hex}") as (source, target, removed):
        yield Output({corpus: (source, target)}, removed)


@contextmanager
def _aside(paths: Sequence[str], suffix: str) -> Iterator[list[TextIO]]:
    """Files that get their names when all is written; after a failure none is left."""
    with ExitStack() as stack:
        files = []
        for path in paths:
            stack.callback(Path(f"{path}{suffix}").unlink, missing_ok=True)
            files.append(stack.enter_context(_open(f"{path}{suffix}")))
        yield files
        for file, path in zip(files, paths, strict=True):
            with naming(path):
                file.close()
                os.replace(file.name, path)


def _open(path: str) -> TextIO:
    with naming(path):
        return open(path, "w", encoding="utf-8", newline="\n")
