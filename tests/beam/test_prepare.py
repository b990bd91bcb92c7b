"""What many workers prepare is what `nmt prepare` prepares, byte for byte."""

import gzip
import json
from pathlib import Path

import pytest
from tiny_job import tiny_job, write_corpus

from nmt.beam import prepare as module
from nmt.beam.prepare import prepare
from nmt.cli.main import main
from nmt.config.file import dump_config
from nmt.config.settings import Config
from nmt.data.shards import read_summary, shard_path
from nmt.training.prepare import prepare as prepare_alone

VARIED = (
    "tokenizer.sampling_alpha=0.3",
    "data.case_augmentation=0.3",
    "data.concatenation=0.2",
    "data.shuffle_window=60",
)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> list[dict]:
    """Plain text, text that is compressed, and a file of both sides."""
    folder = tmp_path_factory.mktemp("corpora")
    write_corpus(folder)
    plain = {"source": str(folder / "train.en"), "target": str(folder / "train.xx")}
    packed = {"source": str(folder / "packed.en.gz"), "target": str(folder / "packed.xx.gz")}
    for side in plain:
        Path(packed[side]).write_bytes(gzip.compress(Path(plain[side]).read_bytes()))
    pairs = zip(*(Path(plain[side]).read_text().splitlines()[:70] for side in plain), strict=True)
    both = folder / "both.jsonl"
    both.write_text("".join(json.dumps({"en": source, "xx": target}) + "\n" for source, target in pairs))
    return [plain, {**packed, "weight": 1.5}, {"file": str(both), "weight": 2.3}]


def job(corpora, folder: Path, *settings) -> Config:
    write_corpus(folder)
    return tiny_job(folder, f"data.train={json.dumps(corpora)}", *settings)


def contents(config: Config) -> dict[str, bytes]:
    folder = Path(config.run)
    kept = [*folder.glob("prepared/*/*"), *folder.glob("tokenizer/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module", params=[VARIED, ("data.shuffle_window=60",)], ids=["epochs differ", "epochs are alike"])
def alone(request, corpora, tmp_path_factory):
    """What `nmt prepare` makes: settings, files, what it returns."""
    config = job(corpora[: 3 if request.param == VARIED else 1], tmp_path_factory.mktemp("alone"), *request.param)
    prepared = prepare_alone(config, processes=1)
    return config, contents(config), prepared


@pytest.mark.parametrize(
    ("sizes", "arguments"),
    [
        ((1000, 1 << 20), ["--direct_runner_bundle_repeat=1"]),
        ((7, 100), ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]),
    ],
    ids=["each bundle twice", "two workers"],
)
def test_workers_make_the_files_of_one_process(alone, tmp_path, sizes, arguments):
    config, files, expected = alone
    config = config.model_copy(update={"run": str(tmp_path / "run")})
    found = prepare(config, arguments, chunk_pairs=sizes[0], range_bytes=sizes[1])
    assert contents(config) == files
    assert len(files) > 6
    assert (found.windows, found.report) == (expected.windows, expected.report)


def test_training_takes_them_up_and_only_what_is_missing_is_made_again(alone, tmp_path, monkeypatch):
    config, files, _ = alone
    config = config.model_copy(update={"run": str(tmp_path / "run")})
    directory = prepare(config).directory
    monkeypatch.setattr(module, "_build", None)  # nothing is left to do
    assert prepare(config).directory == prepare_alone(config).directory == directory
    monkeypatch.undo()
    (directory / "manifest.json").unlink()
    shard_path(directory, 1).write_bytes(b"torn")
    untouched = shard_path(directory, 0).stat().st_mtime_ns
    prepare(config, chunk_pairs=11)
    assert contents(config) == files
    assert shard_path(directory, 0).stat().st_mtime_ns == untouched
    assert read_summary(shard_path(directory, 1))


def test_the_command_says_what_it_made_and_what_is_wrong(corpora, tmp_path, capsys):
    config = tmp_path / "job.yaml"
    config.write_text(dump_config(job(corpora[:1], tmp_path)))
    assert main(["beam", "prepare", str(config), "--", "--runner=NoRunner"]) == 2
    assert "NoRunner" in capsys.readouterr().err
    assert main(["beam", "prepare", str(config)]) == 0
    assert f"nmt train {config}" in capsys.readouterr().out
