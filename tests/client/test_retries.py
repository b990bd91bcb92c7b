"""What a client does where a server is full, breaks connections or restarts; and that it keeps connections open."""

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving_cases.text_model import ENGLISH, export_text_model, train_tokenizer

from nmt.client import Unavailable, connect, connect_async
from nmt.exports.endpoint import MAX_LINES
from nmt.serving.server import Server, model_config

LINES = [f"{line} {number}" for number in range(40) for line in ENGLISH[:5]]


class Scripted(ThreadingHTTPServer):
    """Answers requests with the steps of a script, then rightly.

    A step is a status with headers, or None to break the connection.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, steps):
        super().__init__(("localhost", 0), Handler)
        self.steps = list(steps)
        self.times, self.connections = [], set()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        lines = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        with self.server.lock:
            self.server.times.append(time.monotonic())
            self.server.connections.add(self.client_address)
            step = self.server.steps.pop(0) if self.server.steps else (200, {})
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        time.sleep(0.01)
        with self.server.lock:
            self.server.at_once -= 1
        if step is None:
            self.close_connection = True
            return
        outputs = {"translation": lines, "score": [0.0] * len(lines), "truncated": [False] * len(lines)}
        status, headers = step
        body = json.dumps({"outputs": outputs} if status == 200 else {"error": "queue full"}).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@contextmanager
def scripted(*steps):
    with Scripted(steps) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def translate_async(url, lines, **options):
    async def translate():
        async with connect_async(url, **options) as endpoint:
            return await endpoint.translate(lines)

    return asyncio.run(translate())


def translate_sync(url, lines, **options):
    with connect(url, **options) as endpoint:
        return endpoint.translate(lines)


both = pytest.mark.parametrize("translate", [translate_sync, translate_async])


@both
def test_a_request_is_sent_again_until_the_server_has_room_and_no_line_is_lost(translate):
    with scripted((503, {}), (429, {}), None, (503, {"Retry-After": "0"})) as (server, url):
        found = translate(url, ["one", "two"])
    assert [each.text for each in found] == ["one", "two"]
    assert len(server.times) == 5


@both
def test_the_server_says_how_long_to_wait(translate):
    with scripted((503, {"Retry-After": "1"})) as (server, url):
        translate(url, ["one"])
    first, second = server.times
    assert second - first >= 1


@both
def test_a_wait_beyond_the_time_limit_is_not_begun(translate):
    with scripted((503, {"Retry-After": "100"})) as (server, url), pytest.raises(Unavailable, match="queue full"):
        translate(url, ["one"], timeout=5)
    assert len(server.times) == 1


@both
def test_what_the_server_refuses_or_fails_at_is_asked_once_and_raised_as_it_is(translate):
    for status, error in ((400, ValueError), (500, ConnectionError)):
        with scripted(*[(status, {})] * 9) as (server, url), pytest.raises(error, match="queue full"):
            translate(url, LINES, connections=1)
        assert len(server.times) <= -(-len(LINES) // MAX_LINES)


@both
def test_connections_are_kept_open_and_no_more_of_them_than_was_said(translate):
    with scripted() as (server, url):
        found = translate(url, LINES, connections=2)
    assert [each.text for each in found] == LINES
    assert len(server.times) == 4
    assert len(server.connections) <= 2
    assert server.most_at_once <= 2


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    export_text_model(train_tokenizer(ENGLISH, vocabulary_size=60), directory, version=1)
    return directory


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_tasks_get_what_threads_get(directory, scheme):
    with Server([model_config(directory, name="translator")], port=0, rest_api_port=0) as server:
        url = server.rest_url if scheme == "http" else server.grpc_url
        expected = translate_sync(url, LINES)
        assert translate_async(url, LINES) == expected
        with pytest.raises(ValueError, match="no model 'nosuch'"):
            translate_async(f"{url}/nosuch", LINES)
    with pytest.raises(Unavailable, match="nmt serve"):
        translate_async(url, ["one"], timeout=5)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_restart_of_the_server_loses_nothing(directory, scheme):
    configs = [model_config(directory, name="translator")]
    with Server(configs, port=0, rest_api_port=0) as server:
        url = server.rest_url if scheme == "http" else server.grpc_url
        client = connect(url)
        expected = client.translate(LINES[:3])
    with client, pytest.MonkeyPatch.context() as patched:
        found = []
        patched.setattr("nmt.client.retries.LONGEST_DELAY", 0.2)
        asking = threading.Thread(target=lambda: found.append(client.translate(LINES[:3])))
        asking.start()
        time.sleep(0.3)  # some attempts meet no server
        with Server(configs, port=server.port, rest_api_port=server.rest_api_port):
            asking.join()
    assert found == [expected]


def test_a_server_that_stays_away_is_given_up_before_the_time_limit():
    with scripted((200, {"Connection": "close"})) as (_, url):
        client = connect(url, timeout=3600, restart_seconds=0.3)
        client.translate(["one"])
    with client, pytest.raises(Unavailable, match="nmt serve"):
        client.translate(["one"])
