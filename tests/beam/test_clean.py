"""What many workers write is what one process writes."""

import json

import pytest

from nmt.beam.clean import clean
from nmt.cleaning.corpora import clean as clean_alone
from nmt.config.file import parse_config

ANIMALS = ["dog", "cat", "bear", "wolf", "fox", "stork"]
VERBS = ["sleeps", "eats", "plays", "waits"]
PAIRS = [
    (f"The {size} {animal} {verb} here, number {number % 5}.", f"D{animal} {size} {verb} nun, Zahl {number % 5}.")
    for number in range(4)
    for size in ("small", "old")
    for animal in ANIMALS
    for verb in VERBS
]
CLICKS = [("Click here.", f"Hier {word} klicken.") for word in "abcdefgh"]
BAD = [("...", "Nichts"), ("He was born in 1987.", "Er wurde 2024 geboren."), (PAIRS[1][0].upper(), PAIRS[1][1])]


def write(folder, name, pairs):
    for side, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        (folder / f"{name}.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {"source": str(folder / f"{name}.en"), "target": str(folder / f"{name}.de")}


def job(folder, corpora, settings=()):
    data = {"train": corpora, "validation": write(folder, "validation", [("The validation line.", "Die Zeile.")])}
    content = {"run": str(folder / "run"), "source_language": "en", "target_language": "de", "data": data}
    return parse_config(json.dumps(content), overrides=["cleaning.max_repeats=3", "cleaning.language=1.0", *settings])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """A job of two corpora, one of them with repetitions of the other."""
    folder = tmp_path_factory.mktemp("dirty")
    first, second = [*PAIRS[:90], *BAD, *CLICKS], [*CLICKS, *PAIRS[60:], *CLICKS]
    return job(folder, [write(folder, "one", first), write(folder, "two", second)])


@pytest.fixture(scope="module")
def alone(dirty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return clean_alone(dirty, folder), contents(folder)


@pytest.mark.parametrize("sizes", [(1000, 1 << 20, 1000), (100, 3000, 100), (7, 100, 9)], ids=str)
def test_chunks_ranges_and_buckets_of_any_size_give_what_one_process_gives(dirty, alone, tmp_path, sizes):
    chunk_pairs, range_bytes, bucket_pairs = sizes
    found = clean(dirty, tmp_path, chunk_pairs=chunk_pairs, range_bytes=range_bytes, bucket_pairs=bucket_pairs)
    assert (found, contents(tmp_path)) == alone
    assert {"empty", "min_same_digits", "duplicates", "near_duplicates", "max_repeats"} <= set(found.tally.removed)
