"""What opens text: unpacks what is compressed, refuses what is no UTF-8 text, never waits for more than it needs."""

import bz2
import codecs
import gzip
import io
import lzma
import os
import sqlite3
import sys
import zipfile

import pytest
import zstandard

from nmt.cli.input import count_lines, open_input, windows
from nmt.text.lines import read_lines
from nmt.text.opening import open_text, text_of

TEXT = "Ein Satz.\n上海是一个大城市。\n".encode() * 20_000
PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress}
SENTENCES = {
    "en": "A sentence, as it stands.\n",
    "ru": "Привет, мир. Как дела?\n",
    "zh": "上海是一个大城市。\n一二三\n",
    "hi": "नमस्ते दुनिया\n",
    "vi": "Xin chào thế giới 😀\n",
}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("name", ["text.{}", "TEXT.{}", "none"])
def test_compressed_text_is_unpacked_whatever_its_name(tmp_path, packing, name):
    suffix = packing.upper() if name.startswith("TEXT") else packing
    path = tmp_path / name.format(suffix)
    path.write_bytes(PACK[packing](TEXT[:100_000]) + PACK[packing](TEXT[100_000:]))  # two parts, as `cat a.gz b.gz`
    assert open_text(path).read() == TEXT
    assert "\n".join(read_lines(path)) + "\n" == TEXT.decode()
    with open_input(str(path)) as file:
        assert [line for lines in windows(file) for line in lines] == TEXT.split(b"\n")[:-1]
    assert count_lines(str(path)) == TEXT.count(b"\n")


@pytest.mark.parametrize("packing", PACK)
def test_damaged_compressed_text_is_named_wherever_it_is_cut_or_changed(tmp_path, packing):
    whole = PACK[packing](os.urandom(5_000).hex().encode() + b"\n")
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], whole[:-1], bytes(changed), b"not compressed\n"):
        path = tmp_path / f"cut.{packing}"
        path.write_bytes(content)
        if content == changed and packing == "zst":  # it has a checksum only where it was asked for
            continue
        with pytest.raises(ValueError, match=rf"cut\.{packing}: a damaged \.{packing}"):
            count_lines(str(path))
        with pytest.raises(ValueError, match=rf"cut\.{packing}"):
            list(read_lines(path))


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_other_unicode_encodings_are_refused_with_or_without_their_mark(tmp_path, language, encoding, packed):
    content = SENTENCES[language].encode(encoding)
    path = tmp_path / "text"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=r"text .*UTF-(16|32).*UTF-8.*expected.*iconv -f UTF-") as refusal:
        open_text(path)
    advised = str(refusal.value).split("iconv -f ")[1].split()[0]
    assert content.decode(advised) == SENTENCES[language]  # the advice is right


@pytest.mark.parametrize(
    "content",
    [sentence.encode() for sentence in SENTENCES.values()]
    + [
        b"",
        b"\n",
        b"a",
        b"a\0b\n",
        b"caf\xe9 \xff\n",
        codecs.BOM_UTF8 + b"a\n",
        b"\x1f alone\n",
        b"PK\n",
        b"BZh\n",
        b"%PD",
    ],
)
def test_text_comes_as_it_is_though_some_bytes_be_none(tmp_path, content):
    (tmp_path / "text").write_bytes(content)
    assert open_text(tmp_path / "text").read() == content


def test_documents_and_databases_are_refused_by_what_they_are(tmp_path):
    with sqlite3.connect(tmp_path / "base") as base:
        base.execute("create table lines (line)")
    with zipfile.ZipFile(tmp_path / "book", "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    (tmp_path / "paper").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    for name, kind in (("base", "SQLite"), ("book", "ZIP"), ("paper", "PDF")):
        with pytest.raises(ValueError, match=rf"{name} is an? {kind}.* UTF-8 text was expected"):
            open_input(str(tmp_path / name))


@pytest.mark.parametrize("packing", ["plain", *PACK])
def test_the_first_line_of_a_pipe_is_there_as_soon_as_it_is_written(packing):
    reader, writer = os.pipe()
    flushed = b"one\n" if packing == "plain" else PACK[packing](b"one\n")
    with open(writer, "wb", buffering=0) as pipe, text_of(open(reader, "rb"), "pipe", owned=True) as file:
        for byte in flushed[:-1]:
            pipe.write(bytes([byte]))
        pipe.write(flushed[-1:])  # the pipe stays open, so whoever waited for more would wait forever
        assert next(windows(file)) == [b"one"]


def test_what_a_pipe_brings_is_refused_like_a_file():
    for content in ("Hallo\n".encode("utf-16"), b"%PDF-1.4\n"):
        reader, writer = os.pipe()
        with open(writer, "wb") as pipe:
            pipe.write(content)
        with text_of(open(reader, "rb"), "stdin", owned=True) as file, pytest.raises(ValueError, match=r"^stdin is "):
            next(windows(file))


def test_an_absent_package_for_zstd_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ValueError, match="pip install zstandard"):
        text_of(io.BytesIO(PACK["zst"](b"a\n")), "text.zst").read()


def test_a_file_that_was_open_before_stays_open():
    stdin = io.BytesIO(b"a\nb\n")
    with text_of(stdin, "stdin") as text:
        assert text.read1(100) == b"a\nb\n"
    assert not stdin.closed
