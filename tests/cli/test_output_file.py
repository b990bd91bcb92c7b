"""Files that commands write: whole or not at all."""

import gzip
import os
import stat

import pytest

from nmt.cli.output_file import output_file


def test_a_file_takes_its_name_when_it_is_whole_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"before")
    path.chmod(0o640)
    with output_file(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_after_a_failure_what_was_there_is_there_and_what_was_written_is_beside_it(tmp_path, capsys):
    (tmp_path / "out").write_bytes(b"before")
    with pytest.raises(TypeError), output_file(tmp_path / "out") as file:
        file.writelines([b"half", 1])
    assert (tmp_path / "out").read_bytes() == b"before"
    assert (tmp_path / "out.unfinished").read_bytes() == b"half"
    assert f"is in {tmp_path}/out.unfinished" in capsys.readouterr().err


def test_a_failure_before_anything_was_written_leaves_nothing(tmp_path, capsys):
    with pytest.raises(ValueError, match="no"), output_file(tmp_path / "out"):
        raise ValueError("no")
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["out.gz", "out.GZ"])
def test_what_is_called_gz_is_compressed(tmp_path, name):
    with output_file(tmp_path / name) as file:
        file.write(b"text")
    assert gzip.decompress((tmp_path / name).read_bytes()) == b"text"


def test_a_link_stays_one_and_a_pipe_is_written_as_it_comes(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with output_file(tmp_path / "link") as file:
        file.write(b"text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"text"
    reader, writer = os.pipe()
    with open(reader, "rb") as end, open(writer, "wb"), output_file(f"/dev/fd/{writer}") as file:
        file.write(b"line")
        file.flush()
        assert end.read1() == b"line"


def test_a_place_that_cannot_be_written_is_named_at_once(tmp_path):
    with pytest.raises(OSError, match="nope/out"), output_file(tmp_path / "nope" / "out"):
        raise AssertionError
