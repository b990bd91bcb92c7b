"""A job that trains in seconds: its target is its source, each word spelled backwards.

Its translations are not guarded, as a second search takes as long to trace as the first: tests of the guard turn it on.
"""

import random
from pathlib import Path

from nmt.config.file import parse_config
from nmt.config.settings import Config

WORDS = ("red", "blue", "green", "big", "small", "cat", "dog", "house", "tree", "car", "runs", "sees", "old", "new")

SETTINGS = """
run: {folder}/run
source_language: "en"
target_language: "xx"
data:
  train: [{{source: {folder}/train.en, target: {folder}/train.xx}}]
  validation: {{source: {folder}/valid.en, target: {folder}/valid.xx}}
  batch_tokens: 192
  max_length: 40
  case_augmentation: 0.0
tokenizer: {{vocabulary_size: 57}}
model: {{embedding_size: 8, units: 8}}
training: {{precision: float32, tensorboard: false}}
search: {{max_length_ratio: 1.0, max_length_extra: 1, guard: false}}
"""


def write_corpus(folder: Path) -> None:
    choose = random.Random(1)
    for name, lines in (("train", 150), ("valid", 6)):
        with open(folder / f"{name}.en", "w") as source, open(folder / f"{name}.xx", "w") as target:
            for _ in range(lines):
                words = choose.choices(WORDS, k=choose.randint(1, 6))
                print(*words, file=source)
                print(*(word[::-1] for word in words), file=target)


def tiny_job(folder: Path, *settings: str) -> Config:
    """The config of the corpus in `folder`; settings as for --set."""
    return parse_config(SETTINGS.format(folder=folder), overrides=settings)
