"""The sample that trains a job's tokenizers: they are those that the whole corpora train."""

import json
import shlex
from pathlib import Path

import pytest
from tiny_job import tiny_job, write_corpus

from nmt.beam.sample import sample
from nmt.cli.main import main
from nmt.config.data import Corpus
from nmt.config.file import dump_config
from nmt.text.tokenizer import train_tokenizers


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    write_corpus(folder)
    lines = [(folder / f"train.{side}").read_text().splitlines() for side in ("en", "xx")]
    (folder / "both.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in zip(*lines, strict=True)))
    plain = {"source": str(folder / "train.en"), "target": str(folder / "train.xx")}
    return folder, [plain, {"file": str(folder / "both.tsv"), "weight": 2.5, "tag": "<tsv>"}]


@pytest.mark.parametrize("settings", [(), ("tokenizer.joint=false",), ("tokenizer.max_sentences=1000",)], ids=str)
@pytest.mark.parametrize("sizes", [(1000, 1 << 20), (7, 100)], ids=str)
def test_it_trains_the_tokenizers_that_the_corpora_train(corpora, tmp_path, settings, sizes):
    folder, train = corpora
    few = ["tokenizer.max_sentences=101", "data.case_augmentation=0.3"]
    config = tiny_job(folder, f"data.train={json.dumps(train)}", "protect=[urls]", *few, *settings)
    again = ["--direct_runner_bundle_repeat=1"]
    found = sample(config, tmp_path, again, chunk_pairs=sizes[0], range_bytes=sizes[1])
    assert [corpus.tag for corpus in found] == [None, "<tsv>"]
    assert len(list(tmp_path.iterdir())) == 4
    instead = config.model_copy(update={"data": config.data.model_copy(update={"train": found})})
    for one, other in zip(train_tokenizers(instead), train_tokenizers(config), strict=True):
        assert one.model == other.model


def test_it_is_as_large_as_the_settings_say(corpora, tmp_path):
    folder, train = corpora
    config = tiny_job(folder, f"data.train={json.dumps(train[:1])}", "tokenizer.max_sentences=40")
    (found,) = sample(config, tmp_path)
    assert isinstance(found, Corpus)
    assert [Path(file).read_text().count("\n") for file in found.files.values()] == [20, 20]


def test_the_commands_that_it_prints_make_the_run_of_the_job(corpora, tmp_path, capsys):
    folder, train = corpora
    settings = ["tokenizer.max_sentences=60", f"run={tmp_path / 'run'}"]
    config = tiny_job(folder, f"data.train={json.dumps(train[:1])}", *settings)
    (tmp_path / "job.yaml").write_text(dump_config(config))
    assert main(["beam", "sample", str(tmp_path / "job.yaml"), "--output", str(tmp_path / "sample")]) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if line.startswith("  nmt")]
    for command in commands:
        assert main(command[1:]) == 0
    made = (tmp_path / "run" / "tokenizer" / "source.model").read_bytes()
    assert made == train_tokenizers(config).source.model
