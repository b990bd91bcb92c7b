"""The client against a real endpoint, over REST and gRPC, and against everything that can go wrong."""

import json
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import tensorflow as tf
from serving_cases.make_fixtures import FLOAT, STRING, VECTOR, save, save_echo, signature
from serving_cases.text_model import ENGLISH, export_text_model, train_tokenizer

from nmt.client.client import connect
from nmt.exports.endpoint import MAX_BYTES, MAX_LINES
from nmt.exports.saved_model import SavedModel
from nmt.serving.grpc_server import GrpcLimits
from nmt.serving.server import Server, model_config
from nmt.serving.text_limits import TextLimits
from nmt.translation.translation import Hypothesis, Translation

LARGE = 8 * 2**20  # bytes
LINES = [*ENGLISH[:3], "", " ", "über 😀 тест", "nul \0 inside", "how are you " * 20]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    export_text_model(train_tokenizer(ENGLISH, vocabulary_size=60), directory / "translator", version=1)
    save_echo(directory / "echo" / "1")

    def parrot(text):
        return {"translation": text, "score": tf.zeros_like(text, FLOAT), "truncated": tf.zeros_like(text, tf.bool)}

    save(directory / "parrot" / "1", {"serving_default": signature(parrot, text=(STRING, VECTOR))})
    return directory


@pytest.fixture(scope="module")
def server(directory):
    configs = [model_config(directory / name, name=name) for name in ("translator", "echo", "parrot")]
    grpc, text = GrpcLimits(max_message_bytes=LARGE), TextLimits(max_line_bytes=LARGE)
    with Server(configs, port=0, rest_api_port=0, grpc=grpc, text=text) as server:
        yield server


@pytest.fixture(params=["rest_url", "grpc_url"])
def url(request, server):
    return getattr(server, request.param)


def test_the_port_of_grpc_asked_in_http_is_said_to_be_one(server):
    with pytest.raises(ConnectionError) as refusal, connect(server.grpc_url.replace("grpc:", "http:")) as client:
        client.translate(["a"])
    assert server.grpc_url in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.fixture(scope="module")
def expected(directory):
    """What the model itself says, one line at a time."""
    model = SavedModel(directory / "translator" / "1")

    def translate(line):
        data = line.encode() if isinstance(line, str) else line
        outputs = model.run("serving_default", {"text": np.array([data], dtype=object)})
        text, score, truncated = (outputs[name].item() for name in ("translation", "score", "truncated"))
        return Translation((Hypothesis(text.decode(errors="replace"), score),), truncated=truncated)

    yield translate
    model.close()


def test_every_line_gets_the_models_own_translation_in_order(url, expected):
    with connect(url) as client:
        assert client.translate(LINES) == [expected(line) for line in LINES]
        assert client.translate([]) == []


def requests_so_far(server):
    with urllib.request.urlopen(f"{server.rest_url}/monitoring/prometheus/metrics") as page:
        counts = re.findall(r'request_count{model_name="translator",status="OK"} (\d+)', page.read().decode())
    return sum(map(int, counts))


def test_more_lines_than_a_request_takes_are_split_and_rejoined(server, url, expected):
    lines = [f"how are you {number}" for number in range(MAX_LINES * 2 + 1)]
    before = requests_so_far(server)
    with connect(url) as client:
        assert [each.score for each in client.translate(lines)] == [expected(line).score for line in lines]
    assert requests_so_far(server) == before + 3


def test_a_line_that_is_long_gets_a_request_of_its_own(server, url, expected):
    lines = ["how", "how " * MAX_BYTES, "you"]
    before = requests_so_far(server)
    with connect(url) as client:
        assert client.translate(lines) == [expected(line) for line in lines]
    assert requests_so_far(server) == before + 2  # the short ones go together


def test_bytes_that_are_no_text_are_carried_as_they_are(url, expected):
    raw = b"how \xff\xfe are you"
    with connect(url) as client:
        assert client.translate([raw, raw.decode(errors="surrogateescape")]) == [expected(raw)] * 2


def test_answers_beyond_grpcs_own_four_mebibytes_arrive(url):
    line = "a" * (5 * 2**20)
    with connect(f"{url}/parrot") as client:
        assert client.translate([line]) == [Translation((Hypothesis(line, 0.0),))]


def test_a_model_the_server_does_not_have_is_named_with_the_way_out(url):
    with connect(f"{url}/nosuch") as client, pytest.raises(ValueError, match=r"no model 'nosuch'.*/NAME"):
        client.translate(["a"])


def test_a_model_that_is_no_text_export_is_refused(url):
    with connect(f"{url}/echo") as client, pytest.raises(ValueError, match="no text export"):
        client.translate(["a"])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there_is_a_connection_error_with_the_way_out(scheme):
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        address = f"{scheme}://localhost:{unused.getsockname()[1]}"
        with connect(address, timeout=10) as client, pytest.raises(ConnectionError, match="nmt serve"):
            client.translate(["a"])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_never_answers_is_given_up_after_the_time_limit(scheme):
    with socket.create_server(("localhost", 0)) as silent:
        address = f"{scheme}://localhost:{silent.getsockname()[1]}"
        with connect(address, timeout=0.2) as client, pytest.raises(ConnectionError, match=r"failed|no server"):
            client.translate(["a"])


@contextmanager
def answering(status, body):
    """The address of a server that has one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    with HTTPServer(("localhost", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_what_the_model_thinks_of_a_translation_comes_with_it_in_whatever_order():
    outputs = {"confidence": [0.5], "score": [-1.0], "degenerate": [True], "truncated": [False], "translation": ["a"]}
    with answering(200, json.dumps({"outputs": {**outputs, "new": [1]}}).encode()) as url, connect(url) as client:
        assert client.translate(["b"]) == [Translation((Hypothesis("a", -1.0),), degenerate=True, confidence=0.5)]


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (400, b'{"error": "bad input"}', ValueError, "refused the request: bad input"),
        (503, b'{"error": "queue full"}', ConnectionError, "failed: queue full"),
        (504, b'{"error": "timed out"}', ConnectionError, "failed: timed out"),
        (502, b"<html>proxy</html>", ConnectionError, "HTTP status 502"),
        (200, b"<html>welcome</html>", ValueError, "cannot be used"),
        (200, b'{"outputs": ["a", "b"]}', ValueError, "cannot be used"),
        (200, b'{"outputs": [{"translation": "a"}, {"translation": "b"}]}', ValueError, "cannot be used"),
        (
            200,
            b'{"outputs": {"translation": ["a"], "score": [0.0], "truncated": [false]}}',
            ValueError,
            "answered 2 lines",
        ),
    ],
)
def test_answers_that_are_no_translations_are_told_apart(status, body, error, message):
    with answering(status, body) as url, connect(url, timeout=0.5) as client, pytest.raises(error, match=message):
        client.translate(["a", "b"])


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8501",
        "ftp://localhost",
        "http://",
        "http://localhost:port",
        "http://localhost:8501?x=1",
        "http://[::1",
        "",
    ],
)
def test_what_is_no_address_is_refused_with_the_form_expected(url):
    with pytest.raises(ValueError, match="expected http://host:8501 or grpc://host:8500"):
        connect(url)


def test_connecting_over_rest_imports_no_tensorflow():
    code = (
        "import sys; from nmt.client import connect, connect_async; connect('http://localhost'); "
        "connect_async('http://localhost'); "
        "print('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
