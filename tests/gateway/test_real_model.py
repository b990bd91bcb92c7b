"""A trained run behind the gateway, in the same process."""

import re

import pytest
import requests


@pytest.fixture(scope="module")
def ask_run(number_run, running):
    """English numbers into German by the run itself, which protects tags."""
    model = {"source": "en", "target": "de", "address": str(number_run.path)}
    with running({"models": [model]}) as address:
        yield lambda **fields: requests.post(
            f"{address}/translate", json={"source": "en", "target": "de", **fields}, timeout=120
        ).json()


def test_tags_of_a_page_come_through_a_model_that_protects_them(ask_run):
    page = '<p>two <a href="/b?x=1&amp;y">three</a></p>\n<p><b>four</b> <i class=x>five</i>.</p>'
    found = ask_run(q=page, format="html", details=True)
    text = found["translatedText"]
    assert text.count('<a href="/b?x=1&amp;y">') == text.count("</a>") == 1
    assert all(len(words) > 0 for words in re.findall(r"<[aib][^>]*>(.*?)</[aib]>", text))
    assert text.startswith("<p>")
    assert "</p>\n<p>" in text
    for line in found["details"][0]:
        assert len(line["alignment"]) == len(line["targetPieces"]) > 0
        for row in line["alignment"]:
            assert len(row) == len(line["sourcePieces"])
            assert 0 <= sum(row) <= 1.001  # the rest read the end of the source


def test_the_terms_of_a_glossary_come_through_it_as_well(ask_run):
    glossary = [["three", "DREI"], ["five", "FÜNF"]]
    text = ask_run(q="two three. five.", glossary=glossary, details=True)["translatedText"]
    assert (text.count("DREI"), text.count("FÜNF")) == (1, 1)
