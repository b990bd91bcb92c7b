"""The translations of a text in files of bounded size, so that work that was stopped, or killed, goes on where it was.

    manifest.json     what is translated, by whom and how; written first
    000000.jsonl      a line for each of the first 1,000 lines: translation, faults, confidence
    000001.jsonl      of the next 1,000 ...

A shard is written aside and renamed when it is complete: what has its name is never translated again. Imports no
TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from nmt.config.resuming import best_path, config_path, is_run
from nmt.exports.files import newest_version
from nmt.onnx_engine.files import is_onnx_export
from nmt.runs.files import write_text
from nmt.translation.translation import Translation

SHARD_LINES = 1000

Translate = Callable[[Sequence[str]], Sequence[Translation]]


class Made(NamedTuple):
    """A translation, as far as pairs are chosen by it."""

    text: str
    faults: tuple[str, ...]  # why it is degenerate, or "degenerate" where an engine does not say why; "truncated"
    confidence: float | None

    @classmethod
    def of(cls, translation: Translation) -> Made:
        faults = translation.faults or (("degenerate",) if translation.degenerate else ())
        if translation.truncated:
            faults = (*faults, "truncated")
        return cls(translation.n_best[0].line, faults, translation.confidence)


class TextIdentity(NamedTuple):
    """What tells one text from another."""

    lines: int
    sha256: str

    @classmethod
    def of(cls, lines: Iterable[str | bytes]) -> TextIdentity:
        number, digest = 0, hashlib.sha256()
        for line in lines:
            digest.update((line.encode() if isinstance(line, str) else line) + b"\n")
            number += 1
        return cls(number, digest.hexdigest())


class Shards:
    """The translations of one text by one model or ensemble, in a directory.

    Args:
        text: what is translated.
        origin: by whom and how, as JSON has it.
        size: lines of a shard; None = SHARD_LINES.

    Raises:
        ValueError: if the directory holds translations of another origin or text.
    """

    def __init__(
        self, directory: Path, text: TextIdentity, origin: Mapping[str, Any], *, size: int | None = None
    ) -> None:
        self.directory = directory
        self.text = text
        self.size = size or SHARD_LINES
        wanted = {"text": text._asdict(), **origin, "shard_lines": self.size}
        manifest = directory / "manifest.json"
        if manifest.is_file():
            _check_manifest(manifest, wanted)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            write_text(manifest, json.dumps(wanted, indent=2, ensure_ascii=False) + "\n")

    def __len__(self) -> int:
        return -(-self.text.lines // self.size)

    @property
    def complete(self) -> bool:
        return all(map(self.has, range(len(self))))

    def has(self, number: int) -> bool:
        return self._path(number).is_file()

    def write(self, number: int, translations: Iterable[Translation]) -> None:
        """Writes a shard; several processes may write the same one at once."""
        path = self._path(number)
        aside = path.with_name(f"{path.name}.{uuid4().hex}")
        made = map(Made.of, translations)
        write_text(aside, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in made))
        os.replace(aside, path)

    def fill(self, lines: Iterator[str], translate: Translate) -> Iterator[int]:
        """Translates what is not yet; yields the number of lines that are done after each shard that it makes."""
        done = 0
        for number in range(len(self)):
            shard = list(islice(lines, self.size))
            done += len(shard)
            if not self.has(number):
                self.write(number, translate(shard))
                yield done

    def read(self) -> Iterator[Made]:
        """All translations, in the order of the text.

        Raises:
            ValueError: if a shard is damaged; names it.
        """
        for number in range(len(self)):
            path = self._path(number)
            expected = min(self.size, self.text.lines - number * self.size)
            try:
                rows = [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
                made = [Made(str(text), tuple(faults), confidence) for text, faults, confidence in rows]
            except (ValueError, TypeError):
                made = []
            if len(made) != expected:
                raise ValueError(f"{path} is damaged: delete it, and the same command translates its lines again")
            yield from made

    def _path(self, number: int) -> Path:
        return self.directory / f"{number:06}.jsonl"


def model_identity(place: str) -> dict[str, Any]:
    """Tells one model from another, also in the same place; a server only by its address."""
    if "://" in place:
        return {"place": place}
    if is_run(place) and not is_onnx_export(place):
        files = [best_path(place), config_path(place), *sorted(Path(place, "tokenizer").iterdir())]
    else:
        files = sorted(file for file in (newest_version(place) or Path(place)).rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {"place": place, "sha256": digest.hexdigest()}


def _check_manifest(path: Path, wanted: Mapping[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as in a file
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        before = {}
    if changed := sorted(key for key in wanted.keys() | before.keys() if wanted.get(key) != before.get(key)):
        raise ValueError(
            f"{path.parent} holds translations that were made otherwise ({', '.join(changed)}: see {path.name}): take "
            f"the change back, choose another --output, or delete that directory"
        )
