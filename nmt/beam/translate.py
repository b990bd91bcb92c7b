"""`nmt beam translate`: text files of any size through a translator, on as many machines as there are.

Each file is cut into windows of lines, each of which is translated in one piece and written as a shard; the shards that
are there are not translated again, whatever ended the pipeline before. When all are, they become the output.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from nmt.api import load
from nmt.beam.pipeline import pipeline
from nmt.documents.formats import is_document
from nmt.exports.endpoint import Endpoint
from nmt.runs.files import whole_file
from nmt.synthetic.shards import Shards, TextIdentity, model_identity
from nmt.text.windows import WINDOW_LINES, Window, find_windows, read_window
from nmt.translation.translation import Translation
from nmt.translation.translator import Translator

_Model: TypeAlias = Translator | Endpoint


class Task(NamedTuple):
    """A file to translate, where to, and the shards that are written before."""

    source: str
    output: Path
    shards: Shards


class Translated(NamedTuple):
    """An output, and which of its lines, counted from 1, look wrong."""

    output: Path
    lines: int
    degenerate: list[int]
    truncated: list[int]


class _Lines(NamedTuple):
    """What is translated in one piece."""

    task: Task
    number: int  # of the shard
    lines: list[bytes]


def translate(
    where: str,
    files: Sequence[str],
    output: str,
    *,
    overrides: Sequence[str] = (),
    arguments: Sequence[str] = (),
    window_lines: int = WINDOW_LINES,
) -> list[Translated]:
    """Translates each file as `nmt translate` does, line by line, into `output`.

    Args:
        where: what `nmt.load` takes; like the files and the output it has the same absolute path on all machines.
        output: a directory, for files of the same names; of one file also the file to write.
        overrides: settings of search as `nmt.load` takes them.
        arguments: options of Beam.
        window_lines: that are translated in one piece.

    Raises:
        ValueError: for what cannot be translated, and an output that an earlier call began otherwise.
    """
    origin = {"model": model_identity(where), "search": list(overrides)}
    place = where if "://" in where else os.path.abspath(where)
    tasks = [
        _task(source, path, origin, window_lines) for source, path in zip(files, _outputs(files, output), strict=True)
    ]
    try:
        if not all(task.shards.complete for task in tasks):
            with pipeline(arguments) as building:
                _build(building, tasks, _Handler(place, overrides))
    except BaseException:
        for task in tasks:
            if not any(map(task.shards.has, range(len(task.shards)))):  # the next call may do it otherwise
                shutil.rmtree(task.shards.directory)
        raise
    return list(map(_join, tasks))


def _outputs(files: Sequence[str], output: str) -> list[Path]:
    """The file that each file becomes."""
    output = os.path.abspath(output)
    if len(files) == 1 and not os.path.isdir(output):
        return [Path(output)]
    paths = [Path(output, Path(file).name) for file in files]
    if len(set(paths)) < len(paths):
        raise ValueError(f"two of the files would become one in {output}: translate them one by one")
    if os.path.isfile(output):
        raise ValueError(f"{output} is a file: {len(files)} files need a directory to be written to")
    return paths


def _task(source: str, output: Path, origin: dict[str, Any], size: int) -> Task:
    if is_document(source):
        raise ValueError(f"{source} is no text file of lines: `nmt translate` keeps the format of such a file")
    if output.exists() and os.path.samefile(source, output):
        raise ValueError(f"{output} is to be read and to be written: choose another --output")
    identity = TextIdentity.of(line for window in find_windows(source) for line in read_window(source, window))
    shards = Shards(output.with_name(f"{output.name}.parts"), identity, origin, size=size)
    return Task(os.path.abspath(source), output, shards)


def _build(building: beam.Pipeline, tasks: list[Task], handler: _Handler) -> None:
    _ = (
        building
        | "files" >> beam.Create(tasks)
        | "windows" >> beam.FlatMap(_windows)
        | "spread" >> beam.Reshuffle()
        | "read" >> beam.FlatMap(_untranslated)
        | "translate" >> RunInference(handler)
        | "write" >> beam.MapTuple(_write)
    )


def _windows(task: Task) -> Iterator[tuple[Task, Window]]:
    return ((task, window) for window in find_windows(task.source, lines=task.shards.size))


def _untranslated(item: tuple[Task, Window]) -> Iterator[_Lines]:
    """The window's lines, unless an earlier try, here or elsewhere, has translated them."""
    task, window = item
    if not task.shards.has(window.number):
        yield _Lines(task, window.number, read_window(task.source, window))


class _Handler(ModelHandler[_Lines, tuple[_Lines, list[Translation]], _Model]):
    """One translator a process. It sorts the lines of a window by length and forms the batches itself."""

    def __init__(self, where: str, overrides: Sequence[str]) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)  # windows
        self._where, self._overrides = where, overrides

    def load_model(self) -> _Model:
        return load(self._where, overrides=self._overrides)

    def run_inference(
        self, batch: Sequence[_Lines], model: _Model, inference_args: dict[str, Any] | None = None
    ) -> Iterable[tuple[_Lines, list[Translation]]]:
        return [(window, model.translate(window.lines)) for window in batch]

    def get_num_bytes(self, batch: Sequence[_Lines]) -> int:
        return sum(len(line) for window in batch for line in window.lines)

    def get_metrics_namespace(self) -> str:
        return "nmt"


def _write(window: _Lines, translations: list[Translation]) -> None:
    window.task.shards.write(window.number, translations)


def _join(task: Task) -> Translated:
    """The shards of a file as the output, which takes its name when it is complete."""
    translated = Translated(task.output, task.shards.text.lines, [], [])
    with whole_file(task.output) as file:
        for number, made in enumerate(task.shards.read(), start=1):
            file.write(made.text.encode() + b"\n")
            if "truncated" in made.faults:
                translated.truncated.append(number)
            if any(fault != "truncated" for fault in made.faults):
                translated.degenerate.append(number)
    shutil.rmtree(task.shards.directory)
    return translated
