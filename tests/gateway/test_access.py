"""API keys, rates and quotas."""

import pytest
import requests


def translate(address: str, text: str = "good", **fields: str) -> requests.Response:
    asked = {"q": text, "source": "en", "target": "de", **fields}
    return requests.post(f"{address}/translate", json=asked, timeout=30)


def statuses(address: str, count: int, **fields: str) -> list[int]:
    return [translate(address, **fields).status_code for _ in range(count)]


def test_a_key_has_its_own_rate_and_does_not_use_up_that_of_others(start):
    keys = [{"key": "ann", "requests": "2/hour"}, {"key": "bob", "requests": "2/hour"}, {"key": "eve"}]
    gateway = start(limits={"requests": "2/hour"}, keys=keys)
    assert statuses(gateway, 3) == [200, 200, 429]
    assert statuses(gateway, 3, api_key="ann") == [200, 200, 429]
    assert statuses(gateway, 3, api_key="bob") == [200, 200, 429]
    assert statuses(gateway, 4, api_key="eve") == [200] * 4


def test_who_has_used_up_a_rate_is_told_when_to_come_back(start):
    gateway = start(limits={"requests": "1/hour"})
    translate(gateway)
    refused = translate(gateway)
    assert refused.json()["error"].startswith("too many requests: 1 per 1 hour are allowed")
    assert 0 < int(refused.headers["Retry-After"]) <= 7200


def test_characters_have_a_quota(start):
    gateway = start(limits={"requests": None}, keys=[{"key": "ann", "characters": "10/day"}])
    assert [translate(gateway, text, api_key="ann").status_code for text in ("12345", "123456", "12345")] == [
        200,
        429,
        200,
    ]


def test_a_request_of_more_than_is_ever_allowed_is_not_told_to_come_back(start):
    gateway = start(limits={"characters_rate": "10/day"})
    refused = translate(gateway, "12345678901")
    assert (refused.status_code, "Retry-After" in refused.headers) == (400, False)
    assert refused.json()["error"].startswith("11 characters came in one request, but 10 per 1 day are allowed")


def test_files_and_detections_count_too(start):
    gateway = start(limits={"requests": "2/hour", "characters_rate": "8/hour"})
    file = {"file": ("a.txt", b"good house")}
    asked = {"source": "en", "target": "de"}
    assert requests.post(f"{gateway}/translate_file", data=asked, files=file, timeout=30).status_code == 400
    assert requests.post(f"{gateway}/detect", data={"q": "good"}, timeout=30).status_code == 200
    assert requests.post(f"{gateway}/detect", data={"q": "good"}, timeout=30).status_code == 429


@pytest.mark.parametrize("required", [True, False])
def test_a_wrong_key_is_refused_and_none_only_where_one_is_required(start, required):
    gateway = start(keys=[{"key": "ann"}], key_required=required)
    assert translate(gateway, api_key="bob").status_code == 403
    assert translate(gateway, api_key="ann").status_code == 200
    assert translate(gateway).status_code == (400 if required else 200)
    assert requests.get(f"{gateway}/frontend/settings", timeout=30).json()["keyRequired"] is required
    assert requests.get(f"{gateway}/languages", timeout=30).status_code == 200


@pytest.mark.parametrize("trusted", [True, False])
def test_clients_behind_a_trusted_proxy_have_rates_of_their_own(start, trusted):
    gateway = start(limits={"requests": "1/hour"}, trusted_proxies=["127.0.0.1"] if trusted else [])

    def ask(client: str) -> int:
        headers = {"X-Forwarded-For": client}
        return requests.post(f"{gateway}/detect", data={"q": "good"}, headers=headers, timeout=30).status_code

    assert [ask("10.0.0.1"), ask("10.0.0.2"), ask("10.0.0.1")] == ([200, 200, 429] if trusted else [200, 429, 429])
