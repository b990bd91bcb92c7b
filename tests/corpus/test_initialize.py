import gzip
import random
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from parallel_corpus import sentences, write
from tiny_job import tiny_job, write_corpus

from nmt.config.data import Corpus, TextPair
from nmt.config.file import dump_config, load_config
from nmt.corpus.check import check
from nmt.corpus.initialize import initialize
from nmt.corpus.plan import Request
from nmt.text.files import count_pairs, read_pairs
from nmt.text.tokenizer import train_tokenizers

CORPUS = TextPair(source="text.en", target="text.de")
REQUEST = Request("text.en", "text.de")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current directory, with a corpus of 1,500 pairs."""
    source = sentences("LATIN", 1_500)
    write(tmp_path, source=source, target=[line.replace("a", "o") for line in source])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pairs_of(*parts: TextPair) -> list[tuple[str, str]]:
    return [pair for part in parts for pair in read_pairs(part)]


def test_the_written_config_loads_and_its_sets_are_the_corpus_each_line_once(folder):
    before = files(folder)
    page = initialize(REQUEST)
    config = load_config("en-de/config.yaml")
    sets = [*config.data.train, config.data.validation, *config.data.test.values()]
    assert sorted(pairs_of(*sets)) == sorted(pairs_of(CORPUS))
    assert [count_pairs(each) for each in sets] == [1_350, 75, 75]
    assert all(files(folder)[name] == content for name, content in before.items())
    assert (config.run, config.source_language, config.target_language) == ("runs/en-de", "en", "de")
    for part in ("1,350 pairs", "75 pairs", "nmt check en-de/config.yaml", "nmt train en-de/config.yaml"):
        assert part in page


def test_the_check_of_a_written_job_has_no_errors_and_no_warnings():
    initialize(REQUEST)
    report = check(load_config("en-de/config.yaml"))
    assert report.errors == report.warnings == []


@pytest.fixture
def run(folder):
    """What `nmt init --from` reads of a trained run."""
    write_corpus(folder)
    config = tiny_job(folder, "training.max_steps=7", "target_language=de")
    (folder / "run" / "tokenizer").mkdir(parents=True)
    train_tokenizers(config).save(folder / "run" / "tokenizer")
    (folder / "run" / "config.yaml").write_text(dump_config(config))
    (folder / "run" / "best.npz").touch()
    return config


def test_a_run_is_trained_on_with_the_corpus_and_as_many_pairs_of_its_own(run):
    page = initialize(Request("text.en", "text.de", from_run="run"))
    config = load_config("run-fine-tuned/config.yaml")
    new, own = config.data.train
    assert (count_pairs(new), own.source, own.weight) == (1_350, run.data.train[0].source, 1.0)
    assert config.training.start_from == "run"
    assert (config.model.units, config.tokenizer) == (run.model.units, run.tokenizer)
    assert pairs_of(config.data.test["earlier_validation"]) == pairs_of(run.data.validation)
    assert "nmt train run-fine-tuned/config.yaml" in page
    assert not check(config).errors


def test_of_a_large_corpus_a_run_has_only_as_many_pairs_an_epoch_as_there_are_new_ones(run):
    large = run.model_copy(
        update={"data": run.data.model_copy(update={"train": [run.data.train[0].model_copy(update={"weight": 90.0})]})}
    )
    Path("run/config.yaml").write_text(dump_config(large))
    initialize(Request("text.en", "text.de", from_run="run"))
    new, own = load_config("run-fine-tuned/config.yaml").data.train
    assert own.weight * count_pairs(own) == pytest.approx(count_pairs(new), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"from_run": "nowhere"}, "directory of a run"),
        ({"from_run": "run", "source_language": "fr"}, "en to de, and fr"),
        ({"from_run": "run", "minutes": 3.0}, "max_epochs"),
    ],
)
def test_a_run_that_cannot_be_trained_on_so_is_refused(run, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        initialize(REQUEST._replace(**options))


def test_the_same_corpus_gives_the_same_bytes(folder):
    initialize(REQUEST)
    first = files(folder)
    shutil.rmtree("en-de")
    initialize(REQUEST)
    assert files(folder) == first


def test_every_line_of_the_config_that_sets_something_has_a_reason():
    initialize(REQUEST)
    lines = Path("en-de/config.yaml").read_text().splitlines()
    for above, line in pairwise(lines):
        key = line.strip().partition(":")[0]
        section = line.rstrip().endswith(":")
        if line and not line.strip().startswith("#") and not section and key not in ("- source", "source", "target"):
            assert " # " in line or above.strip().startswith("#"), line
    assert {"vocabulary_size", "units", "learning_rate"} <= {line.strip().partition(":")[0] for line in lines}


def test_sets_of_ones_own_are_used_and_nothing_is_cut_out(folder):
    for name in ("valid", "test"):
        write(
            folder,
            source=sentences("LATIN", 30, seed=5),
            target=sentences("LATIN", 30, seed=6),
            languages=(name, f"{name}2"),
        )
    validation = TextPair(source="text.valid", target="text.valid2")
    initialize(REQUEST._replace(validation_source="text.valid", validation_target="text.valid2", output="a"))
    own = load_config("a/config.yaml").data
    assert (own.train, own.validation, own.test) == ([Corpus(**CORPUS.model_dump())], validation, {})
    assert sorted(files(folder / "a")) == ["config.yaml"]
    initialize(REQUEST._replace(test_source="text.test", test_target="text.test2", output="b"))
    sets = load_config("b/config.yaml").data
    assert sorted(pairs_of(*sets.train, sets.validation)) == sorted(pairs_of(CORPUS))
    assert sets.test["test"].source == "text.test"


def test_a_file_as_output_names_the_sets_beside_it(folder):
    initialize(REQUEST._replace(output="jobs/news.yaml"))
    parts = [f"news.{name}.{side}" for name in ("test", "train", "validation") for side in ("de", "en")]
    assert sorted(files(folder / "jobs")) == sorted([*parts, "news.yaml"])
    assert load_config("jobs/news.yaml").run == "runs/news"


@pytest.mark.parametrize("name", ["config.yaml", "train.en", "test.de"])
def test_nothing_is_overwritten_and_nothing_half_done_is_left(folder, name):
    (folder / "en-de").mkdir()
    (folder / "en-de" / name).write_text("mine")
    before = files(folder)
    with pytest.raises(ValueError, match=f"en-de/{name} is there already.*--output"):
        initialize(REQUEST)
    assert files(folder) == before


def test_a_name_that_a_trained_run_has_is_refused(folder):
    run = folder / "runs" / "en-de"
    (run / "tokenizer").mkdir(parents=True)
    for file in ("config.yaml", "best.npz"):
        (run / file).touch()
    before = files(folder)
    with pytest.raises(ValueError, match=r"runs/en-de holds a run already.*--output"):
        initialize(REQUEST)
    assert files(folder) == before


@pytest.mark.parametrize(("words", "complaint"), [(300, "a line should hold one sentence"), (1_001, "only 0 of 1,500")])
def test_where_the_text_cannot_be_used_nothing_is_left(folder, words, complaint):
    choose = random.Random(1)
    paragraphs = [" ".join(choose.choices("abcde", k=words)) for _ in range(1_500)]
    write(folder, source=paragraphs, target=[line.replace("a", "o") for line in paragraphs])
    before = files(folder)
    with pytest.raises(ValueError, match=complaint):
        initialize(REQUEST)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request("text.en", "nope.de"), "nope.de: no such file"),
        (Request("text.en", "text.en"), "text.en is given twice"),
        (
            REQUEST._replace(validation_source="text.en", validation_target="text.de"),
            "text.en is given twice, in corpus and validation",
        ),
        (Request("short.en", "text.de"), "short.en has 3 lines but text.de has 1,500"),
        (Request("short.en", "short.de"), "short.en and short.de: 3 pairs, but at least 1,000 pairs"),
        (Request("empty.en", "empty.de"), "empty.en and empty.de are empty"),
        (Request("bad.en", "text.de"), "bad.en:1: not UTF-8"),
        (Request("text.en", "text.unknown"), "text.unknown: .*--target-language"),
        (REQUEST._replace(validation_source="text.en"), "--validation-source and --validation-target belong together"),
        (REQUEST._replace(minutes=0.0), "--minutes 0.0: a number > 0"),
        (REQUEST._replace(minutes=float("nan")), "--minutes nan: a number > 0"),
        (REQUEST._replace(source_language="../en"), "--source-language '../en': a language code such as"),
    ],
)
def test_a_mistake_is_said_in_plain_words(folder, request_, complaint):
    for name in ("short.en", "short.de"):
        (folder / name).write_text("1\n2\n3\n")
    for name in ("empty.en", "empty.de"):
        (folder / name).write_text("")
    (folder / "bad.en").write_bytes(b"\xff\n")
    shutil.copy("text.de", "text.unknown")
    before = files(folder)
    with pytest.raises(ValueError, match=complaint):
        initialize(request_)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("name", "language"),
    [("a.b.en", "en"), ("a.pt_BR.gz", "pt_BR"), ("a.zh-Hans.txt", "zh-Hans"), ("a.DE.txt.gz", "DE")],
)
def test_a_language_is_what_the_name_ends_in(folder, name, language):
    content = (folder / "text.en").read_bytes()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    initialize(Request(name, "text.de", output="out"))
    assert load_config("out/config.yaml").source_language == language


def test_a_language_that_is_said_counts_more_than_the_name():
    initialize(REQUEST._replace(source_language="fr", target_language="zh-Hans"))
    config = load_config("fr-zh-Hans/config.yaml")
    assert (config.source_language, config.target_language) == ("fr", "zh-Hans")


def test_two_scripts_have_a_vocabulary_each_and_text_without_spaces_is_taken(folder):
    write(folder, source=sentences("LATIN", 1_500), target=sentences("CJK", 1_500), languages=("en", "ja"))
    page = initialize(Request("text.en", "text.ja"))
    config = load_config("en-ja/config.yaml")
    assert not config.tokenizer.joint
    assert config.model.tied_embeddings == "target"
    assert "no spaces between words" in page
    japanese = next(line for line in page.splitlines() if line.startswith("  ja:"))
    assert "lower case" not in japanese  # there is no upper one


def test_text_without_spaces_is_scored_by_character_whatever_its_language_is_called(folder):
    write(folder, source=sentences("LATIN", 1_500), target=sentences("CJK", 1_500), languages=("en", "ja"))
    for language, written in (("ja", None), ("jpn", None), ("zh", None), ("Japanese", None), ("Nihongo", "char")):
        initialize(Request("text.en", "text.ja", target_language=language))
        assert load_config(f"en-{language}/config.yaml").data.bleu_tokenize == written


def test_a_side_with_few_different_pieces_leaves_the_other_as_many_as_it_needs(folder):
    characters = [chr(0x4E00 + number) for number in range(1_200)]
    draw = random.Random(1)
    target = ["".join(draw.choices(characters, k=15)) for _ in range(1_500)]
    write(folder, source=sentences("LATIN", 1_500), target=target, languages=("en", "zh"))
    initialize(Request("text.en", "text.zh"))
    config = load_config("en-zh/config.yaml")
    assert check(config).errors == []
    source, target = (tokenizer.vocabulary_size for tokenizer in train_tokenizers(config))
    assert source < 1_200 < target


def test_minutes_limit_the_steps_by_the_speed_measured():
    def training(output, minutes, speed):
        initialize(REQUEST._replace(minutes=minutes, output=output), steps_per_minute=lambda config: speed)
        training = load_config(f"{output}/config.yaml").training
        assert training.schedule.name == "cosine"
        assert training.validate_every <= training.max_steps / 10
        return training

    initialize(REQUEST._replace(output="free"))
    wanted = load_config("free/config.yaml").training.max_steps
    assert training("fast", 10, 10 * wanted).max_steps == wanted
    assert 0.8 * wanted / 2 < training("slow", 10, wanted / 20).max_steps <= wanted / 2
    (reason,) = re.findall("max_steps: .*# (.*)", Path("slow/config.yaml").read_text())
    assert f"10 minutes, as {wanted / 20:,.0f} steps a minute were measured" in reason


def test_where_there_is_no_time_for_the_model_a_smaller_one_is_measured():
    """The speed of a machine on which steps take as long as the model has weights."""

    def slow(config):
        return 1e7 / config.model.units**2

    initialize(REQUEST._replace(output="free"))
    initialize(REQUEST._replace(minutes=10, output="limited"), steps_per_minute=slow)
    free, limited = (load_config(f"{name}/config.yaml") for name in ("free", "limited"))
    assert limited.model.units < free.model.units
    assert limited.training.schedule.learning_rate > free.training.schedule.learning_rate
    assert free.training.max_steps / 3 <= limited.training.max_steps <= 10 * slow(limited)
    assert limited.model.dropout.output < free.model.dropout.output
    initialize(REQUEST._replace(minutes=1e-3, output="least"), steps_per_minute=slow)
    assert load_config("least/config.yaml").model.units == 192


def test_a_file_with_both_sides_is_a_corpus(tmp_path):
    lines = zip(*(sentences(script, 1_200) for script in ("LATIN", "CYRILLIC")), strict=True)
    (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in lines), encoding="utf-8")
    with pytest.raises(ValueError, match="say --source-language and --target-language"):
        initialize(Request(file=str(tmp_path / "pairs.tsv")))
    languages = {"source_language": "en", "target_language": "ru", "output": str(tmp_path / "job")}
    initialize(Request(file=str(tmp_path / "pairs.tsv"), **languages))
    data = load_config(tmp_path / "job" / "config.yaml").data
    assert sum(map(count_pairs, [*data.train, data.validation, data.test["test"]])) == 1_200
