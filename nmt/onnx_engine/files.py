"""The directory of an ONNX export: its manifest, and how it is opened safely.

    manifest.json        what it is, and size and SHA-256 of each file below
    encoder.onnx         source ids -> what a search starts from
    step.onnx            a step of the decoder
    search.onnx          steps of a beam search, until a hypothesis may end
    shortlist_*.onnx     the same with some columns of the output layer, and how to get these
    weights.bin          the weights of all graphs
    abbreviations.txt    in which no sentence ends
    config.yaml, tokenizer/, confidence.json, habits.json, lexicon.npz, glossary.tsv   as in a run: runs/run.py
    README.md            not in the manifest: a file to read and to change

A directory that has a manifest.json is an ONNX export; it can be moved or copied anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FORMAT_VERSION = 3
MANIFEST = "manifest.json"
GRAPHS = ("encoder", "step", "search", "shortlist_step", "shortlist_search", "shortlist_columns")  # NAME.onnx each
WEIGHTS = "weights.bin"

Precision: TypeAlias = Literal["float32", "int8"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Strict):
    """What a file was when it was exported."""

    size: int = Field(ge=0)  # bytes
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(_Strict):
    """What an export says of itself."""

    format: Literal["nmt-onnx"] = "nmt-onnx"
    format_version: int = FORMAT_VERSION
    precision: Precision
    vocabulary: int = Field(gt=0)  # of the target
    first_ids: int = Field(gt=0)  # so many tokens stand apart: see layout.py
    files: dict[str, FileEntry]


def is_onnx_export(directory: str | os.PathLike[str]) -> bool:
    """Whether a directory says that it is an ONNX export, of whichever version, intact or not."""
    return (Path(directory) / MANIFEST).is_file()


def write_manifest(directory: Path, *, precision: Precision, vocabulary: int, first_ids: int) -> None:
    """Describes all files that are in a directory now."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    files = {path.relative_to(directory).as_posix(): _entry(path) for path in paths}
    manifest = Manifest(precision=precision, vocabulary=vocabulary, first_ids=first_ids, files=files)
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """Reads the manifest, and checks that all files are as it says.

    Raises:
        ValueError: if there is none, if it is of another version, or if a file is missing or differs; names the file.
    """
    directory = Path(directory)
    path = directory / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read, so this is no ONNX export: {error.strerror}") from None
    manifest = _parse(path, content)
    for name, entry in manifest.files.items():
        _check(directory, name, entry)
    for needed in (*(f"{graph}.onnx" for graph in GRAPHS), WEIGHTS):
        if needed not in manifest.files:
            raise ValueError(f"{path} is damaged: it does not name {needed}; export again")
    return manifest


def _parse(path: Path, content: bytes) -> Manifest:
    try:
        version = json.loads(content)["format_version"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged: it is no manifest of an ONNX export; export again") from None
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path}: an ONNX export of format version {version}; this nmt reads version {FORMAT_VERSION}: export "
            "again with this nmt, or install the one that exported it"
        )
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path} is damaged: {where}: {first['msg']}; export again") from None


def _check(directory: Path, name: str, expected: FileEntry) -> None:
    path = directory / name
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name or ":" in name:
        raise ValueError(f"{directory / MANIFEST} is damaged: {name} is no file of this directory; export again")
    if not path.is_file():
        raise ValueError(f"{path} is missing, which is part of this ONNX export; copy it again or export again")
    if (size := path.stat().st_size) != expected.size:
        raise ValueError(f"{path} is damaged: it has {size:,} bytes instead of {expected.size:,}; export again")
    if _entry(path) != expected:
        raise ValueError(f"{path} is damaged: its SHA-256 is not the manifest's; export again")


def _entry(path: Path) -> FileEntry:
    with open(path, "rb") as file:
        return FileEntry(size=os.fstat(file.fileno()).st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
