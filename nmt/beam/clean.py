"""`nmt beam clean`: what `nmt clean` does, by any number of workers. TensorFlow is imported only where models judge.

Workers judge chunks of the corpora. Keys and places of the pairs, not their texts, travel to tell what occurred before;
what is known of each chunk then meets, and a worker reads it again to count and to write its part of the output.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsIter, AsSingleton

from nmt.beam.corpora import CHUNK_PAIRS, RANGE_BYTES, Chunk, read_corpora, scratch_directory, with_absolute_paths
from nmt.beam.first import FirstOfEachKey, rows
from nmt.beam.pipeline import pipeline
from nmt.cleaning.context import Context, context_of
from nmt.cleaning.corpora import NAMES, SAMPLE_PAIRS, Cleaned, apply_score_rule, verdicts
from nmt.cleaning.judgement import CORPUS_RULES, CorpusRule, judge
from nmt.cleaning.keys import DTYPE
from nmt.cleaning.output import open_output, open_part
from nmt.cleaning.scores import score_rules
from nmt.cleaning.tally import Place, Tally, tally
from nmt.config.settings import Config

# Pairs whose keys meet on a worker, on average. To receive and sort them takes some 800 bytes each.
_BUCKET_PAIRS = 500_000
_BLOCK_PAIRS = 5_000


def clean(
    config: Config,
    output: Path,
    arguments: Sequence[str] = (),
    *,
    chunk_pairs: int = CHUNK_PAIRS,
    range_bytes: int = RANGE_BYTES,
    bucket_pairs: int = _BUCKET_PAIRS,
) -> Cleaned:
    """Cleans the training corpora of a job, as `nmt.cleaning.corpora.clean` does.

    Args:
        output: the directory to write to, which all workers have to share with this process.
        arguments: options of Beam.
        chunk_pairs: a worker judges and writes at a time.
        range_bytes: it counts the lines of.
        bucket_pairs: whose keys meet on a worker.

    Raises:
        ValueError: for corpora that cannot be read, files that exist, options that Beam does not take.
    """
    if config.cleaning.min_lexicon:
        raise ValueError(
            "cleaning.min_lexicon learns a lexicon from whole corpora, which one machine does: clean with "
            "`--set cleaning.min_lexicon=0` here, and `nmt clean` what is left"
        )
    output = output.resolve()
    with open_output(config, output) as files, scratch_directory(output / "parts.unfinished") as scratch:
        with pipeline(arguments) as building:
            _build(building, with_absolute_paths(config), scratch, chunk_pairs, range_bytes, bucket_pairs)
        counts, context, chunks = pickle.loads((scratch / "cleaned").read_bytes())
        for corpus, number in sorted(chunks):
            files.append(corpus, _part(scratch, corpus, number))
    return Cleaned(counts, context._replace(settings=config.cleaning))


def _part(scratch: Path, corpus: int, number: int) -> list[Path]:
    return [scratch / f"{corpus}.{number}.{name}" for name in ("source", "target", "removed")]


def _build(
    building: beam.Pipeline, config: Config, scratch: Path, chunk_pairs: int, range_bytes: int, bucket_pairs: int
) -> None:
    chunks, sizes = read_corpora(building, config.data.train, scratch, chunk_pairs=chunk_pairs, range_bytes=range_bytes)
    context = (
        chunks
        | "sample" >> beam.FlatMap(_sample, AsSingleton(sizes))
        | "all of the sample" >> beam.combiners.ToList()
        | "context" >> beam.Map(_context, config)
    )
    judged = chunks | "judge" >> beam.Map(_judged, AsSingleton(context))
    buckets = sizes | "buckets" >> beam.Map(lambda each: -(-max(1, sum(each)) // bucket_pairs))
    left = judged | "keys" >> beam.Map(lambda each: each[2])
    known = [judged | "found" >> beam.Map(lambda each: (each[0].before, each[:2]))]
    for number, (rule, limit) in enumerate(_corpus_rules(config)):
        left = left | f"{rule.name} by {rule.field}" >> FirstOfEachKey(rule.field, limit, buckets=AsSingleton(buckets))
        known.append(left | f"left {number}" >> beam.FlatMap(_by_chunk, number, AsSingleton(sizes), chunk_pairs))
    written = (
        known
        | "all that is known" >> beam.Flatten()
        | "of a chunk" >> beam.GroupByKey()
        | "write" >> beam.ParDo(_Write(config, str(scratch)), AsSingleton(context))
    )
    tallies = written | "tallies" >> beam.Values() | "add up" >> beam.CombineGlobally(_sum)
    _ = (
        building
        | "end" >> beam.Create([str(scratch / "cleaned")])
        | "report" >> beam.Map(_save, AsSingleton(tallies), AsSingleton(context), AsIter(written | beam.Keys()))
    )


def _corpus_rules(config: Config) -> list[tuple[CorpusRule, int]]:
    """Those that are turned on, with their limits."""
    limits = [(rule, rule.limit(config.cleaning)) for rule in CORPUS_RULES]
    return [(rule, limit) for rule, limit in limits if limit is not None]


def _sample(chunk: Chunk, sizes: list[int]) -> Iterator[tuple[int, tuple[str, str]]]:
    return chunk.sample(total=sum(sizes), keep=SAMPLE_PAIRS)


def _context(sample: list[tuple[int, tuple[str, str]]], config: Config) -> Context:
    return context_of(config, [pair for _, pair in sorted(sample)])


def _blocks(chunk: Chunk) -> Iterator[list[tuple[Place, tuple[str, str]]]]:
    pairs = chunk.read()
    while block := list(islice(pairs, _BLOCK_PAIRS)):
        yield block


def _judged(chunk: Chunk, context: Context) -> tuple[Chunk, np.ndarray, np.ndarray]:
    """The chunk, the number in NAMES of the rule that each pair breaks by itself, and rows of those that break none."""
    rules, keys = [], []
    for block in _blocks(chunk):
        judged = judge((pair for _, pair in block), context)
        rules += [NAMES.index(each.rule) for each in judged]
        keys.append(np.array([each.keys for each in judged], DTYPE))
    found = np.array(rules, np.uint8)
    kept = np.flatnonzero(found == 0)
    return chunk, found, rows(chunk.before + kept, np.concatenate(keys)[kept])


def _by_chunk(
    left: np.ndarray, number: int, sizes: list[int], chunk_pairs: int
) -> Iterator[tuple[int, tuple[int, np.ndarray]]]:
    """(pairs before a chunk, (number of a rule, places in the chunk that it leaves))."""
    places = np.sort(left["place"]).astype(np.int64)
    before = np.cumsum([0, *sizes])
    corpora = before[np.searchsorted(before, places, side="right") - 1]
    chunks, first = np.unique(corpora + (places - corpora) // chunk_pairs * chunk_pairs, return_index=True)
    for chunk, part in zip(chunks.tolist(), np.split(places, first[1:]), strict=True):
        yield chunk, (number, part - chunk)


class _Write(beam.DoFn):
    """(pairs before, all that is known of a chunk) -> ((corpus, number of the chunk), tally); writes its part."""

    def __init__(self, config: Config, scratch: str) -> None:
        super().__init__()
        self._config, self._scratch = config, scratch

    def setup(self) -> None:
        self._score_rules = score_rules(self._config)

    def process(self, element: tuple[int, Iterable[Any]], context: Context) -> Iterator[tuple[tuple[int, int], Tally]]:
        chunk, rules = self._combined(element[1])
        for rule in self._score_rules:
            apply_score_rule(rule, _blocks(chunk), context, rules)
        counts, done = Tally(), 0
        with open_part(chunk.corpus, _part(Path(self._scratch), chunk.corpus, chunk.number)) as files:
            for block in _blocks(chunk):
                found = verdicts(block, [NAMES[number] for number in rules[done : done + len(block)]], context)
                done += len(block)
                counts += tally(found)
                files.write(found)
        yield (chunk.corpus, chunk.number), counts

    def _combined(self, known: Iterable[Any]) -> tuple[Chunk, np.ndarray]:
        """The chunk, and the number in NAMES of the rule that removes each pair."""
        on = _corpus_rules(self._config)
        left: list[list[np.ndarray]] = [[] for _ in on]
        for first, second in known:
            if isinstance(first, Chunk):
                chunk, rules = first, second.copy()
            else:
                left[first].append(second)
        for (rule, _), places in zip(on, left, strict=True):
            removed = rules == 0
            removed[np.concatenate([np.empty(0, np.int64), *places])] = False
            rules[removed] = NAMES.index(rule.name)
        return chunk, rules


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def _save(path: str, counts: Tally, context: Context, chunks: Iterable[tuple[int, int]]) -> None:
    Path(path).write_bytes(pickle.dumps((counts, context, list(chunks))))
