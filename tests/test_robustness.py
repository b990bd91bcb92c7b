"""What no corpus prepares a model for: one line, bounded, free of loops or flagged, with its spans unharmed."""

import subprocess
import sys
from collections import Counter
from contextlib import closing
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from nmt.config.file import load_config, override_config
from nmt.exports.saved_model import SavedModel
from nmt.exports.writer import export
from nmt.runs.run import Run
from nmt.training.train import train
from nmt.translation.ensemble import load_translator

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "runs" / "demo"  # what `make demo` leaves behind
SENTENCE = "She bought twenty-one apples in May."
PARAGRAPH = " ".join(
    f"On the {day}. day of the long journey the {who} counted {what}, wrote the number down and went on."
    for day, (who, what) in enumerate(
        product(["captain", "cook", "doctor", "sailor"], ["ships", "birds", "waves", "stars"])
    )
)
LINES = {
    "capitals": SENTENCE.upper(),
    "no capitals": SENTENCE.lower(),
    "no full stop": SENTENCE.rstrip("."),
    "doubled punctuation": "She bought twenty-one apples,, in May!!!??",
    "only punctuation": "...",
    "one word": "Twenty",
    "one letter": "a",
    "names never seen": "Xiomara Quetzalcóatl met Þórbjörg Wrzeszczyńska in Llanfairpwllgwyngyll.",
    "emoji": "Twenty-one 🎉👩‍👩‍👧 apples 🍎",
    "another language": "Le chat est assis sur la table et regarde les oiseaux.",
    "another script": "猫がテーブルの上に座っています。 Кошка сидит на столе.",
    "gibberish": "asdf qwlkj zxcv ;;; qqqqq lkjh xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "one letter again and again": "a " * 150,
    "ten times the same": " ".join([SENTENCE] * 10),
    "a paragraph of 300 words": PARAGRAPH,
    "control characters": "twenty\x00 one\x07\u200b\ufeff \u202eone",
}
SPANS = {
    "a URL": ("See https://example.org/a_(b)?q=1&r=%20x#top for twenty apples.", ["https://example.org/a_(b)?q=1&r=%20x#top"]),
    "an e-mail address": ("Write to jane.doe+apples@mail.example.co.uk today.", ["jane.doe+apples@mail.example.co.uk"]),
    "placeholders": ("{name} has %s apples and %(count)d in {0}.", ["{name}", "%s", "%(count)d", "{0}"]),
    "tags": ("Twenty <b>one</b> or <br/> two.", ["<b>", "</b>", "<br/>"]),
    "spans next to each other": ("{a}{b}<i>{c}</i>", ["{a}", "{b}", "<i>", "{c}", "</i>"]),
    "more spans than symbols": (" ".join(f"{{x{n}}}" for n in range(30)), [f"{{x{n}}}" for n in range(30)]),
}  # fmt: skip
ALL = [*LINES.values(), *(line for line, _ in SPANS.values())]


def num_repeats(text):
    """Triples of words that were there before."""
    words = text.split()
    triples = [(*pair, third) for pair, third in zip(pairwise(words), words[2:], strict=False)]
    return sum(count - 1 for count in Counter(triples).values())


@pytest.fixture(scope="module", params=["number_run", "demo"])
def run(request, tmp_path_factory):
    if request.param == "number_run":
        return request.getfixturevalue("number_run")
    if (DEMO / "best.npz").is_file():
        return Run.open(DEMO)
    return train_small_demo(tmp_path_factory.mktemp("demo"))


def train_small_demo(folder):
    """The job of `make demo`, with a smaller corpus and model, and fewer steps."""
    script = ROOT / "data_scripts" / "demo.py"
    subprocess.run([sys.executable, script, folder, "--pairs", "1000"], check=True, stdout=subprocess.DEVNULL)
    for side in ("en", "de"):
        lines = (folder / f"valid.{side}").read_text(encoding="utf-8").splitlines()[:20]
        (folder / f"valid.{side}").write_text("\n".join(lines), encoding="utf-8")
    train_set = f"{{source: {folder}/train.en, target: {folder}/train.de}}"
    return train(
        load_config(
            ROOT / "configs" / "demo.yaml",
            overrides=[
                f"run={folder}/run",
                f"data.train=[{train_set}]",
                f"data.validation={{source: {folder}/valid.en, target: {folder}/valid.de}}",
                "data.test={}",
                "tokenizer.vocabulary_size=400",
                "model.units=64",
                "model.embedding_size=32",
                "training.max_steps=200",
                "training.validate_every=200",
            ],
        )
    )


@pytest.fixture(scope="module")
def translator(run):
    return load_translator([run])


@pytest.fixture(scope="module")
def translations(translator):
    return dict(zip(ALL, translator.translate(ALL), strict=True))


@pytest.mark.parametrize("kind", LINES)
def test_what_is_not_flagged_neither_loops_nor_vanishes_nor_explodes(run, translations, kind):
    line = LINES[kind]
    found = translations[line]
    assert "\n" not in found.text
    # In any case no longer than the search allows, piece by piece: the line's own pieces, and an end a chunk.
    search, pieces = run.config.search, len(found.source_pieces)
    chunks = 1 + 2 * pieces // search.max_source_length
    most = search.max_length_ratio * (pieces + chunks) + chunks * search.max_length_extra
    assert len(found.n_best[0].pieces) <= most
    if not found.degenerate:
        assert found.text.strip()
        assert num_repeats(found.text) <= 3 * chunks + 2 * num_repeats(line)


@pytest.mark.parametrize("kind", SPANS)
def test_spans_come_through_unharmed_exactly_once(translations, kind):
    line, spans = SPANS[kind]
    text = translations[line].text
    assert {span: text.count(span) for span in spans} == {span: line.count(span) for span in spans}


def test_an_empty_line_stays_empty_among_others(translator):
    assert [each.text for each in translator.translate(["", "Twenty", "   "])][::2] == ["", ""]


def test_the_export_translates_every_one_of_them_as_the_command_line_does(run, translations, tmp_path):
    pytest.importorskip("tensorflow_text")
    written = export(run, tmp_path, config=override_config(run.config, ["export.n_best=1"]))
    with closing(SavedModel(written, warm_up=False)) as model:
        found = model.run("serving_default", {"text": np.array([line.encode() for line in ALL], dtype=object)})
    assert [text.decode() for text in found["translation"]] == [translations[line].text for line in ALL]
    assert found["degenerate"].tolist() == [translations[line].degenerate for line in ALL]
