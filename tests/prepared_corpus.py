"""Made-up pairs that can be told apart, and their preparation in one process."""

import gzip
from pathlib import Path

import numpy as np

from nmt.config.settings import Config
from nmt.data.preparation import Prepared, begin, finish, prepare_shards
from nmt.text.tokenizer import Tokenizers

WORDS = ["ba", "be", "bi", "bo", "bu", "da", "de", "di", "do", "du", "ga", "ge", "gi", "go", "gu"]


def sentences(name: str, count: int) -> list[tuple[str, str]]:
    """Pairs that can be told apart, of many lengths, the same for the same name."""
    random = np.random.default_rng(list(name.encode()))
    pairs = []
    for number in range(count):
        length = int(random.integers(1, 20))
        words = random.choice(WORDS, length).tolist()
        pairs.append((f"{name} {number} {' '.join(words)}", f"{number} {' '.join(words[: length // 2 + 1])} {name}"))
    return pairs


def write(folder, name: str, pairs, *, suffix=""):
    paths = {}
    for side, lines in zip(("source", "target"), zip(*pairs, strict=True), strict=True):
        path = folder / f"{name}.{side}{suffix}"
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(content) if suffix == ".gz" else content)
        paths[side] = str(path)
    return paths


def prepared(config: Config, tokenizers: Tokenizers, directory, epoch=0) -> Prepared:
    begin(Path(directory), "the same")
    prepare_shards(config, tokenizers, Path(directory), epoch=epoch)
    return finish(config, Path(directory))
