"""Translated files: uploaded, translated, fetched."""

from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
import requests

from nmt.gateway import translated_files
from nmt.gateway.file_routes import FILES_AT_A_TIME
from nmt.gateway.translated_files import TranslatedFiles


def upload(address: str, name: str, content: bytes, **fields: str) -> requests.Response:
    asked = {"source": "en", "target": "de", **fields}
    return requests.post(f"{address}/translate_file", data=asked, files={"file": (name, content)}, timeout=30)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "good morning\r\n\r\nred “house”\n", "guten Morgen\r\n\r\nrotes “Haus”\n"),
        ("B.HTML", "<p>good <b>morning</b></p>\n", "<p>guten <b>Morgen</b></p>\n"),
        ("empty.txt", "", ""),
    ],
)
def test_a_file_is_translated_and_can_be_fetched(gateway, name, content, expected):
    url = upload(gateway, name, content.encode()).json()["translatedFileUrl"]
    assert url.startswith(gateway)
    fetched = requests.get(url, timeout=30)
    assert fetched.content.decode() == expected
    # Somebody else's HTML must not run as a page of this server.
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    assert "html" not in fetched.headers["Content-Type"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.docx", b"PK", "file: .docx came, one of .txt, .html, .htm was expected"),
        ("a", b"x", "file: no ending came"),
        ("a.txt", b"gr\xfcn", "file: not UTF-8: byte 0xfc at 2"),
    ],
)
def test_a_file_that_cannot_be_translated_is_refused(gateway, name, content, message):
    response = upload(gateway, name, content)
    assert response.status_code == 400
    assert response.json()["error"].startswith(message)


def test_a_file_without_its_fields_is_refused(gateway):
    assert requests.post(f"{gateway}/translate_file", data={"source": "en"}, timeout=30).json() == {
        "error": "file is missing"
    }


@pytest.mark.parametrize("name", ["none.txt", "..%2f..%2fetc%2fpasswd", "%00"])
def test_a_file_that_was_not_translated_here_is_not_found(gateway, name):
    assert requests.get(f"{gateway}/download_file/{name}", timeout=30).status_code == 404


def test_files_leave_room_for_short_texts(start, models, waiting):
    directions = [("en", "de", "waits"), ("de", "en", "de-en")]
    models = [
        {"source": source, "target": target, "address": f"{models}/{name}"} for source, target, name in directions
    ]
    gateway = start(models=models)
    with ThreadPoolExecutor(FILES_AT_A_TIME + 1) as pool:
        asked = [pool.submit(upload, gateway, "a.txt", b"good") for _ in range(FILES_AT_A_TIME + 1)]
        refused = next(as_completed(asked)).result()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
        text = {"q": "Haus", "source": "de", "target": "en"}
        assert requests.post(f"{gateway}/translate", json=text, timeout=30).json() == {"translatedText": "house"}
        waiting.set()
        assert sorted(each.result().status_code for each in asked) == [200] * FILES_AT_A_TIME + [503]


def test_old_files_and_those_beyond_the_limit_are_deleted(monkeypatch):
    monkeypatch.setattr(translated_files, "KEPT_FILES", 2)
    files = TranslatedFiles()
    first, second, third = (files.keep(b"x", ".txt") for _ in range(3))
    assert [files.read(name) for name in (first, second, third)] == [None, b"x", b"x"]
    monkeypatch.setattr(translated_files, "KEPT_SECONDS", -1)
    late = files.keep(b"x", ".txt")
    assert files.read(late) is None
