"""English-German pairs made up from a seed, any number of them: they try a pipeline, not a model.

Lengths vary from 20 to some 300 characters, and names make new words without end, most of them rare (Zipf). One pair in
ten is an earlier one again; some are not translated, in another language, empty, damaged, overlong, or have other
numbers or placeholders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

_CHUNK = 10_000
_CLAUSES = 6
_NAMES = 20_000_000
_SYLLABLES = [first + second for first, second in product("bdfgklmnprstvz", "aeiou")]
_SUBJECTS = [
    (f"{adjective} {noun}", f"{eigenschaft} {wort}")
    for (adjective, eigenschaft), (noun, wort) in product(
        zip(["small", "big", "old", "young", "brown", "tired", "hungry", "friendly"],
            ["kleine", "große", "alte", "junge", "braune", "müde", "hungrige", "freundliche"], strict=True),
        zip(["dog", "bear", "wolf", "fox", "stork", "man", "boy", "teacher"],
            ["Hund", "Bär", "Wolf", "Fuchs", "Storch", "Mann", "Junge", "Lehrer"], strict=True),
    )
]  # fmt: skip
_PREDICATES = [
    (f"{verb} in the {place}", f"{wort} im {ort}")
    for (verb, wort), (place, ort) in product(
        zip(["sleeps", "eats", "plays", "waits", "sings", "works", "reads", "walks"],
            ["schläft", "frisst", "spielt", "wartet", "singt", "arbeitet", "liest", "geht"], strict=True),
        zip(["garden", "forest", "park", "yard", "zoo", "house", "village", "city"],
            ["Garten", "Wald", "Park", "Hof", "Zoo", "Haus", "Dorf", "Zentrum"], strict=True),
    )
]  # fmt: skip
_FRENCH = "Le vieil homme traverse le village tous les matins avec son petit chien et parle aux voisins de {}."


def write_pairs(directory: Path, name: str, pairs: int, *, seed: int) -> dict[str, str]:
    """Writes name.en and name.de, and returns their paths as data.train has them."""
    paths = {"source": directory / f"{name}.en", "target": directory / f"{name}.de"}
    with paths["source"].open("w", encoding="utf-8") as sources, paths["target"].open("w", encoding="utf-8") as targets:
        for chunk in _chunks(pairs, seed):
            sources.writelines(f"{source}\n" for source, _ in chunk)
            targets.writelines(f"{target}\n" for _, target in chunk)
    return {side: str(path) for side, path in paths.items()}


def _chunks(pairs: int, seed: int) -> Iterator[list[tuple[str, str]]]:
    random = np.random.default_rng(seed)
    for start in range(0, pairs, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, pairs))
        again = random.random(len(numbers)) < 0.1
        numbers[again] = random.integers(numbers[again] + 1)
        bits = _mixed(numbers[:, np.newaxis] * (_CLAUSES + 1) + np.arange(_CLAUSES + 1) + (seed << 40))
        noise = random.integers(1000, size=len(numbers)).tolist()
        yield [_pair(row, kind) for row, kind in zip(bits.tolist(), noise, strict=True)]


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """63 bits that look random, a function of each number alone (splitmix64)."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1)


def _pair(bits: list[int], noise: int) -> tuple[str, str]:
    """Half of the pairs have one clause, a quarter two and so on; one in a thousand is overlong."""
    count = 25 if noise == 999 else min(_CLAUSES, 1 + int(-math.log2(1.0 - bits[0] / 2**63)))
    sources, targets = zip(*(_clause(bits[1 + number % _CLAUSES]) for number in range(count)), strict=True)
    source, target = ", and ".join(sources), ", und ".join(targets)
    return _spoilt(f"{source[0].upper()}{source[1:]}.", f"{target[0].upper()}{target[1:]}.", bits[1], noise)


def _clause(bits: int) -> tuple[str, str]:
    subject, predicate = _SUBJECTS[bits % 64], _PREDICATES[bits // 64 % 64]
    name = _name(int(_NAMES ** ((bits >> 12) % 2**24 / 2**24)))
    source, target = f"the {subject[0]} of {name} {predicate[0]}", f"der {subject[1]} von {name} {predicate[1]}"
    if bits >> 60 == 0:  # one in eight
        year = 1000 + (bits >> 36) % 1000
        return f"{source} in {year}", f"{target} im Jahr {year}"
    return source, target


def _name(rank: int) -> str:
    syllables = []
    while rank:
        rank, syllable = divmod(rank, len(_SYLLABLES))
        syllables.append(_SYLLABLES[syllable])
    return "".join(syllables).capitalize()


def _spoilt(source: str, target: str, bits: int, noise: int) -> tuple[str, str]:
    """The pair, or one of a few in a hundred that are not worth training on."""
    if noise < 10:
        return source, ["", source, "Ja.", f"%s {target}", f"{target} 28375"][noise % 5]
    if noise < 20:
        return source, _FRENCH.format(_name(bits % _NAMES))
    if noise < 25:
        return source, target.encode().decode("latin-1")
    if noise < 35:
        return source.upper(), target
    return source, target
