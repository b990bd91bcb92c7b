"""The graphs of an export do what the model does, whatever its parts."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_model import SOURCE, TARGET_IN, VARIANTS, VOCABULARY, tiny_model
from tiny_onnx import write_tiny_onnx

from nmt.config.presets import PRESETS
from nmt.numpy_search.shortlist import make_columns
from nmt.onnx_engine.sessions import OnnxModel
from nmt.text.tokenizer import BOS, PAD

ARCHITECTURES = {
    **VARIANTS,
    "the defaults": {},
    "embeddings as large as the units": {"embedding_size": 8, "encoder": {"layers": 1}},
    "several layers in both directions": {
        "encoder": {"bidirectional_layers": 2, "layers": 1},
        "decoder": {"layers": 3},
    },
    "one direction, additive": {
        "encoder": {"bidirectional_layers": 0, "layers": 1},
        "attention": {"score": "additive"},
    },
    "normalized in one direction": {"layer_normalization": True, "encoder": {"layers": 1}},
    "lexical, general": {"lexical": True, "attention": {"score": "general"}, "tied_embeddings": "none"},
    **{f"preset {name}": {"preset": name, "embedding_size": 6, "units": 8} for name in PRESETS},
}


@pytest.fixture(scope="module", params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def both(request, tmp_path_factory):
    """A model, and its export."""
    model = tiny_model(request.param)
    return model, OnnxModel(write_tiny_onnx(tmp_path_factory.mktemp("export"), model, request.param))


def step_by_step(onnx, source, target_in, **options):
    """Log-probabilities [batch, time, vocabulary] and attention [batch, time, source_time], one step at a time."""
    memory, state = onnx.encode(source)
    log_probabilities, weights = [], []
    for tokens in target_in.T[:, :, np.newaxis]:
        scores, state, read = onnx.step(tokens, state, memory, num_best=None, with_weights=True)
        log_probabilities.append(scores.first)
        weights.append(read)
    return np.stack(log_probabilities, axis=1), np.stack(weights, axis=1)


def test_each_token_has_the_models_probability_and_attention(both):
    model, onnx = both
    memory, state = model.encode(SOURCE)
    logits, _, expected_weights = model.decoder(TARGET_IN, state, memory)
    log_probabilities, weights = step_by_step(onnx, SOURCE, TARGET_IN)
    np.testing.assert_allclose(log_probabilities, tf.nn.log_softmax(logits), atol=1e-5)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-5)


def test_a_beams_hypotheses_read_their_own_sentence(both):
    _, onnx = both
    memory, state = onnx.encode(SOURCE)
    tokens = np.array([[BOS, 5], [8, 4], [6, 7]], np.int32)
    rows = np.repeat(np.arange(3), 2)
    scores, _, _ = onnx.step(tokens, tuple(part[rows] for part in state), memory, num_best=None)
    for row, token in enumerate(tokens.flat):
        sentence = slice(row // 2, row // 2 + 1)
        own = [tuple(part[sentence] for part in parts) for parts in (state, memory)]
        alone, _, _ = onnx.step(np.array([[token]], np.int32), *own, num_best=None)
        np.testing.assert_allclose(scores.first[row], alone.first[0], atol=1e-5)


def test_the_best_are_the_best_of_all(both):
    _, onnx = both
    memory, state = onnx.encode(SOURCE)
    tokens = np.full((3, 1), BOS, np.int32)
    every, _, _ = onnx.step(tokens, state, memory, num_best=None)
    best, _, _ = onnx.step(tokens, state, memory, num_best=3)
    np.testing.assert_allclose(best.first, every.first[:, : onnx.first_ids], atol=1e-5)
    others = every.first[:, onnx.first_ids :]
    np.testing.assert_array_equal(best.tokens, onnx.first_ids + np.argsort(-others, axis=1)[:, :3])
    np.testing.assert_allclose(best.best, -np.sort(-others, axis=1)[:, :3], atol=1e-5)


def test_a_shortlist_renormalizes_over_what_each_sentence_may_use(both):
    _, onnx = both
    memory, state = onnx.encode(SOURCE)
    tokens = np.full((3, 1), BOS, np.int32)
    every, _, _ = onnx.step(tokens, state, memory, num_best=None)
    lexicon = np.arange(2 * VOCABULARY).reshape(VOCABULARY, 2).astype(np.int32) % VOCABULARY
    nothing = np.full((3, 0), PAD, np.int32)
    columns = make_columns(
        SOURCE, lexicon, size=1, vocabulary=VOCABULARY, first_ids=onnx.first_ids, num_symbols=0, prefix=nothing
    )
    listed_memory, gathered = onnx.gather(memory, columns)
    listed, _, _ = onnx.step(tokens, state, listed_memory, num_best=None, columns=gathered)
    allowed = np.isfinite(listed.first)
    assert 0 < allowed.sum() < allowed.size
    expected = tf.nn.log_softmax(np.where(allowed, every.first, -np.inf)).numpy()
    np.testing.assert_allclose(listed.first, expected, atol=1e-5)
    fewest = np.isfinite(expected[:, onnx.first_ids :]).sum(axis=1).min()
    most = columns.own.shape[1] - onnx.first_ids
    assert fewest < most  # so that rows fill up
    for num_best in (2, most - 1):
        best, _, _ = onnx.step(tokens, state, listed_memory, num_best=num_best, columns=gathered)
        there = np.isfinite(best.best)
        of_tokens = np.take_along_axis(expected, best.tokens, axis=1)
        np.testing.assert_allclose(best.best[there], of_tokens[there], atol=1e-5)
        np.testing.assert_allclose(best.best, -np.sort(-expected[:, onnx.first_ids :], axis=1)[:, :num_best], atol=1e-5)
