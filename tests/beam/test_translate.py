"""What many workers write of a file is what `nmt translate` writes of it."""

import codecs
import gzip
from pathlib import Path

import pytest

import nmt
from nmt.beam import translate as module
from nmt.beam.translate import translate
from nmt.cli.main import main
from nmt.synthetic.shards import Shards

LINES = [
    *(f"{ten} {one}. {one}?" for ten in ("twenty", "fifty", "ninety") for one in ("two", "three", "seven")),
    "",
    "<b>two</b> https://x.org/a",
    " \t",
    "SEVENTY TWO. https://x.org/b?q=1 {name}",
    "one " * 150,
    "twenty " * 3,
]
TEXT = "".join(f"{line}\n" for line in LINES).encode()
ODD = codecs.BOM_UTF8 + TEXT.replace(b"\n", b"\r\n") + b"caf\xe9 \xe2\x80\xa8 two\n\n\nforty."


@pytest.fixture(scope="module")
def exported(number_run, tmp_path_factory) -> str:
    directory = tmp_path_factory.mktemp("onnx") / "export"
    return str(nmt.export(number_run, directory, format="onnx", overrides=["export.onnx_precision=float32"]))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    contents = {"plain.en": TEXT, "odd.en": ODD, "packed.en.gz": gzip.compress(TEXT), "empty.en": b""}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in contents]


@pytest.fixture(scope="module")
def expected(exported, files, tmp_path_factory) -> dict[str, bytes]:
    """What `nmt translate` writes of each file."""
    folder = tmp_path_factory.mktemp("alone")
    for file in files:
        assert main(["translate", exported, file, "--output", str(folder / "output")]) == 0
        (folder / "output").rename(folder / Path(file).name.removesuffix(".gz"))
    return {Path(file).name: (folder / Path(file).name.removesuffix(".gz")).read_bytes() for file in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("window_lines", "arguments"),
    [
        (2000, ["--direct_runner_bundle_repeat=1"]),
        (3, ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]),
    ],
    ids=["each bundle twice", "two workers"],
)
def test_workers_write_what_one_process_writes(exported, files, expected, tmp_path, window_lines, arguments):
    done = translate(exported, files, str(tmp_path), arguments=arguments, window_lines=window_lines)
    assert contents(tmp_path) == expected
    assert [each.lines for each in done] == [content.count(b"\n") for content in expected.values()]
    assert len(LINES) - 1 in done[0].degenerate  # the line that says "one" again and again


def test_after_a_failure_nothing_is_translated_twice_or_lost(exported, files, expected, tmp_path, monkeypatch):
    write, translated = Shards.write, []

    def die_at_last(self, number, translations):
        translated.append(number)
        if len(translated) == 4:
            raise OSError("the worker died")
        write(self, number, translations)

    monkeypatch.setattr(Shards, "write", die_at_last)
    output = tmp_path / "output"
    with pytest.raises(OSError, match="the worker died"):
        translate(exported, files[:1], str(output), window_lines=4)
    assert not output.exists()
    translate(exported, files[:1], str(output), window_lines=4)
    assert sorted(translated[:3] + translated[4:]) == [0, 1, 2, 3]
    assert contents(tmp_path) == {"output": expected["plain.en"]}


def test_other_work_is_not_mixed_with_what_an_earlier_call_began(exported, files, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_join", lambda task: None)  # as if it had been stopped before
    translate(exported, files[:1], str(tmp_path / "output"))
    with pytest.raises(ValueError, match=r"made otherwise \(search: see manifest"):
        translate(exported, files[:1], str(tmp_path / "output"), overrides=["search.beam_size=1"])
    with pytest.raises(ValueError, match=r"made otherwise \(text: see manifest"):
        translate(exported, files[1:2], str(tmp_path / "output"))


def test_a_saved_model_translates_as_alone(number_run, files, tmp_path):
    quickly_traced = ["export.n_best=1", "search.guard=false", "search.beam_size=1"]
    exported = str(nmt.export(number_run, tmp_path / "export", overrides=quickly_traced).parent)
    assert main(["translate", exported, files[1], "--output", str(tmp_path / "alone")]) == 0
    assert main(["beam", "translate", exported, files[1], "--output", str(tmp_path / "output")]) == 0
    assert (tmp_path / "output").read_bytes() == (tmp_path / "alone").read_bytes()


def test_what_cannot_be_translated_is_refused_before_anything_is_done(exported, files, tmp_path):
    document, text = tmp_path / "a.po", tmp_path / "plain.en"
    document.write_text("")
    text.write_text("one\n")
    for chosen, output, message in [
        ([str(document)], "output", "keeps the format"),
        ([str(text)], "plain.en", "to be read and to be written"),
        ([str(text), files[0]], "output", "would become one"),
        (files[:2], "plain.en", "need a directory"),
    ]:
        with pytest.raises(ValueError, match=message):
            translate(exported, chosen, str(tmp_path / output))
    with pytest.raises(ValueError, match="no such"):
        translate(str(tmp_path / "nothing"), [str(text)], str(tmp_path / "output"))
    assert text.read_text() == "one\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.po", "plain.en"]
