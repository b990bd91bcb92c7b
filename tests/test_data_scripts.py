"""The corpus scripts, run as a user runs them."""

import gzip
import hashlib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
from num2words import num2words

REPOSITORY = Path(__file__).resolve().parents[1]
SPLITS = ("train", "val", "test_2016_flickr")
MIRROR = Path(os.environ.get("NMT_SHARED", REPOSITORY.parent / "shared")) / "data" / "multi30k"
needs_mirror = pytest.mark.skipif(
    not MIRROR.is_dir(), reason="no copy of Multi30k: set NMT_SHARED to a folder with data/multi30k"
)


def run(script, *arguments, **environment):
    command = [sys.executable, REPOSITORY / "data_scripts" / script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def refused(answer):
    """The message of a run that ends as a user's mistake must: exit code 2, no stack trace, nothing on stdout."""
    assert answer.returncode == 2, answer
    assert "Traceback" not in answer.stderr
    return answer.stderr


def lines(path):
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Split -> (English lines, German lines)."""
    directory = tmp_path_factory.mktemp("demo")
    answer = run("demo.py", directory, "--pairs", 3000)
    assert answer.returncode == 0, answer.stderr
    assert sorted(path.name for path in directory.iterdir()) == sorted(
        f"{split}.{language}" for split in ("train", "valid", "test") for language in ("en", "de")
    )
    return {
        split: (lines(directory / f"{split}.en"), lines(directory / f"{split}.de"))
        for split in ("train", "valid", "test")
    }


def demo_pairs(demo):
    return [pair for english, german in demo.values() for pair in zip(english, german, strict=True)]


def test_the_demo_corpus_has_the_sizes_it_promises(demo):
    assert {split: len(english) for split, (english, _) in demo.items()} == {"train": 3000, "valid": 500, "test": 500}


@pytest.mark.parametrize("side", [0, 1], ids=["english", "german"])
def test_no_demo_line_stands_twice_not_even_in_another_split(demo, side):
    all_lines = [pair[side] for pair in demo_pairs(demo)]
    assert len(set(all_lines)) == len(all_lines)


def test_the_same_seed_writes_the_same_demo_corpus_and_another_seed_another(demo, tmp_path):
    for seed in (1, 2):
        run("demo.py", tmp_path / str(seed), "--pairs", 3000, "--seed", seed)
    assert lines(tmp_path / "1" / "train.de") == demo["train"][1]
    assert lines(tmp_path / "2" / "train.de") != demo["train"][1]


def test_tokenizers_read_the_demo_lines_as_they_stand(demo):
    normalizer = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc")
    for pair in demo_pairs(demo):
        for line in pair:
            assert normalizer.normalize(line).replace("\N{LOWER ONE EIGHTH BLOCK}", " ").strip() == line
            assert line[0] == line[0].upper()
            assert not re.search(r"[{}]|  ", line)


def test_both_sides_of_a_demo_pair_name_the_same_digits(demo):
    """A German line has the digits of the English one, 12-hour times turned to 24 hours and punctuation swapped."""

    def of_24_hours(match):
        hour = int(match[1]) % 12 + (12 if match[3] == "PM" else 0)
        return f"{hour:02}{match[2]}"

    for english, german in demo_pairs(demo):
        spoken = re.sub(r"(\d+):(\d+) (AM|PM)", of_24_hours, english)
        numbers = [re.findall(r"\d+", re.sub(r"(?<=\d)[.,:](?=\d)", "", line)) for line in (spoken, german)]
        assert sorted(numbers[0]) == sorted(numbers[1]), (english, german)


def test_both_sides_of_a_demo_pair_name_the_same_number_word(demo):
    english_of = {
        num2words(number, lang="de"): num2words(number, lang="en").replace(",", "") for number in range(2, 10_000)
    }
    checked = 0
    for english, german in demo_pairs(demo):
        counted = re.search(
            r"(?:hat|gibt es) (\S+) (?:Angestellte|Einwohner|[A-ZÄÖÜ]\S+ gekauft|[A-ZÄÖÜ]\S+\.)", german
        )
        if counted and counted[1] in english_of:
            assert f" {english_of[counted[1]]} " in english, (english, german)
            checked += 1
    assert checked > 100


def minutes_of(told, numbers):
    """Minutes since midnight or noon of a time in words: [minutes direction] [halb] hour."""
    *earlier, hour = told.lower().split()
    assert numbers[hour] <= 12, told
    minutes = 60 * numbers[hour] - (30 if "halb" in earlier else 0)
    for number, direction in itertools.pairwise(earlier):
        if direction in ("past", "nach", "to", "vor"):
            minutes += numbers[number] * (1 if direction in ("past", "nach") else -1)
    return minutes % 720


def test_both_sides_of_a_demo_pair_tell_the_same_time(demo):
    english_numbers, german_numbers = (
        {num2words(number, lang=language): number for number in range(1, 31)} | named
        for language, named in (("en", {"quarter": 15, "half": 30}), ("de", {"viertel": 15, "ein": 1}))
    )
    seen = set()
    for english, german in demo_pairs(demo):
        if told := re.match(r"It is ([a-z -]+?)(?: o'clock| and|\.)", english):
            spoken = re.match(r"Es ist (.+?)(?: Uhr| und|\.)", german)
            minutes = minutes_of(told[1], english_numbers)
            assert minutes_of(spoken[1], german_numbers) == minutes, (english, german)
            seen.add(minutes)
    assert len(seen) > 72, "at least half of the times of a clock that counts in fives"


def test_a_demo_corpus_without_training_pairs_is_refused(tmp_path):
    assert "--pairs must be at least 1, got 0" in refused(run("demo.py", tmp_path, "--pairs", 0))


@needs_mirror
@pytest.mark.parametrize(("options", "folder", "pattern"), [
    ([], "raw", "{}.{}.gz"), (["--tokenized"], "tok", "{}.lc.norm.tok.{}.gz"),
])  # fmt: skip
def test_multi30k_arrives_checked_and_complete_from_a_mirror(tmp_path, options, folder, pattern):
    answer = run("multi30k.py", tmp_path, "--mirror", MIRROR, *options)
    assert answer.returncode == 0, answer.stderr
    assert "not checked" not in answer.stdout
    for split in SPLITS:
        for language in ("en", "de"):
            published = gzip.decompress((MIRROR / folder / pattern.format(split, language)).read_bytes())
            assert (tmp_path / f"{split}.{language}").read_bytes() == published
    assert len(list(tmp_path.iterdir())) == 6


@pytest.fixture
def mirror(tmp_path):
    """A made-up mirror of two lines a file, with the sums of its files beside it."""
    directory = tmp_path / "mirror"
    (directory / "raw").mkdir(parents=True)
    for split in SPLITS:
        for language in ("en", "fr"):
            (directory / "raw" / f"{split}.{language}.gz").write_bytes(
                gzip.compress(f"{language} 1\n{language} 2\n".encode())
            )
    write_sums(directory)
    return directory


def write_sums(mirror):
    files = sorted(mirror.glob("raw/*"))
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(mirror)}\n" for path in files)
    (mirror / "sums").write_text(sums)


def fetch(mirror, *options):
    return run("multi30k.py", mirror.parent / "out", "--target", "fr", "--mirror", mirror, *options)


def replace_file(mirror, content):
    """Damages one file of the mirror; its sum agrees, so that only what is inside can be wrong."""
    (mirror / "raw" / "val.fr.gz").write_bytes(content)
    write_sums(mirror)
    answer = fetch(mirror, "--sha256-file", mirror / "sums")
    assert not (mirror.parent / "out").exists(), "a corpus that was refused must leave nothing behind"
    return refused(answer)


def test_a_language_with_given_sums_is_checked(mirror):
    answer = fetch(mirror, "--sha256-file", mirror / "sums")
    assert answer.returncode == 0, answer.stderr
    assert "not checked" not in answer.stdout
    assert lines(mirror.parent / "out" / "val.fr") == ["fr 1", "fr 2"]


def test_a_file_of_unknown_sum_is_used_but_said_to_be_unchecked(mirror):
    english_only = [line for line in lines(mirror / "sums") if ".en.gz" in line]
    (mirror / "sums").write_text("\n".join(english_only))
    answer = fetch(mirror, "--sha256-file", mirror / "sums")
    assert answer.returncode == 0, answer.stderr
    sum_of_file = hashlib.sha256((mirror / "raw" / "val.fr.gz").read_bytes()).hexdigest()
    assert re.search(rf"raw/val.fr.gz: not checked.*{sum_of_file}", answer.stdout)


def test_a_file_that_is_not_the_published_one_is_refused_with_both_sums(mirror):
    sum_of_file = hashlib.sha256((mirror / "raw" / "train.en.gz").read_bytes()).hexdigest()
    message = refused(fetch(mirror))
    assert f"raw/train.en.gz is not the published file: its SHA-256 is {sum_of_file}, expected d79cfa99" in message
    assert not (mirror.parent / "out").exists()


def test_unequal_line_counts_are_refused_with_both_counts(mirror):
    message = replace_file(mirror, gzip.compress(b"one line\n"))
    assert "val is not aligned: 2 English lines, 1 in fr" in message


def test_a_damaged_file_is_named(mirror):
    assert "raw/val.fr.gz is damaged" in replace_file(mirror, gzip.compress(b"one\ntwo\n")[:-9])


def test_invalid_utf8_is_named_with_its_line(mirror):
    assert "raw/val.fr.gz, line 2: invalid UTF-8" in replace_file(mirror, gzip.compress(b"one\ntw\xff\n"))


def test_a_missing_mirror_file_is_named(mirror):
    (mirror / "raw" / "val.fr.gz").unlink()
    assert "raw/val.fr.gz does not exist" in refused(fetch(mirror, "--sha256-file", mirror / "sums"))


def test_a_file_of_sums_that_is_none_is_refused_with_its_line(mirror):
    (mirror / "sums").write_text("hello\n")
    assert re.search(r"sums, line 1: expected a SHA-256", refused(fetch(mirror, "--sha256-file", mirror / "sums")))


def test_without_a_network_the_mirror_is_suggested(tmp_path):
    nobody_there = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    message = refused(run("multi30k.py", tmp_path / "out", **nobody_there))
    assert "cannot download https://" in message
    assert "--mirror PATH" in message
