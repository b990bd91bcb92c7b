"""Windows of a file: read one by one, in any order, they are the lines that `nmt translate` reads from its start."""

import codecs
import gzip

import pytest

from nmt.cli.input import open_input
from nmt.cli.input import windows as read_on
from nmt.text.windows import find_windows, read_window

CONTENTS = {
    "nothing": b"",
    "only a byte order mark": codecs.BOM_UTF8,
    "one line without its end": b"a b",
    "empty lines at the end": b"a\n\n\n",
    "of Windows, with a mark": codecs.BOM_UTF8 + b"a\r\n\r\nb\r\nc\r\n",
    "no UTF-8, and other ends of lines": "ä\u2028b\rc\n".encode() + b"\xff\xfe\n" * 7,
    "exactly two windows": b"a\nb\nc\n" * 2,
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content", CONTENTS)
def test_the_windows_of_a_file_are_its_lines(tmp_path, content, packed):
    path = tmp_path / "text"
    path.write_bytes(gzip.compress(CONTENTS[content]) if packed else CONTENTS[content])
    with open_input(path) as file:
        expected = list(read_on(file, size=3))
    found = [read_window(path, window) for window in reversed(list(find_windows(path, lines=3)))]
    assert found[::-1] == expected


def test_only_a_packed_file_is_carried_along(tmp_path):
    (tmp_path / "plain").write_bytes(b"a\n")
    assert [window.content for window in find_windows(tmp_path / "plain")] == [None]
