"""Lines to translate: what is a line, and when lines are handed on."""

import io
import os
import random
import threading

import pytest

from nmt.cli.input import count_lines, windows


def lines_of(content: bytes, size: int = 1000) -> list[bytes]:
    return [line for window in windows(io.BufferedReader(io.BytesIO(content)), size=size) for line in window]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\n\n\nb\n", [b"a", b"", b"", b"b"]),
        (b"a\r\nb\r\n\r\nc\r", [b"a", b"b", b"", b"c"]),
        (b"a\rb\x0bc\x0cd\x1ce\xc2\x85f\n", [b"a\rb\x0bc\x0cd\x1ce\xc2\x85f"]),
        ("a\u2028b\u2029c\n".encode(), ["a\u2028b\u2029c".encode()]),
        (b"\xff\xfe\x00\n\xc3\n", [b"\xff\xfe\x00", b"\xc3"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [b"a", b"\xef\xbb\xbfb"]),
    ],
)
def test_only_a_line_feed_ends_a_line(content, lines):
    assert lines_of(content) == lines


def test_windows_are_full_but_the_last_and_together_are_the_file():
    content = b"".join(b"%d\n" % number for number in range(25))
    found = list(windows(io.BufferedReader(io.BytesIO(content)), size=10))
    assert [len(window) for window in found] == [10, 10, 5]
    assert b"".join(line + b"\n" for window in found for line in window) == content


def test_lines_longer_than_a_block_stay_whole():
    draw = random.Random(1)
    lines = [draw.randbytes(draw.randrange(2_000_000)).replace(b"\n", b"").replace(b"\r", b"") for _ in range(5)]
    assert lines_of(b"\n".join([b"", *lines])) == [b"", *lines]


def test_a_pipe_that_pauses_has_its_lines_handed_on():
    reader, writer = os.pipe()
    answered = threading.Event()
    with open(reader, "rb") as file:
        found = []

        def write() -> None:
            with open(writer, "wb", buffering=0) as pipe:
                pipe.write(b"one\ntwo\nthr")
                answered.wait(timeout=30)
                pipe.write(b"ee\n")

        thread = threading.Thread(target=write)
        thread.start()
        for window in windows(file):
            found.append(window)
            answered.set()
        thread.join()
    assert found == [[b"one", b"two"], [b"three"]]


@pytest.mark.parametrize("content", [b"", b"\n", b"a", b"a\n", b"a\n\nb"])
def test_counted_lines_are_the_lines_read(tmp_path, content):
    (tmp_path / "lines").write_bytes(content)
    assert count_lines(str(tmp_path / "lines")) == len(lines_of(content))


def test_a_byte_order_mark_that_comes_alone_is_not_the_end():
    reader, writer = os.pipe()
    with open(reader, "rb") as file, open(writer, "wb", buffering=0) as pipe:
        pipe.write(b"\xef\xbb\xbf")
        thread = threading.Timer(0.5, lambda: (pipe.write(b"one\n"), pipe.close()))
        thread.start()
        assert list(windows(file)) == [[b"one"]]
        thread.join()
