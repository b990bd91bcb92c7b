"""nmt.layers imports alone, quietly, on Keras's TensorFlow backend and on no other."""

import os
import subprocess
import sys

import pytest

USE = "from nmt.layers import LSTM; import numpy; print(LSTM(2)(numpy.ones([1, 3, 1])).shape)"


def python(code, **environment):
    names = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")  # which this test's own process has set
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", code], env={**inherited, **environment}, capture_output=True, text=True, check=False
    )


def test_in_a_fresh_process_the_layers_work_and_nothing_is_said():
    result = python(USE)
    assert (result.returncode, result.stdout, result.stderr) == (0, "(1, 2)\n", "")


@pytest.mark.parametrize(
    ("before", "backend"),
    [("", "jax"), ("import keras; keras.config.backend = lambda: 'jax'; ", "tensorflow")],
    ids=["that is asked for", "that Keras has started"],
)
def test_another_backend_is_refused_with_what_to_do(before, backend):
    result = python(before + USE, KERAS_BACKEND=backend)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "ImportError: nmt runs on Keras's TensorFlow backend only, and the backend chosen here is 'jax': "
        "set KERAS_BACKEND=tensorflow before Keras is imported."
    )
