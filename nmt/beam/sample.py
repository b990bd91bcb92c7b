"""`nmt beam sample`: the pairs that train the tokenizers of a job, out of corpora of any size. Imports no TensorFlow.

Which pairs these are is arithmetic, so what workers find of each chunk needs only to be joined in order.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from nmt.beam.corpora import CHUNK_PAIRS, RANGE_BYTES, Chunk, read_corpora, scratch_directory, with_absolute_paths
from nmt.beam.pipeline import pipeline
from nmt.cleaning.output import cleaned_pairs
from nmt.config.data import Corpus
from nmt.config.settings import Config
from nmt.runs.files import whole_file
from nmt.text.tokenizer import sample_size

_SIDES = ("source", "target")


def sample(
    config: Config,
    output: Path,
    arguments: Sequence[str] = (),
    *,
    chunk_pairs: int = CHUNK_PAIRS,
    range_bytes: int = RANGE_BYTES,
) -> list[Corpus]:
    """Writes the pairs that tokenizer.max_sentences lets train the tokenizers, by corpus.

    Args:
        output: a directory that all workers share with this process.
        arguments: options of Beam.
        chunk_pairs: a worker reads at a time.
        range_bytes: it counts the lines of.

    Returns: what makes the same tokenizers in place of data.train.
    Raises:
        ValueError: for corpora that cannot be read, and options that Beam does not take.
    """
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with scratch_directory(output / "parts.unfinished") as scratch:
        with pipeline(arguments) as building:
            chunks, sizes = read_corpora(
                building,
                with_absolute_paths(config).data.train,
                scratch,
                chunk_pairs=chunk_pairs,
                range_bytes=range_bytes,
            )
            _ = chunks | "write" >> beam.Map(_write, AsSingleton(sizes), scratch, sample_size(config))
        corpora = []
        for number, (pair, corpus) in enumerate(zip(cleaned_pairs(config, output), config.data.train, strict=True)):
            for side in _SIDES:
                _join(scratch, number, side, Path(pair.files[side]))
            if os.path.getsize(pair.files["source"]):
                corpora.append(Corpus.model_validate({**pair.files, "tag": corpus.tag}))
    return corpora


def _write(chunk: Chunk, sizes: list[int], scratch: Path, keep: int) -> None:
    with _part(scratch, chunk, "source") as source, _part(scratch, chunk, "target") as target:
        for _, (source_line, target_line) in chunk.sample(total=sum(sizes), keep=keep):
            source.write(f"{source_line}\n")
            target.write(f"{target_line}\n")


@contextmanager
def _part(scratch: Path, chunk: Chunk, side: str) -> Iterator[TextIO]:
    """One side of what is chosen of a chunk; two workers may write the same."""
    path = scratch / f"{chunk.corpus}.{chunk.number}.{side}"
    aside = path.with_name(f"{path.name}.{uuid4().hex}")
    with open(aside, "w", encoding="utf-8", newline="\n") as file:
        yield file
    os.replace(aside, path)


def _join(scratch: Path, corpus: int, side: str, path: Path) -> None:
    parts = sorted(scratch.glob(f"{corpus}.*.{side}"), key=lambda part: int(part.name.split(".")[1]))
    with whole_file(path) as joined:
        for part in parts:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, joined)
