"""LibreTranslate's API on real sockets."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from fastapi.openapi.models import OpenAPI

GERMAN = "Das ist ein deutscher Satz, der lang genug ist, damit man ihn erkennt."
ENGLISH = "This is an English sentence that is long enough to be recognized."


def post(address: str, path: str, **fields: object) -> tuple[int, dict]:
    response = requests.post(address + path, json=fields, timeout=30)
    return response.status_code, response.json()


def connect(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


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


def test_a_form_with_several_texts_is_a_list(gateway):
    asked = {"q": ["good", "red"], "source": "en", "target": "de"}
    assert requests.post(f"{gateway}/translate", data=asked, timeout=30).json()["translatedText"] == ["guten", "rotes"]


def test_white_space_and_paragraphs_stay(ask):
    text = "  good morning\n\n\tred house \r\n \n"
    found = ask("/translate", q=text, source="en", target="de")["translatedText"]
    assert found == "  guten Morgen\n\n\trotes Haus \r\n \n"


def test_html_is_translated_and_its_markup_stays(ask):
    page = "<p class='good'>good  <b>morning</b></p><!-- red --><script>good</script>&copy; house"
    found = ask("/translate", q=page, source="en", target="de", format="html")["translatedText"]
    assert found == "<p class='good'>guten <b>Morgen</b></p><!-- red --><script>good</script>&copy; Haus"


def test_without_a_direct_model_two_translate_over_a_third_language(gateway, ask):
    assert ask("/translate", q="good morning", source="fr", target="de")["translatedText"] == "[guten Morgen]"
    languages = {each["code"]: each for each in requests.get(f"{gateway}/languages", timeout=30).json()}
    assert languages["fr"] == {"code": "fr", "name": "French", "targets": ["de", "en"]}
    assert languages["en"]["targets"] == ["de"]


def test_a_text_in_the_target_language_stays(ask):
    assert ask("/translate", q="good", source="en", target="en")["translatedText"] == "good"


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (1, 1), (2, 2), (9, 2)])
def test_alternatives_differ_and_are_as_many_as_asked_for_and_available(ask, asked, given):
    one = ask("/translate", q="good house", source="en", target="de", alternatives=asked)
    several = ask("/translate", q=["good house"], source="en", target="de", alternatives=asked)
    expected = ["guten Haus!", "guten Haus?"][:given]
    assert one.get("alternatives", []) == expected
    assert several.get("alternatives", [[]]) == [expected]


def test_details_say_how_each_line_was_translated(ask):
    found = ask("/translate", q=["good house\n\nred", "good"], source="en", target="de", details=True)["details"]
    assert [[line["targetPieces"] for line in text] for text in found] == [[["guten", "Haus"], ["rotes"]], [["guten"]]]
    assert found[0][0] == {
        "confidence": 0.5,
        "sourcePieces": ["good", "house"],
        "targetPieces": ["guten", "Haus"],
        "alignment": [[1.0, 0.0], [0.0, 1.0]],
    }


def test_details_and_alternatives_come_together(ask):
    found = ask("/translate", q="good house", source="en", target="de", details=True, alternatives=1)
    assert found["details"][0][0]["sourcePieces"] == ["good", "house"]
    assert found["alternatives"] == ["guten Haus!"]


def test_over_a_third_language_no_details_pretend_to_be_of_the_source(ask):
    (line,) = ask("/translate", q="good", source="fr", target="de", details=True)["details"][0]
    assert line == {"confidence": None, "sourcePieces": [], "targetPieces": [], "alignment": []}


def test_a_glossary_says_how_terms_are_translated(ask):
    fields = {"source": "en", "target": "de", "glossary": [["red house", "Rotes Haus™"], ["morning", "Früh"]]}
    assert ask("/translate", q="good red  house", **fields)["translatedText"] == "guten Rotes Haus™"
    page = "<p>good <b>morning</b>, red <i>house</i></p>"
    found = ask("/translate", q=page, format="html", **fields)["translatedText"]
    assert found == "<p>guten <b>Früh</b>, rotes <i>Haus</i></p>"
    (line,) = ask("/translate", q="good morning", details=True, **fields)["details"][0]
    assert (line["sourcePieces"], line["targetPieces"]) == (["good", "morning"], ["guten", "Früh"])


def test_a_glossary_counts_over_a_third_language_and_in_alternatives(ask):
    found = ask("/translate", q="good x", source="fr", target="de", glossary=[["x", "y"]], alternatives=1)
    assert (found["translatedText"], found["alternatives"]) == ("[guten y]", ["[guten y]!"])


def test_a_model_that_loses_a_term_translates_without_it(start, models):
    gateway = start(models=[{"source": "en", "target": "de", "address": f"{models}/no-tags"}])
    fields = {"q": ["a red b", "c"], "source": "en", "target": "de", "glossary": [["red", "rot"]]}
    assert post(gateway, "/translate", **fields) == (200, {"translatedText": ["A RED B", "C"]})


def test_languages_are_detected_among_those_that_can_be_translated(ask):
    for text, language in ((GERMAN, "de"), (ENGLISH, "en")):
        found = ask("/detect", q=text)
        assert found[0]["language"] == language
        assert {each["language"] for each in found} == {"de", "en", "fr"}
        assert sum(each["confidence"] for each in found) == pytest.approx(100, abs=0.2)
    assert {each["confidence"] for each in ask("/detect", q="12 !?")} == {0}


def test_source_auto_translates_each_text_from_its_own_language(ask):
    found = ask("/translate", q=[GERMAN + " Haus", ENGLISH + " house"], source="auto", target="de")
    assert [each["language"] for each in found["detectedLanguage"]] == ["de", "en"]
    assert found["translatedText"] == [GERMAN + " Haus", ENGLISH + " Haus"]
    one = ask("/translate", q=ENGLISH, source="auto", target="de")
    assert one["detectedLanguage"]["language"] == "en"


def test_a_short_text_is_of_the_language_of_the_texts_around_it(ask):
    def languages(*texts: str) -> list[str]:
        found = ask("/translate", q=list(texts), source="auto", target="en")
        return [each["language"] for each in found["detectedLanguage"]]

    assert languages("Restaurant") != ["de"]
    assert languages("Restaurant", GERMAN) == ["de", "de"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "q is missing"),
        ({"q": ""}, "q is missing"),
        ({"q": []}, "q: List should have at least 1 item after validation, not 0, [] came"),
        ({"q": 3}, "q: Input should be a valid string, 3 came"),
        ({"q": ["a", None]}, "q[1]: Input should be a valid string, null came"),
        ({"q": ["a", ["b" * 100]]}, f'q[1]: Input should be a valid string, ["{"b" * 58}... came'),
        ({"source": None}, "source is missing"),
        ({"source": "xx"}, "xx is not supported; this gateway knows de, en, fr"),
        ({"target": "xx"}, "xx is not supported"),
        ({"source": "en", "target": "fr"}, "English (en) cannot be translated into fr here, but into de"),
        ({"format": "pdf"}, "format: "),
        ({"alternatives": -1}, "alternatives: "),
        ({"glossary": [["a", "b"], ["a", "c"]]}, "glossary: 'a' is 'b' here, and 'c' there"),
        ({"glossary": [["a", ""]]}, "glossary: 'a' -> ''"),
        ({"glossary": [["a"]]}, "glossary[0][1] is missing"),
        ({"q": "a" * 20_001}, "q: 20001 characters came, at most 20000 are allowed"),
        ({"q": ["a"] * 101}, "q: 101 texts came, at most 100 are allowed"),
    ],
)
def test_a_wrong_request_is_refused_with_what_is_wrong(gateway, fields, message):
    asked = {"q": "good", "source": "en", "target": "de", **fields} if fields else {}
    status, answer = post(gateway, "/translate", **asked)
    assert status == 400
    assert answer["error"].startswith(message)


def test_a_field_that_is_null_or_empty_is_as_good_as_not_given(ask):
    fields = {"q": ENGLISH, "source": "en", "target": "de"}
    assert ask("/translate", **fields, format=None, alternatives=None, api_key="") == ask("/translate", **fields)
    assert ask("/translate", **fields, format="") == ask("/translate", **fields)


@pytest.mark.parametrize("body", [b"{", b'"x"', b"\xff", b'{"q": "\\ud800"}', b"[" * 100_000, b'{"q": NaN}', b""])
def test_a_body_that_is_no_json_object_is_refused(gateway, body):
    headers = {"Content-Type": "application/json"}
    response = requests.post(f"{gateway}/translate", body, headers=headers, timeout=30)
    assert response.status_code == 400
    assert "JSON" in response.json()["error"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/translate", "/translate_file", "/detect"])
def test_a_body_that_is_too_large_is_refused(gateway, path, chunked):
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    parts = [start, *[b"a" * 100_000] * 10]
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = requests.post(gateway + path, iter(parts) if chunked else b"".join(parts), headers=headers, timeout=30)
    assert response.status_code == 413
    assert response.json() == {"error": "the request is too large: 1000000 bytes are allowed"}


def test_a_body_that_does_not_arrive_in_time_is_refused(start):
    gateway = start(limits={"body_seconds": 0.2})
    head = "POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    with connect(gateway) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")


def test_a_client_that_hangs_up_before_its_request_is_read_leaves_no_trace_in_the_log(gateway, caplog):
    head = "POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    for _ in range(3):
        with connect(gateway) as connection:
            connection.sendall(head.encode())
        assert requests.get(f"{gateway}/health", timeout=30).status_code == 200
    assert not caplog.records


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("http://127.0.0.1:1/x", 503, "the model en-de does not answer; try again later"),
        ("{models}/none", 500, "the model en-de could not translate this"),
    ],
)
def test_a_model_that_fails_is_said_to_and_no_address_is_given_away(models, start, address, status, message):
    gateway = start(models=[{"source": "en", "target": "de", "address": address.format(models=models)}])
    response = requests.post(f"{gateway}/translate", data={"q": "a", "source": "en", "target": "de"}, timeout=30)
    assert (response.status_code, response.json()) == (status, {"error": message})
    assert ("Retry-After" in response.headers) == (status == 503)


def test_many_requests_at_once_get_their_own_translations(ask):
    def translate(number: int) -> str:
        return ask("/translate", q=f"house {number}", source="en", target="de")["translatedText"]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(translate, range(200))) == [f"Haus {number}" for number in range(200)]


def test_health_answers_and_an_unknown_address_or_method_does_so_in_json(gateway):
    assert requests.get(f"{gateway}/health", timeout=30).json() == {"status": "ok"}
    unknown = requests.get(f"{gateway}/none", timeout=30)
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Not Found"})
    for method in ("GET", "PUT", "OPTIONS"):
        wrong = requests.request(method, f"{gateway}/translate", timeout=30)
        assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")


def test_the_settings_of_the_page_are_those_of_the_gateway(gateway):
    found = requests.get(f"{gateway}/frontend/settings", timeout=30).json()
    assert found["charLimit"] == 20_000
    assert found["language"] == {
        "source": {"code": "en", "name": "English"},
        "target": {"code": "de", "name": "German"},
    }
    assert (found["apiKeys"], found["keyRequired"], found["suggestions"]) == (False, False, False)
    assert found["filesTranslation"] is True
    assert ".html" in found["supportedFilesFormat"]


def test_the_api_is_described_as_openapi(gateway):
    spec = requests.get(f"{gateway}/spec", timeout=30).json()
    described = OpenAPI.model_validate(spec)
    assert set(described.paths) == {
        *("/translate", "/detect", "/languages", "/health", "/frontend/settings", "/suggest", "/translate_file"),
        "/download_file/{name}",
    }
    assert "$defs" not in json.dumps(spec)
    types = described.paths["/translate"].post.requestBody.content
    assert set(types) == {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
    for content in types.values():
        assert content.schema_.properties["source"].enum == ["de", "en", "fr", "auto"]


def test_the_page_comes_with_its_files_and_may_ask_nobody_else(gateway):
    for path, content_type in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        response = requests.get(gateway + path, timeout=30)
        assert response.headers["Content-Type"].startswith(content_type)
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        again = requests.get(gateway + path, headers={"If-None-Match": response.headers["ETag"]}, timeout=30)
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["/../settings.py", "/%2e%2e/settings.py", "/..%2fsettings.py", "//etc/passwd"])
def test_no_other_file_is_served(gateway, path):
    with connect(gateway) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404")


def test_other_sites_may_ask_where_the_settings_name_them(start):
    origins = ({"Origin": "https://example.org"}, {"Origin": "https://other.org"})
    gateway = start(cors_origins=["https://example.org"])
    named, other = (requests.get(f"{gateway}/languages", headers=origin, timeout=30) for origin in origins)
    assert named.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert "Access-Control-Allow-Origin" not in other.headers


def test_suggestions_are_appended_to_a_file_where_the_settings_name_one(gateway, start, tmp_path):
    suggestion = {"q": "good\nhouse", "s": "gutes Haus", "source": "en", "target": "de"}
    assert post(gateway, "/suggest", **suggestion) == (403, {"error": "suggestions are not taken here"})
    path = tmp_path / "suggestions.jsonl"
    taking = start(suggestions=str(path))
    for _ in range(2):
        assert post(taking, "/suggest", **suggestion, api_key=None) == (200, {"success": True})
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [{key: line[key] for key in suggestion} for line in lines] == [suggestion] * 2
    assert post(taking, "/suggest", q="a", source="en", target="de") == (400, {"error": "s is missing"})
