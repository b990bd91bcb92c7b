"""OpenNMT-tf 2.32 as a contender of ../train.py, ../translate.py and ../text.py; runs in an environment of its own:

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
from bench import answer_as_peer, source_batches


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


def own_ids(ids, vocabulary):
    """Ours as its vocabulary has them: it has no UNK at 1, but at the end."""
    return np.where(ids > 1, ids - 1, np.where(ids == 1, vocabulary - 1, 0))


def our_ids(tokens):
    """The ids of its tokens, words and </s>, up to the first </s>."""
    words = [token.decode() for token in tokens]
    words = words[: words.index("</s>")] if "</s>" in words else words
    return [int(word[1:]) + 4 if word.startswith("w") else 1 for word in words]


def source_features(ids, vocabulary):
    lengths = tf.constant(np.count_nonzero(ids, axis=1), tf.int32)
    return {"ids": tf.constant(own_ids(ids, vocabulary), tf.int64), "length": lengths}


def training(path, weights):
    arrays = np.load(path)
    vocabulary = int(arrays["vocabulary"])
    model = build(vocabulary, {"label_smoothing": 0.1})
    optimizer = tf.keras.optimizers.Adam(1e-3)
    batches = []
    for number in range(int(arrays["batches"])):
        source, target_in, target_out = (arrays[f"{part}_{number}"] for part in ("source", "target_in", "target_out"))
        lengths = tf.constant(np.count_nonzero(target_out, axis=1), tf.int32)
        labels = {
            "ids": tf.constant(own_ids(target_in, vocabulary), tf.int64),
            "ids_out": tf.constant(own_ids(target_out, vocabulary), tf.int64),
            "length": lengths,
        }
        batches.append((source_features(source, vocabulary), labels))

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
        if weights:
            # By place: names are not the same in each process.
            np.savez(weights, *(variable.numpy() for variable in model.trainable_variables))
        return tokens

    return repetition


def translating(path, beam_size, rows, weights):
    arrays = np.load(path)
    vocabulary = int(arrays["vocabulary"])
    limits = {"minimum_decoding_length": int(arrays["fewest"]), "maximum_decoding_length": int(arrays["most"])}
    model = build(vocabulary, {"beam_width": beam_size, "length_penalty": 1.0, **limits})
    batches = [source_features(ids, vocabulary) for ids in source_batches(arrays["source"], rows)]

    @tf.function(reduce_retracing=True)
    def translate(features):
        _, predictions = model(features)
        return predictions["tokens"]

    if weights:
        translate(batches[0])  # makes the variables
        values = np.load(weights)
        for variable, name in zip(model.trainable_variables, values.files, strict=True):
            variable.assign(values[name])

    def repetition():
        found = []
        for features in batches:
            found += list(translate(features)[:, 0].numpy())
        return [our_ids(tokens) for tokens in found] if weights else len(found)

    return repetition


if __name__ == "__main__":
    answer_as_peer(training, translating)
