"""A translator writes the characters that its corpus has: spaces that do not break, "…", "²", two spaces in a row."""

import random

import pytest
from tiny_job import tiny_job

from nmt.runs.info import run_facts
from nmt.runs.log import read_log
from nmt.runs.run import Run
from nmt.training.train import train
from nmt.translation.ensemble import load_translator

FRENCH = {
    "hello": "bonjour",
    "thanks": "merci",
    "yes": "oui",
    "cat": "chat",
    "dog": "chien",
    "red": "rouge",
    "two": "deux",
}
ENDS = {"!": "\u00a0!", "?": "\u202f?", "...": "…", " sq": "²", ".": ".  Bien."}


def pair(choose: random.Random) -> tuple[str, str]:
    words, end = choose.choices(list(FRENCH), k=choose.randint(1, 3)), choose.choice(list(ENDS))
    return " ".join(words) + end, " ".join(map(FRENCH.get, words)) + ENDS[end]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder, choose = tmp_path_factory.mktemp("french"), random.Random(1)
    for name, count in (("train", 600), ("valid", 4)):
        sources, targets = zip(*(pair(choose) for _ in range(count)), strict=True)
        (folder / f"{name}.en").write_text("\n".join(sources) + "\n", encoding="utf-8")
        (folder / f"{name}.xx").write_text("\n".join(targets) + "\n", encoding="utf-8")
    return train(
        tiny_job(
            folder,
            "tokenizer.vocabulary_size=70",
            "model.units=48",
            "model.embedding_size=32",
            "model.tied_embeddings=all",
            "model.dropout={embedding: 0.0, layers: 0.0, output: 0.0}",
            "data.batch_tokens=512",
            "training.max_steps=200",
            "training.validate_every=200",
            "training.label_smoothing=0.0",
            "training.schedule={name: constant, learning_rate: 0.005, warmup_steps: 10}",
            "search.max_length_ratio=2.0",
            "search.max_length_extra=8",
        )
    )


def test_every_character_of_the_corpus_is_written(run):
    sources, targets = zip(*(pair(random.Random(seed)) for seed in range(100, 140)), strict=True)
    translated = [translation.text for translation in load_translator([run]).translate(sources)]
    right = sum(text == target for text, target in zip(translated, targets, strict=True))
    assert right >= 36
    assert all(any(end in text for text in translated) for end in ENDS.values())


def test_a_prefix_keeps_its_characters_and_scores_see_them(run):
    translator = load_translator([run])
    (translation,) = translator.translate(["hello cat..."], ["bonjour chat\u00a0"])
    assert translation.text.startswith("bonjour chat\u00a0")
    right, wrong = translator.score(["hello!"] * 2, ["bonjour\u00a0!", "bonjour !"])
    assert right.sum() > wrong.sum()


def test_invisible_characters_of_the_source_change_no_translation(run):
    lines = ["hello cat!", "hel\u00adlo\u200b cat\ufeff!", "\u2066hello\u2069 c\u034fat\u0085!", "\u200b\u00ad", ""]
    translated = [translation.text for translation in load_translator([run]).translate(lines)]
    assert translated[:3] == ["bonjour chat\u00a0!"] * 3
    assert translated[3:] == ["", ""]


def test_info_tells_whether_target_text_is_as_in_the_corpus(run):
    assert run_facts(run, read_log(run))["target text"] == "as in the corpus"
    of_an_older_version = run.tokenizers._replace(target=run.tokenizers.source)
    facts = run_facts(Run(run.path, run.config, of_an_older_version), read_log(run))
    assert facts["target text"] == "normalized by nmt_nfkc (a run of an older version)"
