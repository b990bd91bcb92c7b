"""Where the files of onnxruntime-web come from."""

import shutil

import pytest

import nmt
from nmt.web.runtime import PACKAGE, VERSION, WASM, open_runtime


def test_a_copy_may_be_the_package_or_a_folder_that_has_it(package, tmp_path):
    shutil.copytree(package, tmp_path / "node_modules" / PACKAGE)
    for place in (package, tmp_path, tmp_path / "node_modules"):
        with open_runtime(place) as files:
            assert sorted(file.name for file in files) == sorted(["ort.wasm.bundle.min.mjs", WASM])


def test_a_file_of_another_version_is_refused(package, tmp_path):
    copy = shutil.copytree(package, tmp_path / "copy")
    with open(copy / "dist" / WASM, "ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=f"{WASM} is not that of {PACKAGE} {VERSION}"), open_runtime(copy):
        pass


def test_a_folder_without_it_is_an_error_that_says_how_to_get_it(tmp_path):
    with pytest.raises(ValueError, match=r"has no onnxruntime-web in it: .*npm pack"), open_runtime(tmp_path):
        pass


def test_without_npm_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ValueError, match=r"npm, which could fetch it, is not there: .*--onnxruntime-web"),
        open_runtime(),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"web": True}, "choose the format onnx"),
        ({"format": "onnx", "onnxruntime_web": "."}, "ask for one, too"),
        ({"format": "onnx", "web": True, "overrides": ["search.sampling=true"]}, "does not sample"),
        ({"format": "onnx", "web": True, "onnxruntime_web": "."}, "has no onnxruntime-web in it"),
    ],
)
def test_an_export_that_cannot_have_a_page_writes_nothing(number_run, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        nmt.export(number_run, tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_a_page_with_a_glossary_is_refused(number_run, tmp_path):
    protected = "a glossary needs|knows no glossary"
    with pytest.raises(ValueError, match=protected):
        nmt.export(number_run, tmp_path / "new", format="onnx", web=True, glossary={"seven": "7"})
