"""The model that whole systems are compared with, and work for it that is the same for all.

Vocabulary 8,000; embeddings 256; a bidirectional LSTM encoder 2 x 256; one decoder LSTM of 512 with Luong attention.
Weights are random: speed does not depend on them. Lengths are like those of image captions.
"""

from __future__ import annotations

import numpy as np

from nmt.config import Config
from nmt.data import Batch, make_batch

VOCABULARY = 8000


def config(**sections) -> Config:
    files = {"source": "-", "target": "-"}
    return Config.model_validate(
        {
            "run": "-",
            "source_language": "-",
            "target_language": "-",
            "data": {"train": [files], "validation": files},
            "model": {"tied_embeddings": "none", "attention": {"score": "general"}, **sections.pop("model", {})},
            **sections,
        }
    )


def batches(count: int, *, rows: int = 64, vocabulary: int = VOCABULARY, mean_length: int = 14) -> list[Batch]:
    """Batches of sentence pairs grouped by length, as a sorted corpus gives them."""
    random = np.random.default_rng(0)
    lengths = np.sort(random.gamma(9.0, mean_length / 9.0, size=rows * count).astype(int) + 2)

    def ids(length):
        return random.integers(4, vocabulary, size=length)

    made = []
    for group in np.split(lengths, count):
        targets = np.maximum(group + random.integers(-1, 2, size=rows), 1)
        made.append(make_batch([ids(length) for length in group], [ids(length) for length in targets]))
    return [made[number] for number in random.permutation(count)]
