"""The model that whole systems are compared with, and work for it that is the same for all.

Vocabulary 8,000; embeddings 256; a bidirectional LSTM encoder 2 x 256; one decoder LSTM of 512 with Luong attention.
Weights are random: speed does not depend on them. Lengths are like those of image captions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nmt.config.settings import Config
from nmt.data.batches import Batch, make_batch

VOCABULARY = 8000


EMBEDDING, UNITS = 256, 512


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


def batches(
    count: int, *, rows: int = 64, vocabulary: int = VOCABULARY, mean_length: int = 14, grouped: bool = True
) -> list[Batch]:
    """Batches of sentence pairs, grouped by length as a sorted corpus gives them, or as they come."""
    random = np.random.default_rng(0)
    lengths = random.gamma(9.0, mean_length / 9.0, size=rows * count).astype(int) + 2
    if grouped:
        lengths = np.sort(lengths)

    def ids(length):
        return random.integers(4, vocabulary, size=length)

    made = []
    for group in np.split(lengths, count):
        targets = np.maximum(group + random.integers(-1, 2, size=rows), 1)
        made.append(make_batch([ids(length) for length in group], [ids(length) for length in targets]))
    return [made[number] for number in random.permutation(count)]


def training_arrays(made: Sequence[Batch], vocabulary: int) -> dict[str, object]:
    """Batches to train on, as the peers get them."""
    arrays: dict[str, object] = {"vocabulary": vocabulary, "batches": len(made)}
    for number, batch in enumerate(made):
        arrays |= {f"{part}_{number}": ids for part, ids in batch._asdict().items()}
    return arrays


def products(
    *,
    source: int,
    target: int,
    tokens: int,
    units: int = UNITS,
    vocabulary: int = VOCABULARY,
    decoder_layers: int = 1,
) -> list[tuple[int, int, int]]:
    """The model's matrix products as (m, k, n) of [m, k] x [k, n], as few and as large as they could be. Left out are
    the attention's two with the source, well below a hundredth of all.

    Args: positions, padding included, of all rows' source and target; tokens: target positions that need logits.
    """
    half = units // 2
    return [
        (source, EMBEDDING + half, 4 * half),  # the encoder forwards
        (source, EMBEDDING + half, 4 * half),  # and backwards
        (source, units, units),  # the attention's keys
        (target, EMBEDDING + units, 4 * units),  # the decoder
        *[(target, 3 * units, 4 * units)] * (decoder_layers - 1),  # its layers above, which see the context, too
        (target, 2 * units, units),  # the attentional vector
        (tokens, units, vocabulary),
    ]


def multiply(shapes: list[tuple[int, int, int]], precision: str, *, backward: bool) -> Callable[[], None]:
    """A function that makes such products and nothing else, with `backward` their gradients' too: the limit."""
    from nmt.startup import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    def matrix(*shape):
        return tf.cast(tf.random.normal(shape), precision)

    operands = [(matrix(m, k), matrix(k, n), matrix(m, n) if backward else None) for m, k, n in shapes]

    @tf.function(autograph=False)
    def run():
        made = []
        for left, right, gradient in operands:
            made.append(tf.matmul(left, right))
            if backward:
                made += [tf.matmul(gradient, right, transpose_b=True), tf.matmul(left, gradient, transpose_a=True)]
        return [product[0, 0] for product in made]  # read, or they would not be made

    return lambda: [float(corner) for corner in run()]
