"""What several test files share."""

import os
import random

import pytest

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as startup.py has it


@pytest.fixture(scope="session")
def number_run(tmp_path_factory):
    """A finished run that half knows how to say English numbers in German; a line is one to three short sentences."""
    from num2words import num2words
    from tiny_job import tiny_job

    from nmt.training.train import train

    folder, choose = tmp_path_factory.mktemp("numbers"), random.Random(1)
    for name, lines in (("train", 600), ("valid", 4)):
        with open(folder / f"{name}.en", "w") as source, open(folder / f"{name}.xx", "w") as target:
            for _ in range(lines):
                said = [(choose.randrange(100), choose.choice(".?。")) for _ in range(choose.randint(1, 3))]
                print(*(num2words(number) + end for number, end in said), file=source)
                print(*(num2words(number, lang="de") + end for number, end in said), file=target)
    return train(
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
        )
    )
