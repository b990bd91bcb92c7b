"""An export is opened only as it was written."""

import json

import pytest
from tiny_model import VOCABULARY

from nmt.onnx_engine.files import FORMAT_VERSION, GRAPHS, MANIFEST, WEIGHTS, read_manifest

FILES = [*(f"{graph}.onnx" for graph in GRAPHS), WEIGHTS]


def test_what_was_written_is_read(export):
    manifest = read_manifest(export)
    assert manifest.files.keys() == set(FILES)
    assert (manifest.precision, manifest.vocabulary) == ("float32", VOCABULARY)


def change_manifest(export, **changes):
    manifest = json.loads((export / MANIFEST).read_text())
    (export / MANIFEST).write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_an_error_with_the_files_name(export, name):
    content = bytearray((export / name).read_bytes())
    content[len(content) // 2] ^= 1
    (export / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is damaged: its SHA-256"):
        read_manifest(export)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_an_error_with_its_name(export, name):
    (export / name).write_bytes((export / name).read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"{name} is damaged: it has"):
        read_manifest(export)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_an_error_with_its_name(export, name):
    (export / name).unlink()
    with pytest.raises(ValueError, match=name):
        read_manifest(export)


def test_another_version_of_the_format_is_an_error_that_says_which(export):
    change_manifest(export, format_version=FORMAT_VERSION + 1)
    with pytest.raises(
        ValueError, match=f"manifest.json: .*version {FORMAT_VERSION + 1}.*reads version {FORMAT_VERSION}"
    ):
        read_manifest(export)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", f'{{"format_version": {FORMAT_VERSION}}}', "\udcff"])
def test_what_is_no_manifest_is_an_error_with_its_name(export, content):
    (export / MANIFEST).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"manifest.json is damaged"):
        read_manifest(export)


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside", "a/../../outside", "C:\\outside"])
def test_a_manifest_cannot_name_files_outside_its_directory(export, name):
    (export.parent / "outside").write_text("")
    files = json.loads((export / MANIFEST).read_text())["files"]
    change_manifest(export, files={**files, name: {"size": 0, "sha256": "0" * 64}})
    with pytest.raises(ValueError, match=r"manifest.json is damaged: .* no file of this directory"):
        read_manifest(export)
