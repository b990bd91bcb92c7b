"""Downloads of published corpora, from a server of our own that breaks them off."""

import hashlib
import http.server
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

CONTENT = bytes(range(256)) * 2_000


@pytest.fixture(scope="module")
def published():
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data_scripts"))
    import published

    yield published
    sys.path.pop(0)


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    etag, limit, asked = '"1"', len(CONTENT), []

    def do_GET(self):
        start = 0
        if self.headers.get("If-Range") == self.etag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        Server.asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("ETag", self.etag)
        self.end_headers()
        self.wfile.write(CONTENT[start : max(start, self.limit)])
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def url():
    Server.etag, Server.limit, Server.asked = '"1"', len(CONTENT), []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/corpus.gz"
        server.shutdown()


def broken_off(published, url, path):
    Server.limit = 300_000
    with pytest.raises(ValueError, match="Run the same command to go on"):
        published.download(url, path)
    Server.limit = len(CONTENT)


def test_a_download_goes_on_where_it_was_broken_off(published, url, tmp_path):
    broken_off(published, url, tmp_path / "corpus.gz")
    left = (tmp_path / "corpus.gz.part").stat().st_size
    assert not (tmp_path / "corpus.gz").exists()
    published.download(url, tmp_path / "corpus.gz")
    assert Server.asked == [0, left]
    assert left > 0
    assert (tmp_path / "corpus.gz").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.gz"]


def test_a_file_that_changed_on_the_server_is_fetched_from_its_start(published, url, tmp_path):
    broken_off(published, url, tmp_path / "corpus.gz")
    Server.etag = '"2"'
    published.download(url, tmp_path / "corpus.gz")
    assert Server.asked == [0, 0]
    assert (tmp_path / "corpus.gz").read_bytes() == CONTENT


def test_the_sum_of_the_first_download_holds_for_later_ones(published, tmp_path):
    path, sums = tmp_path / "file", {}
    path.write_bytes(b"one")
    published.check_sum("http://here/file", path, sums)
    assert sums == {"http://here/file": hashlib.sha256(b"one").hexdigest()}
    path.write_bytes(b"two")
    with pytest.raises(ValueError, match="is not the file that was expected"):
        published.check_sum("http://here/file", path, sums)
    assert not path.exists()


def test_a_mirror_is_read_by_host_and_path(published, tmp_path):
    copy = tmp_path / "mirror" / "example.org" / "a" / "corpus.gz"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"content")
    published.fetch("https://example.org/a/corpus.gz", tmp_path / "out" / "corpus.gz", tmp_path / "mirror")
    assert (tmp_path / "out" / "corpus.gz").read_bytes() == b"content"
    with pytest.raises(ValueError, match=r"example\.org/other does not exist"):
        published.fetch("https://example.org/other", tmp_path / "out" / "other", tmp_path / "mirror")


def test_pairs_stay_aligned_whatever_is_in_a_side(published, tmp_path, capsys):
    entry = SimpleNamespace(did=SimpleNamespace(langs=("deu", "eng")), is_noisy=lambda *sides: not all(sides))
    published.write_pairs(
        entry, tmp_path, iter([("ein\nZwei", "one\ttwo "), ("", "x"), (None, "y"), ("drei", "three")])
    )
    sides = [path.read_text(encoding="utf-8").splitlines() for path in sorted(tmp_path.iterdir())]  # .deu, .eng
    assert sides == [["ein Zwei", "drei"], ["one two", "three"]]
    assert "2 pairs, 2 left out with an empty side" in capsys.readouterr().out
