"""An export's graphs run wherever it lies, and only if they are graphs."""

import numpy as np
import pytest
from tiny_model import SOURCE

from nmt.onnx_engine.files import MANIFEST, write_manifest
from nmt.onnx_engine.sessions import OnnxModel
from nmt.text.tokenizer import BOS


def first_scores(export):
    """Of all first tokens."""
    onnx = OnnxModel(export)
    memory, state = onnx.encode(SOURCE)
    return onnx.step(np.full((3, 1), BOS, np.int32), state, memory, num_best=None)[0].first


def test_a_moved_export_does_what_it_did(written, export):
    moved = export.rename(export.with_name("moved elsewhere"))
    np.testing.assert_array_equal(first_scores(moved), first_scores(written))


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx"])
def test_a_graph_that_is_none_is_an_error_with_its_name_even_if_the_manifest_agrees(export, name):
    (export / name).write_bytes(b"no graph")
    (export / MANIFEST).unlink()
    write_manifest(export, precision="float32", vocabulary=11, first_ids=4)
    with pytest.raises(ValueError, match=rf"{name}: ONNX Runtime cannot open it"):
        first_scores(export)


def test_a_row_does_not_depend_on_its_batch(written):
    onnx = OnnxModel(written)
    memory, state = onnx.encode(SOURCE)
    tokens = np.array([[BOS], [5], [6]], np.int32)
    together, next_state, weights = onnx.step(tokens, state, memory, num_best=None, with_weights=True)
    for row in range(3):
        alone_memory, alone_state = onnx.encode(SOURCE[row : row + 1, : np.count_nonzero(SOURCE[row])])
        alone, alone_next, alone_weights = onnx.step(
            tokens[row : row + 1], alone_state, alone_memory, num_best=None, with_weights=True
        )
        np.testing.assert_allclose(alone.first[0], together.first[row], atol=1e-5)
        np.testing.assert_allclose(alone_weights[0], weights[row, : alone_weights.shape[1]], atol=1e-5)
        for part, of_all in zip(alone_next, next_state, strict=True):
            np.testing.assert_allclose(part[0], of_all[row], atol=1e-5)
