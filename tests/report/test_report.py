"""A report is one valid page that needs nothing else, says what is so, and is made of a run in any state."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import html5lib
import pytest
import sacrebleu
from chromium import find_chromium

from nmt.config.data import TextPair
from nmt.report.gather import gather
from nmt.report.page import write_page
from nmt.runs.run import Run
from nmt.text.metrics import sentence_chrf
from nmt.translation.calibrate import calibrate_run
from nmt.translation.ensemble import load_translator
from nmt.translation.heat_map import FORBIDDEN

LINES = 60
MARKUP = '<script>alert("&lt;")</script> <b>six & "seven"</b>'
UNPRINTABLE = "bell \x07 nonchar \ufdd3 \U0001fffe"  # in HTML


def copy_of(run: Run, folder: Path, **data) -> Run:
    """A copy of a run, with other settings of the section `data`."""
    shutil.copytree(run.path, folder)
    config = run.config.model_copy(update={"data": run.config.data.model_copy(update=data)})
    return Run(folder, config, run.tokenizers)


def write_pair(folder: Path, name: str, pairs) -> TextPair:
    pair = TextPair(source=f"{folder}/{name}.en", target=f"{folder}/{name}.xx")
    for path, side in zip((pair.source, pair.target), zip(*pairs, strict=True), strict=True):
        Path(path).write_text("".join(f"{line}\n" for line in side), encoding="utf-8")
    return pair


@pytest.fixture(scope="module")
def pairs(number_run) -> list[tuple[str, str]]:
    corpus = number_run.config.data.train[0]
    sides = [Path(path).read_text(encoding="utf-8").splitlines() for path in (corpus.source, corpus.target)]
    return list(zip(*sides, strict=True))[:LINES]


@pytest.fixture(scope="module")
def run(number_run, pairs, tmp_path_factory) -> Run:
    """A calibrated run with a test set that has markup and what HTML forbids in its last two lines."""
    folder = tmp_path_factory.mktemp("report")
    test = write_pair(folder, "test", [*pairs, (MARKUP, MARKUP), (UNPRINTABLE, "eins")])
    found = copy_of(
        number_run, folder / "run<1>", validation=write_pair(folder, "valid", pairs), test={"numbers": test}
    )
    calibrate_run(found)
    return found


@pytest.fixture(scope="module")
def report(run):
    return gather(run)


@pytest.fixture(scope="module")
def file(report, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(report, path)
    return path


@pytest.fixture(scope="module")
def page(file):
    """The page as a browser's parser reads it; one that is not valid HTML is an error."""
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False)
    return parser.parse(file.read_text(encoding="utf-8"))


def text_of(element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def section(page, name: str):
    return next(each for each in page.iter("section") if each.get("id") == name)


def test_scores_are_sacrebleus_of_the_translators_lines_with_its_intervals(run, report, page):
    test = run.config.data.test["numbers"]
    sources, references = (Path(path).read_text(encoding="utf-8").splitlines() for path in (test.source, test.target))
    hypotheses = [each.text for each in load_translator([run]).translate(sources)]
    rows = {row.find("th").text: row.findall("td") for row in section(page, "set-1").find(".//tbody")}
    for name, metric in (("BLEU", sacrebleu.BLEU()), ("chrF2", sacrebleu.CHRF()), ("TER", sacrebleu.TER())):
        expected = metric.corpus_score(hypotheses, [references], n_bootstrap=1000)
        assert text_of(rows[name][0]) == f"{expected.score:.2f}"
        assert text_of(rows[name][1]) == f"{expected._mean:.2f} \u00b1 {expected._ci:.2f}"
        assert metric.get_signature().format() in text_of(section(page, "set-1"))


def test_examples_are_the_lines_of_largest_and_smallest_chrf_with_source_and_reference(report, page):
    (test_set,) = report.test_sets
    texts = [each.text for each in test_set.outputs[0].translations]
    chrf = sentence_chrf(texts, test_set.references)
    shown = [text_of(each) for each in section(page, "set-1").iter("article")]
    numbers = [int(re.match(r"Line (\d+) ", each)[1]) - 1 for each in shown]
    ascending = sorted(chrf)
    assert [chrf[number] for number in numbers] == [*ascending[:6], *ascending[:-7:-1]]
    for number, text in zip(numbers, shown, strict=True):
        source = " ".join(FORBIDDEN.sub("\ufffd", test_set.sources[number]).split())
        assert f"Source {source} Reference " in text
        assert f"Translation chrF {chrf[number]:.1f} " in text


def test_attention_confidence_settings_and_facts_are_there(run, page):
    maps = [table for table in page.iter("table") if "Attention" in table.get("aria-label", "")]
    assert len(maps) == 5
    confidence = text_of(section(page, "confidence"))
    calibration = run.calibration()
    assert f"{calibration.pearson:.3f} (Pearson), {calibration.spearman:.3f} (Spearman)" in confidence
    assert all(f"{each.confidence:.3f}" in confidence for each in calibration.reliability)
    default = type(run.config.model)().units
    assert f"model.units {default} {run.config.model.units}" in text_of(section(page, "settings"))
    assert "en -> xx" in text_of(section(page, "run"))


def test_curves_have_a_plot_each(page):
    labels = [svg.get("aria-label") for svg in section(page, "training").iter() if str(svg.tag).endswith("svg")]
    assert labels == ["Loss", "BLEU and chrF on the validation set", "Learning rate", "Target tokens per second"]


def test_what_looks_like_markup_is_text(page):
    assert not list(page.iter("script"))
    assert MARKUP in text_of(page)
    assert "run<1>" in text_of(page.find(".//h1"))


def test_the_page_asks_for_nothing_but_itself(file):
    text = file.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href|action|data|poster|srcset)="(?!#|data:)[^"]*"', text) == []
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text


def test_a_real_browser_shows_it_without_a_complaint(file, tmp_path):
    browser = find_chromium()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    flags += ["--disable-component-update", "--enable-logging=stderr", f"--user-data-dir={tmp_path}", "--dump-dom"]
    done = subprocess.run([browser, *flags, file.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr
    assert "chrF by source length" in done.stdout


# ---- two runs


def test_two_runs_stand_side_by_side_with_the_paired_bootstrap(run, number_run, tmp_path):
    other = copy_of(number_run, tmp_path / "other", test=run.config.data.test)
    short = Run(run.path, run.config.model_copy(update={"data": other.config.data}), run.tokenizers)
    report = gather(short, against=other)
    (test_set,) = report.test_sets
    ours, theirs = test_set.outputs
    assert [score.p_value is None for score in theirs.scores] == [True] * 3
    assert [score.value for score in ours.scores] == [score.value for score in theirs.scores]  # the same weights
    assert all(score.p_value is not None for score in ours.scores)
    write_page(report, tmp_path / "pair.html")
    text = (tmp_path / "pair.html").read_text(encoding="utf-8")
    assert "paired bootstrap" in text
    assert str(other.path) in text
    assert "Most chrF gained" not in text  # they are equal


# ---- every state


def test_a_run_that_has_hardly_begun_has_a_report_that_says_so(number_run, tmp_path):
    begun = copy_of(number_run, tmp_path / "begun")
    (begun.path / "best.npz").unlink()
    shutil.rmtree(begun.path / "checkpoints")
    (begun.path / "log.jsonl").unlink()
    write_page(gather(begun), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "no translations: " in text
    assert "Nothing was logged yet" in text
    assert "no confidence" in text


def test_damaged_and_missing_files_cost_only_what_was_in_them(number_run, tmp_path):
    missing = TextPair(source="/no/such.en", target="/no/such.xx")
    validation = number_run.config.data.validation
    train = [number_run.config.data.train[0].model_copy(update={"target": "/no/train.xx"})]
    damaged = copy_of(number_run, tmp_path / "damaged", test={"gone": missing, "there": validation}, train=train)
    (damaged.path / "best.npz").write_bytes(b"no weights")
    (damaged.path / "confidence.json").write_text("{}")
    log = damaged.path / "log.jsonl"
    whole = log.read_text()
    log.write_text('{"event": "tra\n' + whole)
    report = gather(damaged)
    gone, there = report.test_sets
    assert "/no/such.en" in gone.problem
    assert len(there.outputs[0].translations) == 4
    assert [json.loads(line) for line in whole.splitlines()] == report.systems[0].log.events
    write_page(report, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for said in (
        "log.jsonl, line 1",
        "/no/such.en: no such file",
        "/no/train.xx: no such file",
        "by the last checkpoint",
    ):
        assert said in text
