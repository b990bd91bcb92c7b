"""Whole corpora: what is written, what is not, and that nothing gets lost between."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nmt.cleaning.context import context_of
from nmt.cleaning.corpora import clean
from nmt.cleaning.judgement import CORPUS_RULES, MEANINGS, RULES, judge
from nmt.cleaning.page import as_page
from nmt.cleaning.summary import as_json, as_text
from nmt.cli.main import main
from nmt.config.cleaning import CleaningConfig
from nmt.config.file import dump_config, override_config, parse_config

ANIMALS = {"dog": "Hund", "cat": "Kater", "bear": "Bär", "wolf": "Wolf", "fox": "Fuchs", "stork": "Storch"}
PLACES = {"garden": "Garten", "forest": "Wald", "park": "Park", "yard": "Hof", "zoo": "Zoo", "stable": "Stall"}
VERBS = {"sleeps": "schläft", "eats": "frisst", "plays": "spielt", "waits": "wartet"}
GOOD = [
    (f"The small {animal} {verb} in the {place}.", f"Der kleine {ANIMALS[animal]} {VERBS[verb]} im {PLACES[place]}.")
    for animal in ANIMALS
    for verb in VERBS
    for place in PLACES
]
SENTENCE = ("The old man walks through the village every morning.", "Der alte Mann geht jeden Morgen durch das Dorf.")
# The rule that each pair breaks; those that come twice do so the second time.
BAD = [
    ("empty", ("...", "Nichts")),
    ("max_characters", ("long " * 300, "lang " * 300)),
    ("damaged", ("The size is large today.", "Die Gr\u00c3\u00b6\u00c3\u009fe ist heute groß.")),
    ("min_letters", ("a | 12 | 34 | 56", "a | 12 | 34 | 56")),
    ("max_length_ratio", ("He goes.", SENTENCE[1] * 3)),
    ("max_copied", (SENTENCE[0], SENTENCE[0])),
    ("script", ("The dog sleeps.", "Собака спит.")),
    ("min_same_digits", ("He was born in 1987.", "Er wurde 2024 geboren.")),
    ("same_spans", ("{name} has left.", "Sie ist gegangen.")),
    ("language", (SENTENCE[0], "Le vieil homme traverse le village tous les matins.")),
    ("held_out", ("The validation line.", "Eine andere Übersetzung.")),
    ("duplicates", GOOD[0]),
    ("near_duplicates", (GOOD[1][0].upper(), GOOD[1][1])),
]


def write(folder, name, pairs):
    for side, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        (folder / f"{name}.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {"source": str(folder / f"{name}.en"), "target": str(folder / f"{name}.de")}


def job(folder, *corpora, settings=()):
    data = {
        "train": [write(folder, f"train{number}", pairs) for number, pairs in enumerate(corpora)],
        "validation": write(folder, "validation", [("The validation line.", "Die Zeile.")]),
    }
    content = {"run": str(folder / "run"), "source_language": "en", "target_language": "de", "data": data}
    return parse_config(json.dumps(content), overrides=settings)


def read(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    """The config of a corpus with a pair that breaks each rule, each at a known place."""
    return job(tmp_path_factory.mktemp("dirty"), [*GOOD, *(pair for _, pair in BAD)])


@pytest.fixture(scope="module")
def cleaned(dirty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cleaned")
    return folder, clean(dirty, folder)


def test_each_rule_removes_the_pair_made_for_it_and_says_where_it_was(cleaned):
    folder, _ = cleaned
    removed = [json.loads(line) for line in read(folder / "removed.jsonl")]
    assert [(each["rule"], each["line"]) for each in removed] == [
        (rule, len(GOOD) + place) for place, (rule, _) in enumerate(BAD, start=1)
    ]


def test_what_breaks_no_rule_is_kept_in_its_order(cleaned):
    folder, _ = cleaned
    assert list(zip(read(folder / "train.en"), read(folder / "train.de"), strict=True)) == GOOD


def test_every_rule_that_asks_no_model_has_a_pair_here_that_it_removes():
    assert {rule for rule, _ in BAD} | {"max_repeats", "min_lexicon", "max_cross_entropy"} == set(MEANINGS)


OFF = {
    "max_characters": "null", "max_length_ratio": "null", "min_letters": "0.0", "max_copied": "1.0", "language": "1.0",
    "min_same_digits": "0.0", "same_spans": "[]", "max_repeats": "null",
}  # fmt: skip


def test_each_rule_can_be_turned_off_alone(dirty, cleaned):
    pair_rules = {rule: pair for rule, pair in BAD if rule in {each.name for each in RULES}}
    for rule, pair in pair_rules.items():
        config = override_config(dirty, [f"cleaning.{rule}={OFF.get(rule, 'false')}"])
        context = cleaned[1].context._replace(settings=config.cleaning)
        assert judge([pair], context)[0].rule != rule
    settings = CleaningConfig(duplicates=False, near_duplicates=False, max_repeats=None)
    assert all(rule.limit(settings) is None for rule in CORPUS_RULES)


def test_a_line_that_comes_too_often_with_other_translations_is_boilerplate(tmp_path):
    pairs = [("Click here.", f"Hier {word} klicken.") for word in "abcdefgh"]
    config = job(tmp_path, pairs, settings=["cleaning.max_repeats=3", "cleaning.language=1.0"])
    assert clean(config).tally.removed == {"max_repeats": 5}


def test_processes_that_judge_end_with_the_one_that_started_them():
    code = (
        "from nmt.cleaning.corpora import _end_with_parent; import multiprocessing, time\n"
        "context = multiprocessing.get_context('fork'); process = context.Process(target=lambda: "
        "(_end_with_parent(), time.sleep(60))); process.start(); print(process.pid, flush=True); process.join()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    process = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    status = Path(f"/proc/{process}/stat")
    for _ in range(600):
        if not status.exists() or " Z " in status.read_text():
            return
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    pytest.fail("the process lives on")


def test_a_pair_is_judged_alike_alone_in_other_processes_and_in_any_chunk(dirty, cleaned, tmp_path, monkeypatch):
    folder, expected = cleaned
    monkeypatch.setattr("nmt.cleaning.corpora._CHUNK_PAIRS", 10)
    assert clean(dirty, tmp_path, processes=2) == expected
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_the_first_of_two_corpora_keeps_what_both_have(tmp_path):
    config = job(tmp_path, GOOD[:20], GOOD[10:30])
    found = clean(config, tmp_path / "out")
    assert found.tally.removed == {"duplicates": 10}
    assert read(tmp_path / "out" / "train.1.en") == [source for source, _ in GOOD[20:30]]


def test_kept_lines_are_normalized_and_counted(tmp_path):
    config = job(tmp_path, [("Cafe\u0301 \x07au lait ", "Milchkaffee"), *GOOD[:3]])
    found = clean(config, tmp_path / "out")
    assert read(tmp_path / "out" / "train.en")[0] == "Caf\u00e9 au lait"
    assert found.tally.edited == 1
    untouched = clean(override_config(config, ["cleaning.normalize=false"]))
    assert untouched.tally.edited == 0


def test_a_preview_reads_the_first_pairs_and_writes_nothing(dirty, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = clean(dirty, first=7)
    assert (found.tally.pairs, found.tally.kept) == (7, 7)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(dirty, cleaned):
    with pytest.raises(ValueError, match=r"train\.en is there already.*--output"):
        clean(dirty, cleaned[0])


def test_a_failure_leaves_no_half_of_a_corpus(dirty, tmp_path, monkeypatch):
    def fail(_):
        raise ValueError("stopped")

    monkeypatch.setattr("nmt.cleaning.corpora.tally", fail)
    with pytest.raises(ValueError, match="stopped"):
        clean(dirty, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_empty_corpus_is_no_failure(tmp_path):
    (tmp_path / "train0.en").touch()
    config = job(tmp_path, GOOD[:1])
    for side in ("en", "de"):
        (tmp_path / f"train0.{side}").write_text("")
    assert clean(config).tally.pairs == 0
    assert "0 pairs" in as_text(clean(config))


def test_the_context_shows_the_usual_script_of_each_side(dirty):
    assert context_of(dirty, [("a", "б"), ("b", "в"), ("c", "x")]).scripts == ("LATIN", "CYRILLIC")


def test_page_and_json_say_the_same_and_the_same_again(dirty, cleaned):
    _, found = cleaned
    content = json.loads(as_json(dirty, found))
    page = as_page("job", found)
    assert page == as_page("job", found)
    for rule in content["rules"]:
        assert f"<code>{rule['name']}</code>" in page
        for example in rule["examples"]:
            assert example["target"] in html.unescape(page)
    assert content["pairs"] == content["kept"] + sum(rule["pairs"] for rule in content["rules"])


def test_the_command_names_its_report_and_how_to_train_on_the_result(dirty, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(dump_config(dirty), encoding="utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "nmt", "clean", str(path), "--processes", "1"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert str(tmp_path / "job.cleaned" / "report.html") in answer.stdout
    assert f"nmt train {path} --set 'data.train=[" in answer.stdout
    assert "tensorflow" not in answer.stderr
    assert {each.name for each in (tmp_path / "job.cleaned").iterdir()} == {
        "train.en", "train.de", "removed.jsonl", "report.html", "report.json",
    }  # fmt: skip


def test_nmt_init_says_what_cleaning_would_remove(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    numbered = [
        (f"{source[:-1]} {number}.", f"{target[:-1]} {number}.") for number in range(8) for source, target in GOOD
    ]
    write(tmp_path, "text", [*numbered, *[numbered[0]] * 10])
    assert main(["init", "--source", "text.en", "--target", "text.de"]) == 0
    assert re.search(r"nmt clean. would remove of the first pairs\n.* 10 removed", capsys.readouterr().out)


def test_a_corpus_in_one_file_becomes_two_aligned_files(tmp_path):
    (tmp_path / "memory.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in GOOD[:20]), encoding="utf-8")
    config = job(tmp_path, GOOD[:1], settings=[f"data.train=[{{file: {tmp_path}/memory.tsv}}]"])
    assert clean(config, tmp_path / "out").tally.kept == 20
    assert list(zip(read(tmp_path / "out/train.en"), read(tmp_path / "out/train.de"), strict=True)) == GOOD[:20]
