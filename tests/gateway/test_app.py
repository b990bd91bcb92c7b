"""LibreTranslate's API on real sockets."""

import pytest
import requests


def test_a_text_gets_its_translation_and_a_list_a_list(ask):
    asked = {"source": "en", "target": "de"}
    assert ask("/translate", q="good morning", **asked) == {"translatedText": "guten Morgen"}
    assert ask("/translate", q=["good", "red house"], **asked) == {"translatedText": ["guten", "rotes Haus"]}


@pytest.mark.parametrize("encoding", ["data", "params", "files"])
def test_forms_queries_and_multipart_say_the_same_as_json(gateway, encoding):
    fields = {"q": "good morning", "source": "en", "target": "de"}
    asked = {name: (None, value) for name, value in fields.items()} if encoding == "files" else fields
    response = requests.post(f"{gateway}/translate", **{encoding: asked}, timeout=30)
    assert response.json() == {"translatedText": "guten Morgen"}


def test_white_space_and_paragraphs_stay(ask):
    text = "  good morning\n\n\tred house \r\n \n"
    found = ask("/translate", q=text, source="en", target="de")["translatedText"]
    assert found == "  guten Morgen\n\n\trotes Haus \r\n \n"


def test_without_a_direct_model_two_translate_over_a_third_language(gateway, ask):
    assert ask("/translate", q="good morning", source="fr", target="de")["translatedText"] == "[good morning]"
    languages = {each["code"]: each for each in requests.get(f"{gateway}/languages", timeout=30).json()}
    assert languages["fr"]["targets"] == ["de", "en"]
