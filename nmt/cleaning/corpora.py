"""`nmt clean`: reads the training corpora twice, in chunks. TensorFlow is imported only where models judge.

The first reading judges each pair by itself and notes its keys on disk; sorted, they tell what occurred before. The
second counts, and writes. Memory: 3 bytes a pair, and some 300 MB whatever the number of pairs; on disk, for the
time of cleaning, 32 bytes a pair.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from nmt.cleaning.context import Context, context_of, edited
from nmt.cleaning.judgement import CORPUS_RULES, MEANINGS, judge
from nmt.cleaning.keys import DTYPE
from nmt.cleaning.output import open_output
from nmt.cleaning.repeats import StoredKeys, repeated
from nmt.cleaning.scores import ScoreRule, score_rules
from nmt.cleaning.tally import Place, Tally, Verdict, tally
from nmt.config.settings import Config
from nmt.text.files import count_pairs, evenly, read_pairs

_CHUNK_PAIRS = 5_000
SAMPLE_PAIRS = 50_000
NAMES = ("", *MEANINGS)
Chunk = list[tuple[Place, tuple[str, str]]]


class Cleaned(NamedTuple):
    """What cleaning found, and by which context."""

    tally: Tally
    context: Context


def clean(config: Config, output: Path | None = None, *, first: int | None = None, processes: int = 1) -> Cleaned:
    """Cleans the training corpora of a job.

    Args:
        output: the directory to write cleaned files to, and what was removed; None writes nothing.
        first: reads so many pairs of each corpus only.
        processes: judge at a time; the result is the same.

    Raises:
        ValueError: for corpora that cannot be read, and files that exist.
    """
    context = context_of(config, list(_sample(config, first)))
    with open_output(config, output) if output else nullcontext() as files:
        rules = _rules(config, context, first, processes)
        counts, done = Tally(), 0
        for chunk in _chunks(config, first):
            found = verdicts(chunk, [NAMES[number] for number in rules[done : done + len(chunk)]], context)
            done += len(chunk)
            counts += tally(found)
            if files:
                files.write(found)
    return Cleaned(counts, context)


def _sample(config: Config, first: int | None) -> Iterator[tuple[str, str]]:
    """Pairs spread evenly over the corpora."""
    return evenly((pair for _, pair in _pairs(config, first)), total=_total(config, first), keep=SAMPLE_PAIRS)


def _total(config: Config, first: int | None) -> int:
    sizes = [count_pairs(corpus) for corpus in config.data.train]
    return sum(size if first is None else min(size, first) for size in sizes)


def _pairs(config: Config, first: int | None) -> Iterator[tuple[Place, tuple[str, str]]]:
    for number, corpus in enumerate(config.data.train):
        for line, pair in enumerate(islice(read_pairs(corpus), first), start=1):
            yield Place(number, line), pair


def _chunks(config: Config, first: int | None) -> Iterator[Chunk]:
    pairs = _pairs(config, first)
    while chunk := list(islice(pairs, _CHUNK_PAIRS)):
        yield chunk


def _rules(config: Config, context: Context, first: int | None, processes: int) -> np.ndarray:
    """The number in NAMES of the rule that removes each pair, 0 for none: uint8 [pairs]."""
    rules = array("B")
    progress = tqdm(total=_total(config, first), desc="judging", unit=" pairs", leave=False, disable=None)
    with tempfile.TemporaryFile() as file, progress:
        texts = ([pair for _, pair in chunk] for chunk in _chunks(config, first))
        for broken, keys in _judge_all(texts, context, processes):
            rules.extend(broken)
            keys.tofile(file)
            progress.update(len(keys))
        found = np.frombuffer(rules, np.uint8)
        file.flush()
        for rule in CORPUS_RULES:
            if (limit := rule.limit(context.settings)) is not None:
                found[repeated(StoredKeys(file, rule.field), found == 0, limit=limit)] = NAMES.index(rule.name)
    for score_rule in score_rules(config):
        apply_score_rule(score_rule, _chunks(config, first), context, found)
    return found


def apply_score_rule(rule: ScoreRule, chunks: Iterable[Chunk], context: Context, found: np.ndarray) -> None:
    """Notes the pairs that break a rule among those that none has removed yet."""
    done = 0
    for chunk in chunks:
        kept = done + np.flatnonzero(found[done : done + len(chunk)] == 0)
        if len(kept):
            breaks = rule.breaks([edited(*chunk[place - done][1], context.settings) for place in kept])
            found[kept[breaks]] = NAMES.index(rule.name)
        done += len(chunk)


def _judge_all(
    chunks: Iterable[list[tuple[str, str]]], context: Context, processes: int
) -> Iterator[tuple[bytes, np.ndarray]]:
    """What `_judge` says of each chunk, in order, with a few chunks read ahead."""
    work = partial(_judge, context=context)
    if processes == 1:
        yield from map(work, chunks)
        return
    waiting: deque[Future[tuple[bytes, np.ndarray]]] = deque()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _end_with_parent() -> None:
    """Ends this process when the one that started it does: a killed one cannot tell its workers."""
    parent = parent_process()
    assert parent is not None, "a worker's"

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _judge(pairs: list[tuple[str, str]], context: Context) -> tuple[bytes, np.ndarray]:
    """The number in NAMES of the rule that each pair breaks, and its keys: what has to come back from a process."""
    judged = judge(pairs, context)
    return bytes(NAMES.index(each.rule) for each in judged), np.array([each.keys for each in judged], DTYPE)


def verdicts(chunk: Chunk, rules: Sequence[str], context: Context) -> list[Verdict]:
    """Of pairs of which it is known by which rule each is removed."""
    return [
        Verdict(place, came, edited(*came, context.settings), rule)
        for (place, came), rule in zip(chunk, rules, strict=True)
    ]
