"""A run becomes a directory that has all that translating takes."""

import re
import subprocess
import sys

import numpy as np
import pytest

import nmt
from nmt.onnx_engine.files import MANIFEST, is_onnx_export, read_manifest
from nmt.runs.run import Run
from nmt.text.glossary import Glossary


def test_an_export_opens_as_the_run_but_has_no_weights_to_train_on(number_run, tmp_path):
    directory = nmt.export(number_run, tmp_path / "onnx", format="onnx", overrides=["search.beam_size=3"])
    exported = Run.open(directory)
    assert is_onnx_export(directory)
    assert exported.config.search == number_run.config.search.model_copy(update={"beam_size": 3})
    assert exported.config.model == number_run.config.model
    assert exported.tokenizers.source.model == number_run.tokenizers.source.model
    assert (exported.calibration(), exported.habits()) == (number_run.calibration(), number_run.habits())
    assert "config.yaml" in read_manifest(directory).files
    with pytest.raises(ValueError, match="no weights 'best'"):
        exported.load_weights()


def test_an_export_has_the_glossary_and_the_lexicon_that_it_needs(number_run, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "translation_protection", lambda *_: None)  # the run has no symbols for terms
    lexicon = np.arange(6, dtype=np.int32).reshape(2, 3)
    monkeypatch.setattr(Run, "lexicon", lambda _: lexicon)
    terms = Glossary({"one": "eins", "twenty one": "einundzwanzig"})
    directory = nmt.export(
        number_run, tmp_path / "onnx", format="onnx", glossary=terms, overrides=["search.shortlist=20"]
    )
    monkeypatch.undo()
    exported = Run.open(directory)
    assert list(exported.glossary()) == list(terms)
    np.testing.assert_array_equal(exported.lexicon(), lexicon)


def test_a_later_export_replaces_an_earlier_one_and_nothing_else(number_run, tmp_path):
    directory = nmt.export(number_run, tmp_path / "onnx", format="onnx")
    (directory / "old").touch()
    nmt.export(number_run, directory, format="onnx")
    assert not (directory / "old").exists()
    (directory / MANIFEST).unlink()
    with pytest.raises(ValueError, match=re.escape(f"{directory} holds other files")):
        nmt.export(number_run, directory, format="onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_the_command_exports_without_tensorflow(number_run, tmp_path):
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from nmt.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    directory = tmp_path / "onnx"
    command = [sys.executable, "-c", program, "export", number_run.path, directory, "--format", "onnx"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{directory}\n"), done.stderr
    read_manifest(directory)


def test_without_onnx_ir_the_error_says_how_to_get_it(number_run, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "nmt.onnx_export.writer", raising=False)
    monkeypatch.setitem(sys.modules, "onnx_ir", None)
    with pytest.raises(ValueError, match=r"needs onnx_ir, .* pip install 'recurrent-nmt\[onnx\]'"):
        nmt.export(number_run, tmp_path / "onnx", format="onnx")
