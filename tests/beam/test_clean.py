"""What many workers write is what one process writes."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nmt.beam.clean import clean
from nmt.beam.corpora import with_absolute_paths
from nmt.cleaning.corpora import clean as clean_alone
from nmt.cleaning.scores import ScoreRule
from nmt.cli.main import main
from nmt.config.file import dump_config, override_config, parse_config

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


def test_a_bundle_that_runs_again_doubles_nothing(dirty, alone, tmp_path):
    found = clean(dirty, tmp_path, ["--direct_runner_bundle_repeat=1"], chunk_pairs=50)
    assert (found, contents(tmp_path)) == alone


def test_worker_processes_give_what_one_process_gives(dirty, alone, tmp_path):
    several = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    found = clean(dirty, tmp_path, several, chunk_pairs=50)
    assert (found, contents(tmp_path)) == alone


DYING = """
import os, sys
from pathlib import Path
from nmt.beam import clean
from nmt.config.file import load_config

def replace_twice(aside, path, done=[]):
    done.append(path)
    if len(done) == 8:
        os._exit(9)
    rename(aside, path)

rename, os.replace = os.replace, replace_twice
clean.clean(load_config(sys.argv[1]), Path(sys.argv[2]), chunk_pairs=20)
"""


def test_a_run_that_died_while_it_wrote_can_be_repeated_in_its_directory(dirty, alone, tmp_path):
    job_file, output = tmp_path / "job.yaml", tmp_path / "output"
    job_file.write_text(dump_config(dirty), encoding="utf-8")
    died = subprocess.run([sys.executable, "-c", DYING, job_file, output], check=False)
    assert died.returncode == 9
    parts = [each.name for each in (output / "parts.unfinished").iterdir()]
    assert len(parts) > 7  # whole parts, and one of which only some files have their names
    assert not (output / "train.0.en").exists()
    found = clean(dirty, output, chunk_pairs=30)
    assert (found, contents(output)) == alone


def test_corpora_that_are_no_plain_text_are_read_as_one_process_reads_them(tmp_path):
    packed = write(tmp_path, "packed", PAIRS)
    for side, path in packed.items():
        content = Path(path).read_text(encoding="utf-8")
        lines = "\ufeff\ufeff" + content.replace("here, number 3", "here,\r number 3").replace("\n", "\r\r\n")
        packed[side] = f"{path}.gz"
        with gzip.open(packed[side], "wt", encoding="utf-8", newline="") as file:
            file.write(lines)
    (tmp_path / "table.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in [*CLICKS, *BAD]), encoding="utf-8")
    config = job(tmp_path, [packed, {"file": str(tmp_path / "table.tsv")}], ["cleaning.normalize=false"])
    expected = clean_alone(config, tmp_path / "alone")
    assert clean(config, tmp_path / "beam", chunk_pairs=40, range_bytes=1000) == expected
    assert contents(tmp_path / "beam") == contents(tmp_path / "alone")


@pytest.mark.parametrize("content", ["fünf\n".encode() + b"f\xfcnf\n", b"one line\n", "fünf".encode("utf-16")])
def test_text_that_cannot_be_read_gives_the_message_of_one_process_and_no_files(tmp_path, content):
    corpus = write(tmp_path, "text", PAIRS[:2])
    (tmp_path / "text.de").write_bytes(content)
    config = job(tmp_path, [corpus])
    with pytest.raises(ValueError, match=r"text\.de") as expected:
        clean_alone(config)
    with pytest.raises(ValueError, match=r"text\.de") as found:
        clean(config, tmp_path / "output")
    assert str(found.value) == str(expected.value)
    assert not contents(tmp_path / "output")


def test_a_rule_that_scores_pairs_judges_what_is_left_in_each_chunk(dirty, tmp_path, monkeypatch):
    rule = ScoreRule("max_cross_entropy", lambda pairs: np.array(["old fox" in source for source, _ in pairs]))
    for module in ("cleaning.corpora", "beam.clean"):
        monkeypatch.setattr(f"nmt.{module}.score_rules", lambda config: [rule])
    expected = clean_alone(dirty, tmp_path / "alone")
    assert expected.tally.removed["max_cross_entropy"]
    assert clean(dirty, tmp_path / "beam", chunk_pairs=50) == expected


def test_the_command_writes_the_report_of_nmt_clean(dirty, tmp_path):
    job_file = tmp_path / "job.yaml"
    job_file.write_text(dump_config(dirty), encoding="utf-8")
    assert main(["clean", str(job_file), "--processes", "1", "--output", str(tmp_path / "alone")]) == 0
    command = ["beam", "clean", str(job_file), "--output", str(tmp_path / "beam"), "--", "--direct_num_workers=1"]
    assert main(command) == 0
    assert contents(tmp_path / "beam") == contents(tmp_path / "alone")
    assert {"report.html", "report.json"} < set(os.listdir(tmp_path / "beam"))


def test_workers_in_another_directory_read_the_same_files(dirty, tmp_path, monkeypatch):
    folder = Path(dirty.data.validation.source).parent
    monkeypatch.chdir(folder)
    relative = parse_config(dump_config(dirty).replace(f"{folder}/", ""))
    assert relative.data.train[0].source == "one.en"
    assert with_absolute_paths(relative).data == dirty.data


@pytest.mark.parametrize(
    ("arguments", "settings", "complaint"),
    [(["--runner=Nonsense"], [], "Nonsense"), ([], ["cleaning.min_lexicon=0.5"], "min_lexicon")],
)
def test_what_beam_cannot_do_is_said_and_nothing_is_written(dirty, tmp_path, arguments, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        clean(override_config(dirty, settings), tmp_path, arguments)
    assert not contents(tmp_path)
