"""A model of a few units, with every weight random, and sentences for it."""

import functools
import json

import numpy as np
import tensorflow as tf

from nmt.config.model import ModelConfig
from nmt.model.decoder import DecoderState
from nmt.model.seq2seq import POLICIES, Seq2Seq
from nmt.text.tokenizer import BOS, EOS, PAD

VOCABULARY = 11
SOURCE = np.array([[5, 6, 7, EOS], [10, 4, EOS, PAD], [6, EOS, PAD, PAD]], np.int32)
TARGET_IN = np.array([[BOS, 5, 5, 9], [BOS, 8, 4, 7], [BOS, 6, PAD, PAD]], np.int32)

# Every part of the network in some company.
VARIANTS = {
    "additive, two heads, two decoder layers": {
        "attention": {"score": "additive", "heads": 2},
        "decoder": {"layers": 2},
    },
    "dot, residual encoder": {"attention": {"score": "dot"}, "encoder": {"layers": 2}},
    "general, layer normalization": {
        "attention": {"score": "general"},
        "decoder": {"layers": 2},
        "layer_normalization": True,
    },
    "scaled, four heads, untied": {"attention": {"heads": 4}, "tied_embeddings": "none"},
    "input feeding, all tied": {"decoder": {"layers": 2, "input_feeding": True}, "tied_embeddings": "all"},
    "lexical path": {"lexical": True, "encoder": {"layers": 1}},
}


def tiny_model(settings=None, *, precision="float32", end_bias=0.0) -> Seq2Seq:
    """The model that these settings of the section `model` describe; the same shapes get the same weights.

    Args: end_bias: added to the logit of EOS: left to itself it never ends.
    """
    return _tiny_model(json.dumps(settings or {}), precision, end_bias)


@functools.cache
def _tiny_model(settings: str, precision: str, end_bias: float) -> Seq2Seq:
    config = ModelConfig(**{"embedding_size": 6, "units": 8, **json.loads(settings)})
    model = Seq2Seq(config, VOCABULARY, VOCABULARY, dtype=POLICIES[precision])
    model(SOURCE[:, :1], TARGET_IN[:, :1])
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.4, size=weight.shape))
    output_bias = model.decoder.output_weights[1]
    output_bias.assign(output_bias + end_bias * np.eye(VOCABULARY)[EOS])
    return model


def step_by_step(model, tokens, state, memory):
    """What the decoder says when called for one token after the other: logits, state, weights as for all at once."""
    logits, weights = [], []
    for step in tf.unstack(tokens, axis=1):
        step_logits, state, step_weights = model.decoder(step[:, tf.newaxis], DecoderState(*state), memory)
        logits.append(step_logits)
        weights.append(step_weights)
    return tf.concat(logits, axis=1), state, tf.concat(weights, axis=1)
