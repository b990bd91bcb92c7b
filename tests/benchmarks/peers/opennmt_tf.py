"""OpenNMT-tf 2.32 as a contender of ../train.py and ../translate.py; runs in an environment of its own:

    python3.11 -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install 'OpenNMT-tf[tensorflow]==2.32.0'

and is then given to those benchmarks as `--opennmt-tf ENVIRONMENT/bin/python`.
"""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import opennmt
import tensorflow as tf
from bench import answer_as_peer


def build(vocabulary, params):
    """The benchmarks' model: see ../reference.py."""
    model = opennmt.models.SequenceToSequence(
        source_inputter=opennmt.inputters.WordEmbedder(embedding_size=256),
        target_inputter=opennmt.inputters.WordEmbedder(embedding_size=256),
        encoder=opennmt.encoders.RNNEncoder(num_layers=1, num_units=256, bidirectional=True, dropout=0.2),
        decoder=opennmt.decoders.AttentionalRNNDecoder(
            num_layers=1, num_units=512, bridge_class=opennmt.layers.DenseBridge, dropout=0.2
        ),
    )
    with tempfile.NamedTemporaryFile("w", suffix=".vocab") as file:
        # OpenNMT-tf adds the unknown word; blank, <s> and </s> it wants first.
        file.write("\n".join(["<blank>", "<s>", "</s>", *(f"w{number}" for number in range(vocabulary - 4))]) + "\n")
        file.flush()
        model.initialize({"source_vocabulary": file.name, "target_vocabulary": file.name}, params=params)
    return model


def source_features(ids):
    return {"ids": tf.constant(ids, tf.int64), "length": tf.constant(np.count_nonzero(ids, axis=1), tf.int32)}


def training(path):
    arrays = np.load(path)
    model = build(int(arrays["vocabulary"]), {"label_smoothing": 0.1})
    optimizer = tf.keras.optimizers.Adam(1e-3)
    batches = []
    for number in range(int(arrays["batches"])):
        source, target_in, target_out = (arrays[f"{part}_{number}"] for part in ("source", "target_in", "target_out"))
        lengths = tf.constant(np.count_nonzero(target_out, axis=1), tf.int32)
        labels = {
            "ids": tf.constant(target_in, tf.int64),
            "ids_out": tf.constant(target_out, tf.int64),
            "length": lengths,
        }
        batches.append((source_features(source), labels))

    def specification(tensor):
        return tf.TensorSpec([None] * len(tensor.shape), tensor.dtype)

    @tf.function(input_signature=tf.nest.map_structure(specification, batches[0]))
    def step(features, labels):
        with tf.GradientTape() as tape:
            outputs, _ = model(features, labels=labels, training=True)
            loss, normalizer, _ = model.compute_loss(outputs, labels, training=True)
            loss /= normalizer
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))  # noqa: B905 (its autograph knows no strict)
        return loss

    tokens = int(sum(tf.reduce_sum(labels["length"]) for _, labels in batches))

    def repetition():
        for batch in batches:
            loss = step(*batch)
        float(loss)
        return tokens

    return repetition


def translating(path, beam_size, rows):
    arrays = np.load(path)
    length = int(arrays["length"])
    params = {
        "beam_width": beam_size,
        "minimum_decoding_length": length,
        "maximum_decoding_length": length,
    }
    model = build(int(arrays["vocabulary"]), params)
    sources = arrays["source"]
    batches = [source_features(sources[start : start + rows]) for start in range(0, len(sources), rows)]

    @tf.function(reduce_retracing=True)
    def translate(features):
        _, predictions = model(features)
        return predictions["tokens"]

    def repetition():
        for features in batches:
            translate(features)[0].numpy()
        return len(sources)

    return repetition


if __name__ == "__main__":
    answer_as_peer(training, translating)
