"""What several test files share: the order they run in, memory given back between them, a trained run."""

import gc
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as startup.py has it


# Each process takes the next whole file: the slowest go first, so that none is left over at the end.
SLOWEST_FIRST = (
    "cli/test_cli.py",
    "exports/test_export.py",
    "test_api.py",
    "test_tutorial.py",
    "training/test_train.py",
    "test_robustness.py",
    "translation/test_translate.py",
    "translation/test_calibrate.py",
    "training/test_distribute.py",
    "evaluation/test_evaluate.py",
    "layers/test_lstm.py",
    "model/test_model.py",
    "search/test_search.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="module", autouse=True)
def memory_given_back():
    """Graphs and sessions of a file that is done hold each other in circles."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Gives a folder that is filled once for all test processes: the first to ask fills it, the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        path, filled = base / name, base / f"{name}.filled"
        with FileLock(base / f"{name}.lock"):
            if not filled.exists():
                shutil.rmtree(path, ignore_errors=True)
                path.mkdir()
                fill(path)
                filled.touch()
        return path

    return folder


@pytest.fixture(scope="session")
def number_run(made_once):
    """A finished run that half knows how to say English numbers in German; a line is one to three short sentences."""
    from nmt.runs.run import Run

    return Run.open(made_once("numbers", train_number_run) / "run")


def train_number_run(folder: Path) -> None:
    from num2words import num2words
    from tiny_job import tiny_job

    from nmt.training.train import train

    choose = random.Random(1)
    for name, lines in (("train", 600), ("valid", 4)):
        with open(folder / f"{name}.en", "w") as source, open(folder / f"{name}.xx", "w") as target:
            for _ in range(lines):
                said = [(choose.randrange(100), choose.choice(".?。")) for _ in range(choose.randint(1, 3))]
                print(*(num2words(number) + end for number, end in said), file=source)
                print(*(num2words(number, lang="de") + end for number, end in said), file=target)
    train(
        tiny_job(
            folder,
            "tokenizer.vocabulary_size=89",
            "model.units=64",
            "model.embedding_size=32",
            "model.dropout={embedding: 0.0, layers: 0.0, output: 0.0}",
            "data.batch_tokens=512",
            "training.max_steps=300",
            "training.validate_every=300",
            "training.label_smoothing=0.0",
            "training.schedule={name: constant, learning_rate: 0.004, warmup_steps: 10}",
            "search.max_length_ratio=2.0",
            "search.guard=true",
        )
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The folder of tiny_job's corpus."""
    from tiny_job import write_corpus

    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizers(corpus):
    """The tokenizers of that corpus."""
    from tiny_job import tiny_job

    from nmt.text.tokenizer import train_tokenizers

    return train_tokenizers(tiny_job(corpus))
