"""An export of a tiny model, and copies of it that a test may damage."""

import shutil

import pytest
from tiny_model import tiny_model
from tiny_onnx import write_tiny_onnx


@pytest.fixture(scope="package")
def written(tmp_path_factory):
    return write_tiny_onnx(tmp_path_factory.mktemp("written"), tiny_model())


@pytest.fixture
def export(written, tmp_path):
    return shutil.copytree(written, tmp_path / "export")
