"""Clients made for LibreTranslate, from PyPI, against `nmt gateway`."""

import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

import pytest
from deep_translator import LibreTranslator
from deep_translator.exceptions import AuthorizationException, ServerException
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


def test_both_recognize_what_is_refused(gateway):
    with pytest.raises(HTTPError, match="403"):
        LibreTranslateAPI(gateway, api_key="wrong").translate("a", "en", "de")
    with pytest.raises(AuthorizationException):
        LibreTranslator(source="en", target="de", custom_url=f"{gateway}/", api_key="wrong").translate("a")
    with pytest.raises(ServerException):
        LibreTranslator(source="fr", target="de", custom_url=f"{gateway}/", api_key="secret").translate("a")
