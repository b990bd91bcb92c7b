"""Int8 says nearly what float32 says, of each row by itself, whatever the model's parts."""

import numpy as np
import pytest
from tiny_model import SOURCE, TARGET_IN, tiny_model
from tiny_onnx import write_tiny_onnx

from nmt.onnx_engine.sessions import OnnxModel
from nmt.onnx_export.quantized import quantize

# Each product once with bounds that are known, and once without.
SETTINGS = {
    "bounded": {"units": 32, "embedding_size": 16, "lexical": True, "decoder": {"layers": 2}, "encoder": {"layers": 1}},
    "heads, normalized": {"units": 32, "embedding_size": 16, "attention": {"heads": 2}, "layer_normalization": True},
    "all tied, feeding": {
        "units": 32,
        "embedding_size": 16,
        "decoder": {"input_feeding": True},
        "tied_embeddings": "all",
    },
}


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def both(request, tmp_path_factory):
    """An export in float32, and in int8."""
    model = tiny_model(request.param)
    return [
        OnnxModel(write_tiny_onnx(tmp_path_factory.mktemp(name), model, request.param, precision=name))
        for name in ("float32", "int8")
    ]


def log_probabilities(onnx, source, target_in):
    memory, state = onnx.encode(source)
    steps = []
    for tokens in target_in.T[:, :, np.newaxis]:
        scores, state, _ = onnx.step(tokens, state, memory, num_best=None)
        steps.append(scores.first)
    return np.stack(steps, axis=1)


def test_probabilities_are_nearly_those_of_float32(both):
    exact, rounded = (np.exp(log_probabilities(onnx, SOURCE, TARGET_IN)) for onnx in both)
    assert 0 < np.abs(rounded - exact).max() < 0.05


def test_a_row_does_not_depend_on_its_batch_at_all(both):
    _, onnx = both
    together = log_probabilities(onnx, SOURCE, TARGET_IN)
    for row, length in enumerate(np.count_nonzero(SOURCE, axis=1)):
        alone = log_probabilities(onnx, SOURCE[row : row + 1, :length], TARGET_IN[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_each_column_is_rounded_to_half_a_step_of_its_own_scale():
    weights = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32) * [1.0, 100.0, 0.0]
    rounded, scales = quantize(weights, axis=0)
    np.testing.assert_array_equal(np.abs(rounded).max(axis=0), [127, 127, 0])
    assert (np.abs(rounded * scales - weights) <= scales / 2 * 1.001).all()
