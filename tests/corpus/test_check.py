import numpy as np
import pytest

from nmt.config.file import dump_config, override_config
from nmt.config.settings import Config
from nmt.corpus.check import check
from nmt.corpus.findings import Finding
from nmt.corpus.quick_check import quick_check
from nmt.data.preparation import begin, finish, prepare_shards
from nmt.text.tokenizer import train_tokenizers

WORDS = {
    **{"the": "der", "a": "ein", "one": "eins", "man": "mann", "woman": "frau", "dog": "hund", "cat": "katze"},
    **{"house": "haus", "tree": "baum", "walks": "geht", "sees": "sieht", "with": "mit", "near": "bei", "and": "und"},
    **{"then": "dann", "quickly": "schnell", "green": "grün", "red": "rot", "old": "alt", "young": "jung"},
}
ENGLISH, GERMAN = list(WORDS), list(WORDS.values())


def sentences(seed: int, count: int) -> list[tuple[str, str]]:
    """Word-by-word translations, each different."""
    random = np.random.default_rng(seed)
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        words = random.integers(len(ENGLISH), size=random.integers(4, 20)).tolist()
        pairs[" ".join(ENGLISH[word] for word in words)] = " ".join(GERMAN[word] for word in words)
    return list(pairs.items())


class Job:
    """Writes corpora and makes the config that names them."""

    def __init__(self, folder):
        self.folder = folder
        self.train = sentences(1, 1_000)
        self.validation = sentences(2, 60)
        self.test = sentences(3, 60)
        self.more: list[tuple[str, str]] | None = None
        self.settings: dict = {"vocabulary_size": 100}
        self.data: dict = {}

    def write(self, name, pairs):
        for side, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            (self.folder / f"{name}.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return {"source": str(self.folder / f"{name}.en"), "target": str(self.folder / f"{name}.de")}

    def config(self) -> Config:
        train = [self.write("train", self.train)] + ([self.write("more", self.more)] if self.more else [])
        return Config(
            run=str(self.folder / "run"),
            source_language="en",
            target_language="de",
            data={
                "train": train,
                "validation": self.write("validation", self.validation),
                "test": {"news": self.write("test", self.test)},
                **self.data,
            },
            tokenizer=self.settings,
        )

    def place(self, name, *lines) -> str:
        return f"{self.folder / name}.en:{', '.join(map(str, lines))}"


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def found(findings: list[Finding], text: str) -> str:
    """The one finding with this text."""
    (finding,) = [finding for finding in findings if text in finding.text]
    return str(finding)


def test_a_good_job_has_no_errors_and_no_warnings(job):
    report = check(job.config())
    assert report.errors == report.warnings == []
    note = found(report.notes, "data.train[0]: 1,000 pairs")
    characters = [sum(len(line) for line in side) for side in zip(*job.train, strict=True)]
    assert f"{characters[0]:,} and {characters[1]:,} characters" in note
    assert str(report).startswith("Notes\n  - data.train[0]")


def test_what_single_pairs_show_is_counted_with_the_first_lines(job):
    for line in range(10, 80, 10):
        job.train[line - 1] = ("", "nichts")
    job.train[4] = ("same dog", "same dog")
    report = check(job.config())
    assert found(report.warnings, "empty side").endswith(
        f"data.train[0]: 7\n      {job.place('train', 10, 20, 30, 40, 50)}, ..."
    )
    assert found(report.notes, "identical").endswith(f"data.train[0]: 1\n      {job.place('train', 5)}")


def test_check_and_training_agree_on_which_lines_are_empty(job, tmp_path):
    blank = ["", " ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u00ad", "\u2028", "\x07", "\x00", "."]
    for number, line in enumerate(blank):
        job.train[2 * number], job.train[2 * number + 1] = (line, "ein hund"), ("a dog", line)
    config = override_config(job.config(), ["data.case_augmentation=0.0", "protect=[]"])
    begin(tmp_path / "prepared", "")
    prepare_shards(config, train_tokenizers(config), tmp_path / "prepared", epoch=0)
    report, trained = check(config), finish(config, tmp_path / "prepared").report
    assert trained.corpora[0].empty > 10
    assert f"data.train[0]: {trained.corpora[0].empty}\n" in found(report.warnings, "empty side")


@pytest.mark.parametrize(
    ("language", "hint"), [("Japanese", '"ja"'), ("chinese (simplified)", '"zh"'), ("Deutsch", "such as")]
)
def test_the_name_of_a_language_in_place_of_its_code_gets_a_hint(job, language, hint):
    report = quick_check(override_config(job.config(), [f"target_language={language}"]))
    assert hint in found(report.warnings, f'target_language: "{language}" is no language code')


def test_a_refusal_is_one_message_with_each_error_in_it(job):
    config = job.config()
    for side in "en", "de":
        (job.folder / f"train.{side}").write_text("")
    (error,) = quick_check(config).errors
    assert quick_check(config).refusal() == str(error)
    (job.folder / "validation.de").write_text("")
    assert quick_check(config).refusal().startswith("2 errors in the job's files\n  - data.train[0]: ")


def test_pairs_over_max_length_and_unknown_characters_are_counted(job):
    job.validation[2] = ("the дог", "der Hund Ω")
    job.data = {"max_length": max(len(line) for pair in sentences(1, 1_000) for line in pair)}
    job.train[6] = ("dog " * (job.data["max_length"] + 1), "hund")
    report = check(job.config())
    assert found(report.warnings, "longer than data.max_length").endswith(f": 1\n      {job.place('train', 7)}")
    assert found(report.warnings, "does not know").endswith(f"data.validation: 1\n      {job.place('validation', 3)}")


def test_invisible_characters_are_named_with_their_places(job):
    job.train[2] = ("the do\u00adg walks near the old\u200b house\u00ad", job.train[2][1])
    job.train[5] = ("the cat sees می\u200cخواهم", "die katze\x00 sieht")
    warnings = check(job.config()).warnings
    text = found(warnings, "invisible characters in data.train[0].source")
    assert "2 x U+00AD SOFT HYPHEN, 1 x U+200B ZERO WIDTH SPACE" in text
    assert job.place("train", 3) in text
    text = found(warnings, "invisible characters in data.train[0].target")
    assert "1 x U+0000 control character" in text
    assert f"{job.folder / 'train'}.de:6" in text


def test_a_corpus_of_which_training_could_take_nothing_is_an_error(job):
    report = check(override_config(job.config(), ["data.max_length=3"]))
    found(report.errors, "data.train: no pair to train on: all have an empty side or over 3 pieces")


def test_misaligned_lines_are_found_with_their_shift(job):
    sources, targets = zip(*job.train, strict=True)
    job.train = list(zip(sources, (*targets[:400], *targets[401:], "ein hund"), strict=True))
    report = check(job.config())
    text = found(report.warnings, "look shifted")
    assert "lines 401 to 1,000" in text
    assert "source line n fits target line n-1" in text


def test_an_extreme_length_ratio_is_found(job):
    job.train[99] = ("dog", "hund und " * 20)
    assert found(check(job.config()).warnings, "extreme length ratio").endswith(f": 1\n      {job.place('train', 100)}")


def test_duplicates_and_other_translations_of_a_source_are_found(job):
    job.train[500] = job.train[3]
    job.train[600] = (job.train[4][0], "andere worte dafür und noch ein paar")
    report = check(job.config())
    assert found(report.notes, "came before in").endswith(f": 1\n      {job.place('train', 501)}")
    assert found(report.notes, "came before with another target").endswith(f": 1\n      {job.place('train', 601)}")
    job.train[700:900] = job.train[0:200]
    assert "data.train[0]: 2" in found(check(job.config()).warnings, "came before in")


def test_overlap_of_training_and_held_out_data_is_found_whatever_the_corpus(job):
    job.more = sentences(4, 100)
    job.validation[10] = job.more[20]
    job.test[0] = (job.train[0][0], "eine andere übersetzung des satzes")
    job.test[1] = job.validation[1]
    report = check(job.config())
    warning = found(report.warnings, "pairs of the training data")
    assert warning.endswith(f"data.validation: 1\n      {job.place('validation', 11)}")
    assert found(report.notes, "sources of the training data").endswith(f"test.news: 1\n      {job.place('test', 1)}")
    assert found(report.warnings, "pairs of the validation data").endswith(f": 1\n      {job.place('test', 2)}")


def test_exchanged_sides_and_one_language_on_both_are_found(job):
    job.more = [(german, english) for english, german in sentences(4, 300)]
    job.test = [(english, english + " .") for english, _ in job.test]
    report = check(job.config())
    assert "data.train[1]" in found(report.warnings, "look exchanged")
    assert "data.test.news" in found(report.warnings, "the same language")


def test_lines_in_another_script_are_found(job):
    job.train[29] = (job.train[29][0], "собака идёт домой и видит дерево")
    warning = found(check(job.config()).warnings, "CYRILLIC")
    assert "data.train[0].target, most are LATIN" in warning
    assert warning.endswith("train.de:30")


def test_a_file_given_twice_is_found(job):
    config = job.config()
    (train,) = config.data.train

    def warnings(**changes):
        report = quick_check(config.model_copy(update={"data": config.data.model_copy(update=changes)}))
        assert report.errors == []
        return report.warnings

    found(warnings(validation=train), f"data.validation is the same as data.train[0]: {train.source}, {train.target}")
    found(warnings(train=[train, train]), "data.train[1] is the same as data.train[0]")
    twice = train.model_copy(update={"target": train.source})
    found(warnings(train=[twice]), "data.train[0].target is the same file as data.train[0].source")
    half = config.data.validation.model_copy(update={"source": train.source})
    job.write("validation", job.train)
    found(warnings(validation=half), "data.validation.source is the same file as data.train[0].source")


def test_training_text_may_have_several_translations(job):
    config = job.config()
    (train,) = config.data.train
    job.write("again", [(source, target.upper()) for source, target in job.train])
    again = train.model_copy(update={"target": str(job.folder / "again.de")})
    data = config.data.model_copy(update={"train": [train, again]})
    assert quick_check(config.model_copy(update={"data": data})).warnings == []


def test_errors_of_all_files_are_told_at_once(job):
    config = job.config()
    (job.folder / "train.de").write_text("too short\n")
    (job.folder / "validation.en").write_bytes(b"\xff\n")
    (job.folder / "test.de").unlink()
    for report in (quick_check(config), check(config)):
        found(report.errors, "train.en has 1,000 lines but")
        found(report.errors, "validation.en:1: not UTF-8")
        found(report.errors, "test.de: no such file")
        assert len(report.errors) == 3
        assert str(report).startswith("Errors\n  - ")


def test_an_empty_corpus_is_an_error(job):
    config = job.config()
    for side in ("en", "de"):
        (job.folder / f"train.{side}").write_text("")
    found(quick_check(config).errors, "are empty")


@pytest.mark.parametrize(("hard", "kind"), [(True, "errors"), (False, "warnings")])
def test_a_vocabulary_the_text_cannot_fill_is_found(job, hard, kind):
    job.settings = {"vocabulary_size": 9_000, "hard_vocabulary_limit": hard}
    findings = getattr(check(job.config()), kind)
    assert any("vocabulary_size: 9,000" in finding.text and "different pieces" in finding.text for finding in findings)


def test_a_vocabulary_smaller_than_the_alphabet_is_an_error(job):
    job.settings = {"vocabulary_size": 16}
    found(check(job.config()).errors, "tokenizer.vocabulary_size: 16, but the characters")


def test_what_may_not_change_when_a_run_is_taken_up_is_an_error(job):
    config = job.config()
    tokenizer_folder = job.folder / "run" / "tokenizer"
    tokenizer_folder.mkdir(parents=True)
    train_tokenizers(config).save(tokenizer_folder)
    (job.folder / "run" / "config.yaml").write_text(dump_config(config))
    assert check(config).errors == []
    job.settings = {"vocabulary_size": 101, "type": "bpe"}
    assert check(job.config()).errors == []  # nothing has been trained yet: the run will be made anew
    (job.folder / "run" / "best.npz").touch()
    errors = check(job.config()).errors
    assert len(errors) == 1
    found(errors, "tokenizer.vocabulary_size: 100 in the run, 101 now")
    found(errors, "tokenizer.type: 'unigram' in the run, 'bpe' now")
    found(check(override_config(config, ["protect=[]"])).errors, "protect: ['urls', 'emails'")
    assert check(override_config(config, ["training.max_steps=7", "search.beam_size=2"])).errors == []
    (tokenizer_folder / "source.model").unlink()
    found(check(config).errors, "cannot read the tokenizer")


def test_a_job_that_starts_from_a_run_is_checked_with_its_pieces(job):
    base = job.folder / "base"
    (base / "tokenizer").mkdir(parents=True)
    config = job.config()
    train_tokenizers(config).save(base / "tokenizer")
    (base / "config.yaml").write_text(dump_config(config))
    fine_tuned = override_config(config, [f"training.start_from={base}", "model.dropout.output=0.5"])
    found(check(fine_tuned).errors, f"training.start_from: {base} has no best weights yet")
    (base / "best.npz").touch()
    assert check(fine_tuned).errors == []
    made_with = ["model.embedding_range=0.2", "tokenizer.max_sentences=99", "tokenizer.hard_vocabulary_limit=true"]
    assert check(override_config(fine_tuned, made_with)).errors == []
    # From these no pieces could be learned, and none need be.
    job.train = job.train[:2]
    few = job.config()
    found(check(few).warnings, "tokenizer.vocabulary_size: 100, but source text")
    report = check(override_config(few, [f"training.start_from={base}"]))
    assert not [finding for finding in report.errors + report.warnings if "tokenizer" in finding.text]
    found(check(override_config(fine_tuned, ["model.units=64"])).errors, "model.units: 64, but")
    (base / "config.yaml").write_text(dump_config(override_config(config, ["protect=[]"])))
    for setting in ("training.start_from", "tokenizer.from_run"):
        without_symbols = override_config(config, [f"{setting}={base}"])
        found(check(without_symbols).errors, f"protect: {config.protect}, but {base}")
        assert check(override_config(without_symbols, ["protect=[]"])).errors == []


def test_a_place_that_cannot_hold_a_run_is_an_error(job):
    (job.folder / "thesis").write_text("text")
    found(quick_check(override_config(job.config(), [f"run={job.folder}/thesis"])).errors, "thesis is a file")
    found(quick_check(override_config(job.config(), [f"run={job.folder}"])).errors, "is not empty (it holds")
