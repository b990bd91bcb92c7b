"""Clients made for LibreTranslate, from PyPI, against `nmt gateway`."""

import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

import pytest
import requests
from deep_translator import LibreTranslator
from deep_translator.exceptions import AuthorizationException, ServerException
from libretranslate_aio import ForbiddenError, LibreTranslate
from libretranslatepy import LibreTranslateAPI

ENGLISH = "This is an English sentence that is long enough to be recognized."


@pytest.fixture(scope="module")
def gateway(models, tmp_path_factory):
    """The address of the command, run on a file of settings."""
    config = tmp_path_factory.mktemp("gateway") / "gateway.yaml"
    config.write_text(
        f"""
models:
  - {{source: en, target: de, address: "{models}/en-de"}}
  - {{source: de, target: en, address: "{models}/de-en"}}
keys:
  - {{key: secret}}
suggestions: {config.parent / "suggestions.jsonl"}
"""
    )
    command = [sys.executable, "-m", "nmt", "gateway", str(config), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        says, _, address = process.stdout.readline().rpartition(" ")
        assert says == "gateway at"
        yield address.strip()
        assert not tensorflow_libraries(process.pid)
        process.terminate()
        assert process.wait(timeout=30) == 0


def tensorflow_libraries(pid: int) -> list[str]:
    return [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "tensorflow" in line]


def test_libretranslatepy_translates_detects_and_lists_languages(gateway):
    client = LibreTranslateAPI(gateway)
    assert client.translate("good morning", "en", "de") == "guten Morgen"
    assert client.translate(ENGLISH, "auto", "de") == ENGLISH
    assert client.detect(ENGLISH)[0]["language"] == "en"
    assert [each["name"] for each in client.languages()] == ["German", "English"]


def test_deep_translator_translates(gateway):
    client = LibreTranslator(source="en", target="de", custom_url=f"{gateway}/", api_key="secret")
    assert client.translate("good morning") == "guten Morgen"
    assert client.translate_batch(["red", "house"]) == ["rotes", "Haus"]


def test_libretranslate_aio_finds_all_of_the_api(gateway, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>good <b>house</b></p>")
    with LibreTranslate(gateway, api_key="secret") as client:
        assert client.health()
        assert [(each.code, each.targets) for each in client.languages()] == [("de", ["en"]), ("en", ["de"])]
        assert client.frontend_settings().language.source.name == "English"
        found = client.translate(["good", ENGLISH], source="auto", target="de", alternatives=1)
        assert found.translated_text == ["guten", ENGLISH]
        assert found.detected_language[1].language == "en"
        assert found.alternatives[0] == ["guten!"]
        assert client.detect(ENGLISH)[0].language == "en"
        assert client.suggest("good", "gut", source="en", target="de")
        file = client.translate_file(page, source="en", target="de")
    assert requests.get(file.translated_file_url, timeout=30).text == "<p>guten <b>Haus</b></p>"


def test_each_recognizes_what_is_refused(gateway):
    with pytest.raises(HTTPError, match="403"):
        LibreTranslateAPI(gateway, api_key="wrong").translate("a", "en", "de")
    with pytest.raises(ForbiddenError), LibreTranslate(gateway, api_key="wrong") as client:
        client.translate("a", source="en", target="de")
    with pytest.raises(AuthorizationException):
        LibreTranslator(source="en", target="de", custom_url=f"{gateway}/", api_key="wrong").translate("a")
    with pytest.raises(ServerException):
        LibreTranslator(source="fr", target="de", custom_url=f"{gateway}/", api_key="secret").translate("a")
