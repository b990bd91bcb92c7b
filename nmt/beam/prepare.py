"""`nmt beam prepare`: the data that a job's training begins with, as `nmt prepare` makes them. Imports no TensorFlow.

A worker makes a shard at a time. Where its pairs stand in the corpora is arithmetic, and the chunks of these tell where
to begin to read, so that each worker reads about what its shards hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from nmt.beam.corpora import CHUNK_PAIRS, RANGE_BYTES, Chunk, read_corpora, scratch_directory, with_absolute_paths
from nmt.beam.pipeline import pipeline
from nmt.config.settings import Config
from nmt.data.mixing import Source, count_mixed, mixed_pairs
from nmt.data.preparation import Part, Prepared, is_made, make_shard, parts
from nmt.runs.run import tokenizer_path
from nmt.text.tokenizer import Tokenizers
from nmt.training.prepare import prepare as prepare_job


def prepare(
    config: Config,
    arguments: Sequence[str] = (),
    *,
    chunk_pairs: int = CHUNK_PAIRS,
    range_bytes: int = RANGE_BYTES,
) -> Prepared:
    """Prepares what `nmt.training.prepare.prepare` prepares; what that does before, such as training the tokenizer of a
    new run, is done in this process.

    Args:
        arguments: options of Beam.
        chunk_pairs: whose first line is found by counting; from there to its first pair a worker reads.
        range_bytes: a worker counts the lines of.

    Raises:
        ValueError: as there, and for options that Beam does not take.
    """

    def make_shards(directory: Path, epoch: int) -> None:
        directory = directory.resolve()
        with scratch_directory(directory / "unpacked") as scratch, pipeline(arguments) as building:
            chunks = read_corpora(
                building,
                with_absolute_paths(config).data.train,
                scratch,
                chunk_pairs=chunk_pairs,
                range_bytes=range_bytes,
            ).chunks
            _build(building, config, chunks, directory, epoch)

    return prepare_job(config, make_shards=make_shards)


def _build(
    building: beam.Pipeline, config: Config, chunks: beam.PCollection[Chunk], directory: Path, epoch: int
) -> None:
    corpora = chunks | "all chunks" >> beam.combiners.ToList() | "by corpus" >> beam.Map(_by_corpus, config)
    _ = (
        corpora
        | "shards" >> beam.FlatMap(_parts, config)
        | "spread shards" >> beam.Reshuffle()
        | "make shards" >> beam.ParDo(_Make(config, directory, epoch), AsSingleton(corpora))
    )


def _by_corpus(chunks: Sequence[Chunk], config: Config) -> list[list[Chunk]]:
    ordered = sorted(chunks, key=lambda chunk: (chunk.corpus, chunk.number))
    return [[chunk for chunk in ordered if chunk.corpus == corpus] for corpus in range(len(config.data.train))]


def _parts(corpora: list[list[Chunk]], config: Config) -> Iterator[Part]:
    return parts(config, count_mixed(config, list(map(_source, corpora))))


class _Make(beam.DoFn):
    """Makes a shard, unless an earlier try, here or elsewhere, has made it."""

    def __init__(self, config: Config, directory: Path, epoch: int) -> None:
        self._config, self._directory, self._epoch = config, directory, epoch
        self._tokenizers_path = tokenizer_path(config.run).resolve()

    def setup(self) -> None:
        self._tokenizers = Tokenizers.load(self._tokenizers_path)

    def process(self, part: Part, corpora: list[list[Chunk]]) -> None:
        if is_made(self._directory, part):
            return
        sources = list(map(_source, corpora))
        pairs = mixed_pairs(self._config, self._epoch, first=part.first, sources=sources)
        make_shard(self._directory, part, pairs, self._config, self._tokenizers, epoch=self._epoch)


def _source(chunks: Sequence[Chunk]) -> Source:
    """A corpus read by its chunks."""
    return Source(sum(chunk.pairs for chunk in chunks), partial(_read, chunks))


def _read(chunks: Sequence[Chunk], first: int) -> Iterator[tuple[str, str]]:
    number = first // chunks[0].pairs
    above = first - (chunks[number].line - 1)
    pairs = chain.from_iterable(chunk.read() for chunk in chunks[number:])
    return (pair for _, pair in islice(pairs, above, None))
