import gzip
import os

import numpy as np
import pytest

from nmt.config.data import TextPair
from nmt.text.files import count_pairs, evenly, read_pairs
from nmt.text.lines import count_lines, read_lines


def write(path, content: bytes):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["text.en", "text.en.gz"])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"\n\n", ["", ""]),
        (b"windows\r\nlines\r\n", ["windows", "lines"]),
        (b"\xef\xbb\xbfmark\nnext\n", ["mark", "next"]),
        ("a\u2028b\x0bc\x85d\re\n".encode(), ["a\u2028b\x0bc\x85d\re"]),
    ],
)
def test_a_line_ends_at_a_newline_only_and_both_readers_agree(tmp_path, name, content, lines):
    path = write(tmp_path / name, content)
    assert list(read_lines(path)) == lines
    assert count_lines(path) == len(lines)


def test_lines_are_counted_across_the_blocks_of_a_large_file(tmp_path):
    line = "grüße 👋 ".encode() * 13 + b"\n"  # characters of several bytes fall on the edges of blocks
    assert count_lines(write(tmp_path / "large", line * 30_000)) == 30_000


@pytest.mark.parametrize("name", ["text.en", "text.en.gz"])
@pytest.mark.parametrize("read", [count_lines, lambda path: list(read_lines(path))])
def test_invalid_utf8_is_an_error_with_file_and_line(tmp_path, name, read):
    path = write(tmp_path / name, b"good\n" * 300_000 + b"bad \xff\n" + b"good\n")
    with pytest.raises(ValueError, match=r"text\.en(\.gz)?:300001: not UTF-8 \(byte 0xff\)"):
        read(path)


@pytest.mark.parametrize("read", [count_lines, lambda path: list(read_lines(path))])
@pytest.mark.parametrize(
    ("content", "hint"),
    [("hello\n".encode("utf-16"), "UTF-16"), (b"cut \xe2\x82", ":1: not UTF-8")],
)
def test_a_file_of_another_encoding_gets_a_hint(tmp_path, read, content, hint):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(ValueError, match=hint):
        read(tmp_path / "text")


@pytest.mark.parametrize("read", [count_lines, lambda path: list(read_lines(path))])
def test_what_cannot_be_read_is_named(tmp_path, read):
    with pytest.raises(ValueError, match=r"missing\.en: no such file"):
        read(tmp_path / "missing.en")
    with pytest.raises(ValueError, match="is a directory"):
        read(tmp_path)
    (tmp_path / "plain.gz").write_bytes(b"not compressed\n")
    with pytest.raises(ValueError, match=r"plain\.gz: a damaged \.gz"):
        read(tmp_path / "plain.gz")
    whole = gzip.compress(os.urandom(5_000).hex().encode() + b"\n")
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.gz: a damaged \.gz.*\(behind line 0\)"):
        read(tmp_path / "cut.gz")
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 0xFF
    (tmp_path / "broken.gz").write_bytes(broken)
    with pytest.raises(ValueError, match=r"broken\.gz: a damaged \.gz"):
        read(tmp_path / "broken.gz")


def test_a_pipe_cannot_be_a_corpus_as_it_can_be_read_only_once():
    reader, writer = os.pipe()
    os.close(writer)
    with open(reader, "rb"), pytest.raises(ValueError, match="no regular file"):
        count_lines(f"/dev/fd/{reader}")


def test_unequal_line_counts_name_both_files_and_both_counts(tmp_path):
    pair = TextPair(
        source=str(write(tmp_path / "a.en", b"1\n2\n3\n")), target=str(write(tmp_path / "a.de.gz", b"1\n2\n"))
    )
    for read in (count_pairs, lambda pair: next(read_pairs(pair))):
        with pytest.raises(ValueError, match=r"a\.en has 3 lines but .*a\.de\.gz has 2"):
            read(pair)


def test_a_changed_file_is_counted_anew(tmp_path):
    path = write(tmp_path / "text", b"1\n2\n")
    assert count_lines(path) == 2
    write(path, b"1\n2\n3\n")
    assert count_lines(path) == 3


@pytest.mark.parametrize(("lines", "most"), [(0, 5), (3, 5), (5, 5), (7, 5), (1000, 9)])
def test_what_is_kept_is_spread_evenly(lines, most):
    kept = list(evenly(range(lines), total=lines, keep=most))
    assert len(kept) == min(lines, most)
    gaps = np.diff([-1, *kept])
    assert lines == 0 or (gaps.max() - gaps.min() <= 1 and gaps.min() >= 1)
