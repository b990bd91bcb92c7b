"""Chooses which pairs of a corpus to hold out from training, for validation and testing.

A held-out pair measures nothing if training has seen its source or its target. So only pairs are taken of which neither
side occurs a second time in the corpus, ignoring case, punctuation and spaces. A hash of their text selects among
these: the same corpus gives the same pairs, spread evenly over it, and a corpus of any size is read line by line.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TextIO

from nmt.config.data import TextPair
from nmt.full_disk import naming
from nmt.text.files import count_pairs, read_pairs

# Candidates per pair that is needed: some of them occur twice.
_CANDIDATES = 4
# A longer side is rarely one sentence; a pair with a higher length ratio is rarely a translation.
_LONGEST, _LONGEST_RATIO = 1_000, 4.0
_NO_LETTERS = re.compile(r"[\W_]+")
# What `comparable` makes of ASCII, None for nothing: five times as fast as the search.
_ASCII = {code: _NO_LETTERS.sub("", chr(code).casefold()) or None for code in range(128)}


def hold_out(pair: TextPair, sizes: Mapping[str, int]) -> dict[int, str]:
    """Chooses the pairs of each set.

    Args:
        pair: the corpus; it is read twice, more often only if suitable pairs are scarce.
        sizes: the name of each set, and how many pairs it gets.

    Returns:
        line index -> name of the set, in the order of the lines.

    Raises:
        ValueError: if the corpus has too few pairs that could be held out, or as `read_pairs`.
    """
    wanted, pairs = sum(sizes.values()), count_pairs(pair)
    count = _CANDIDATES * wanted
    while len(found := _once(pair, _candidates(pair, count))) < wanted and count < pairs:
        count *= _CANDIDATES
    if len(found) < wanted:
        raise ValueError(
            f"{pair.name}: {wanted:,} pairs are to be held out, and only {len(found):,} of "
            f"{pairs:,} have sides of at most {_LONGEST:,} letters that come once in the corpus: give sets of your own "
            f"(--validation-source and --validation-target), or remove the repetitions"
        )
    names = [name for name, size in sizes.items() for _ in range(size)]
    return dict(sorted(zip(found, names, strict=False)))


def write_parts(pair: TextPair, held_out: Mapping[int, str], paths: Mapping[str, TextPair]) -> None:
    """Writes each line of the corpus into the files of its set, "train" where `held_out` has none; all or nothing.

    Raises:
        FileExistsError: if one of the files exists.
    """
    made = []
    try:
        with ExitStack() as stack:
            files: dict[str, list[TextIO]] = {name: [] for name in paths}
            for name, part in paths.items():
                for path in part.files.values():
                    stack.enter_context(naming(path))
                    files[name].append(stack.enter_context(open(path, "x", encoding="utf-8", newline="\n")))
                    made.append(path)
            for index, lines in enumerate(read_pairs(pair)):
                for file, line in zip(files[held_out.get(index, "train")], lines, strict=True):
                    with naming(file.name):
                        file.write(line + "\n")
    except BaseException:
        for path in made:
            os.unlink(path)
        raise


def comparable(line: str) -> str:
    """A line without case, punctuation and spaces, to compare lines by."""
    return line.translate(_ASCII) if line.isascii() else _NO_LETTERS.sub("", line.casefold())


def _keys(pair: TextPair) -> Iterator[tuple[str, str]]:
    for source, target in read_pairs(pair):
        yield comparable(source), comparable(target)


def _candidates(pair: TextPair, count: int) -> list[tuple[str, str]]:
    """The keys of the `count` different pairs with the smallest hashes that are fit to judge by, smallest first."""
    kept: list[tuple[int, tuple[str, str]]] = []  # a heap, the largest hash on top
    known: set[int] = set()
    for keys in _keys(pair):
        if not _fit(*keys):
            continue
        number = -int.from_bytes(hashlib.blake2b("\n".join(keys).encode(), digest_size=8).digest(), "big")
        if number in known or (len(kept) == count and number < kept[0][0]):
            continue
        known.add(number)
        if len(kept) < count:
            heapq.heappush(kept, (number, keys))
        else:
            known.discard(heapq.heappushpop(kept, (number, keys))[0])
    return [keys for _, keys in sorted(kept, reverse=True)]


def _fit(source: str, target: str) -> bool:
    shorter, longer = sorted((len(source), len(target)))
    return shorter > 0 and longer <= _LONGEST and longer <= _LONGEST_RATIO * (shorter + 5) and source != target


def _once(pair: TextPair, candidates: Sequence[tuple[str, str]]) -> list[int]:
    """The line indices of the candidates neither side of which occurs again, in the order of `candidates`."""
    sides = [dict.fromkeys((keys[side] for keys in candidates), 0) for side in (0, 1)]
    indices = dict.fromkeys(candidates, 0)
    for index, keys in enumerate(_keys(pair)):
        for counts, key in zip(sides, keys, strict=True):
            if key in counts:
                counts[key] += 1
        if keys in indices:
            indices[keys] = index
    return [indices[keys] for keys in candidates if all(side[key] == 1 for side, key in zip(sides, keys, strict=True))]
