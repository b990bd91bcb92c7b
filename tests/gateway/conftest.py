"""Gateways on real sockets, in front of models that answer as TensorFlow Serving does."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from nmt.gateway.server import start
from nmt.gateway.settings import GatewaySettings

# A model of a word or two: en-de and de-en translate these, every other word stays.
WORDS = {"good": "guten", "morning": "Morgen", "house": "Haus", "red": "rotes"}
BACK = {german: english for english, german in WORDS.items()}


def spell(words: dict[str, str]) -> Callable[[str], str]:
    """Translates word by word; what else there is, such as tags, stays."""
    return lambda line: re.sub(r"(?<![<\w/])\w+", lambda word: words.get(word[0], word[0]), line)


may_answer = threading.Event()  # the model "waits" until it is set


def wait(line: str) -> str:
    may_answer.wait(60)
    return line


MODELS: dict[str, Callable[[str], str]] = {
    "waits": wait,
    "no-tags": lambda line: re.sub("[<>]", "", line.upper()),
    "en-de": spell(WORDS),
    "de-en": spell(BACK),
    "marks": lambda line: f"[{line}]",
}


class _Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        if name not in MODELS:
            return self._answer(404, {"error": f"Servable not found: {name}"})
        return self._answer(200, {"outputs": outputs(MODELS[name], request["inputs"], request["signature_name"])})

    def _answer(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def outputs(translate: Callable[[str], str], lines: list[str], signature: str) -> dict:
    """What an export's signature gives."""
    found = [translate(line) for line in lines]
    scores = [-1.0] * len(found)
    several = {
        "translation": [[text, f"{text}!", f"{text}?", text] for text in found],
        "score": [[score, score - 1, score - 2, score - 3] for score in scores],
    }
    pieces = [line.split() for line in lines], [text.split() for text in found]
    most = [max(map(len, each)) for each in pieces]
    padded = [[row + [""] * (length - len(row)) for row in each] for each, length in zip(pieces, most, strict=True)]
    aligned = {
        "source_pieces": padded[0],
        "target_pieces": padded[1],
        "alignment": [[[float(i == j) for i in range(most[0])] for j in range(most[1])] for _ in lines],
    }
    return {
        "translation": found,
        "score": scores,
        "truncated": [False] * len(found),
        "confidence": [0.5] * len(found),
        **(several if signature == "nbest" else aligned if signature == "align" else {}),
    }


@pytest.fixture(scope="session")
def models() -> Iterator[str]:
    """The address of a server of MODELS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def running(settings: dict) -> Iterator[str]:
    """The address of a gateway with these settings."""
    server = start(GatewaySettings.model_validate(settings), host="127.0.0.1", port=0)
    yield f"http://127.0.0.1:{server.port}"
    server.close()


@pytest.fixture(scope="session", name="running")
def running_fixture() -> Callable:
    """For tests with settings of their own."""
    return running


@pytest.fixture
def waiting() -> Iterator[threading.Event]:
    """What the model "waits" waits for."""
    may_answer.clear()
    yield may_answer
    may_answer.set()


@pytest.fixture(scope="session")
def settings(models) -> dict:
    """English and German both ways, and from French into English."""
    return {
        "models": [
            {"source": "en", "target": "de", "address": f"{models}/en-de"},
            {"source": "de", "target": "en", "address": f"{models}/de-en"},
            {"source": "fr", "target": "en", "address": f"{models}/marks"},
        ],
        "limits": {"requests": None},
    }


@pytest.fixture(scope="session")
def gateway(settings) -> Iterator[str]:
    with running(settings) as address:
        yield address


@pytest.fixture(name="start")
def start_fixture(settings):
    """Starts a gateway with other settings than the shared one; gives its address."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(running({**settings, **changes}))


@pytest.fixture(scope="session")
def ask(gateway):
    """Posts JSON; gives the answer's fields."""

    def post(path: str, **fields: object) -> dict:
        response = requests.post(gateway + path, json=fields, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()

    return post
