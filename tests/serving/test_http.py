"""HTTP as clients and attackers send it, over real sockets: framing, sizes, slow clients, overload, stopping."""

import contextlib
import gzip
import http.client
import itertools
import json
import re
import shutil
import socket
import ssl
import threading
import time

import grpc
import pytest
import trustme
from serving_cases.make_fixtures import save_half_plus, save_slow
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from nmt.serving import rest_app
from nmt.serving.access_log import write_access_log
from nmt.serving.http_protocol import MAX_HEAD_BYTES, Deadlines
from nmt.serving.rest_app import RestOptions
from nmt.serving.server import Server, model_config
from nmt.serving.tls import read_tls

MAX_BODY = 100_000
HALF, SLOW = "/v1/models/half:predict", "/v1/models/slow:predict"
ENDLESS = b'{"instances": [1e9]}'  # for the slow model
POST = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
BODY = b'{"instances": [1.0]}'
GET = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_half_plus(folder / "half" / "1", 2.0)
    save_slow(folder / "slow" / "1")
    return [model_config(folder / name, name=name) for name in ("half", "slow")]


@pytest.fixture(scope="module")
def server(configs):
    with Server(configs, port=0, rest_api_port=0, rest=RestOptions(max_body_bytes=MAX_BODY, timeout=5.0)) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(configs):
    """A server whose deadlines pass soon."""
    options = RestOptions(deadlines=Deadlines(idle=0.5, head=0.5, body=0.5, reading=0.5))
    with Server(configs, port=0, rest_api_port=0, rest=options) as server:
        yield server


def connect(server):
    return socket.create_connection(("localhost", server.rest_api_port), timeout=30)


def read_to_end(connection):
    """What comes until the server closes the connection; a reset is no answer."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def read_answer(connection):
    """The next answer, and no more."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def exchange(server, *pieces):
    with connect(server) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return read_to_end(connection)


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)]


def client(server):
    return http.client.HTTPConnection("localhost", server.rest_api_port, timeout=30)


def ask(server, path, body, **headers):
    connection = client(server)
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def still_answers(server):
    status, _, body = ask(server, HALF, BODY)
    return (status, json.loads(body)) == (200, {"predictions": [2.5]})


# --- framing: what two parsers could understand in two ways ---


@pytest.mark.parametrize(
    "request_bytes",
    {
        "two lengths": POST + b"Content-Length: 20\r\nContent-Length: 21\r\n\r\n" + BODY,
        "the same length twice": POST + b"Content-Length: 20\r\nContent-Length: 20\r\n\r\n" + BODY,
        "a list of lengths": POST + b"Content-Length: 20, 20\r\n\r\n" + BODY,
        "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
        "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + END,
        "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + END,
        "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
        "two encodings": POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + END,
        "a list of encodings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + END,
        "chunked not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + END,
        "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + END,
        "chunks in HTTP/1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + END,
        "bare line feeds": GET.replace(b"\r\n", b"\n"),
        "a bare line feed in the head": GET.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\n"),
        "a bare carriage return": GET.replace(b"Host: x\r\n", b"Host: x\rA: b\r\n"),
        "a bare line feed after a chunk's size": CHUNKED + b"1\na\r\n" + END,
        "a bare line feed after a chunk": CHUNKED + b"1\r\na\n" + END,
        "a sign before a chunk's size": CHUNKED + b"+1\r\na\r\n" + END,
        "a chunk of 2^68 bytes": CHUNKED + b"1" + b"0" * 17 + b"\r\na\r\n" + END,
        "no chunks": CHUNKED + b"xyz",
        "a folded header": GET.replace(b"Host: x\r\n", b"Host: x\r\nA: b\r\n c\r\n"),
        "no host": GET.replace(b"Host: x\r\n", b""),
        "two hosts": GET.replace(b"Host: x\r\n", b"Host: x\r\nHost: y\r\n"),
        "5,000 digits": POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
        "5,000 zeros": POST + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n",
        "a sign": POST + b"Content-Length: +20\r\n\r\n" + BODY,
        "a negative length": POST + b"Content-Length: -1\r\n\r\n",
        "no number": POST + b"Content-Length: x\r\n\r\n",
        "no length": POST + b"Content-Length:\r\n\r\n",
        "a null byte": GET.replace(b"Host: x\r\n", b"Host: x\r\nA: \0\r\n"),
        "no colon": GET.replace(b"Host: x\r\n", b"Host: x\r\nA\r\n"),
        "HTTP/0.9": b"GET /v2/health/live\r\n\r\n",
        "HTTP/2 in clear": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "version 2.0": GET.replace(b"1.1", b"2.0"),
        "a TLS greeting": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    }.items(),
    ids=lambda case: case[0],
)
def test_an_ambiguous_request_gets_400_and_the_end_of_the_connection(server, request_bytes):
    answer = exchange(server, request_bytes[1] + GET)  # what follows it must not be answered
    assert statuses(answer) == [400]
    assert b"\r\nconnection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_a_chunked_body_of_any_pieces_is_one_body(server):
    pieces = b"".join(b"1;name=value\r\n%c\r\n" % byte for byte in BODY)
    answer = exchange(server, CHUNKED + pieces + b"0\r\nA: trailer\r\n\r\n" + LAST)
    assert statuses(answer) == [200, 200]
    assert b'{\n    "predictions": [2.5]\n}\n' in answer


def test_a_trailer_is_no_header(server):
    trailers = b"0\r\nContent-Encoding: gzip\r\nHost: y\r\n\r\n"
    assert statuses(exchange(server, CHUNKED + b"14\r\n" + BODY + b"\r\n" + trailers + LAST)) == [200, 200]


def test_requests_sent_at_once_are_answered_in_order(server):
    assert statuses(exchange(server, GET + GET.replace(b"live", b"nosuch") + POST + b"\r\n" + LAST)) == [
        200,
        404,
        400,
        200,
    ]


def test_an_offer_of_another_protocol_is_declined_and_the_connection_kept(server):
    offer = b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", offer))
        assert read_answer(connection) == 200
        connection.sendall(LAST)
        assert statuses(read_to_end(connection)) == [200]


# --- sizes ---


@pytest.mark.parametrize(
    "start",
    [
        GET.replace(b"Host: x\r\n\r\n", b"Host: x\r\nA: "),
        GET.replace(b"/live", b"/live?"),
        CHUNKED + b"0\r\nA: ",
        CHUNKED + b"1;name=",
    ],
    ids=["a header", "a URL", "a trailer", "the description of a chunk"],
)
def test_what_describes_a_request_has_an_end(server, start):
    def send_on(connection):
        while True:
            connection.sendall(b"a" * 1024)

    with connect(server) as connection:
        connection.sendall(start.partition(b" HTTP/1.1")[0] if b"?" in start else start)
        with pytest.raises(ConnectionError):
            send_on(connection)


def test_a_head_that_is_too_large_gets_431(server):
    assert statuses(exchange(server, POST + b"A: b\r\n" * (MAX_HEAD_BYTES // 6))) == [431]


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_a_body_beyond_the_limit_gets_413_even_of_a_client_that_sends_all_of_it_first(server, headers):
    for body in (b" " * (MAX_BODY + 1), b" " * 20 * MAX_BODY):
        status, sent, answer = ask(server, HALF, body, **headers)
        assert status == 413
        assert sent["Connection"] == "close"
        assert f"larger than {MAX_BODY} bytes" in json.loads(answer)["error"]


def test_chunks_beyond_the_limit_get_413(server):
    connection = client(server)
    connection.request("POST", HALF, iter([b" " * 1000] * (MAX_BODY // 1000 + 1)), encode_chunked=True)
    assert connection.getresponse().status == 413


def test_what_unpacks_to_more_than_the_limit_gets_413(server):
    bomb = gzip.compress(b" " * 1000 * MAX_BODY)
    assert len(bomb) < 1000 * MAX_BODY / 900
    packed = gzip.compress(BODY + b" " * (MAX_BODY + 1 - len(BODY)))
    fits = gzip.compress(BODY + b" " * (MAX_BODY - len(BODY)))
    found = [ask(server, HALF, body, **{"Content-Encoding": "gzip"})[0] for body in (bomb[:MAX_BODY], packed, fits)]
    assert found == [413, 413, 200]


def test_the_largest_body_is_answered(server):
    assert ask(server, HALF, BODY + b" " * (MAX_BODY - len(BODY)))[0] == 200


def test_a_client_that_asks_first_sends_its_body_once_it_may(server):
    expecting = POST + b"Expect: 100-continue\r\nContent-Length: "
    with connect(server) as connection:
        connection.sendall(expecting + b"%d\r\n\r\n" % len(BODY))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_answer(connection) == 200
    assert statuses(exchange(server, expecting + b"%d\r\n\r\n" % (MAX_BODY + 1))) == [413]


def test_large_bodies_that_many_send_at_once_are_bounded_together(configs, monkeypatch):
    monkeypatch.setattr(rest_app, "BODIES_AT_ONCE", 2)
    monkeypatch.setattr(rest_app, "SMALL_BODY_BYTES", 1000)
    with (
        Server(configs, port=0, rest_api_port=0, rest=RestOptions(max_body_bytes=10_000)) as server,
        contextlib.ExitStack() as stack,
    ):
        unfinished = POST + b"Content-Length: 10000\r\n\r\n" + b" " * 9_990
        for _ in range(2):
            stack.enter_context(connect(server)).sendall(unfinished)
        wait_until(lambda: ask(server, HALF, b" " * 9_990)[0] == 503)
        assert ask(server, HALF, b" " * 9_990)[1]["Retry-After"] == "1"
        assert still_answers(server), "a small one is"
        stack.close()
        wait_until(lambda: ask(server, HALF, BODY + b" " * 9_000)[0] == 200)


def test_a_tensor_of_rank_65_is_the_clients_mistake(server):
    status, _, answer = ask(server, HALF, b'{"instances": ' + b"[" * 65 + b"1" + b"]" * 65 + b"}")
    assert status == 400
    assert "nested 65 deep" in json.loads(answer)["error"]


# --- slow and idle clients ---


def drip(connection, byte):
    """Sends a byte again and again until the server has closed the connection; returns its answer."""
    connection.settimeout(0.1)
    answer = b""
    while True:
        try:
            connection.sendall(byte)
            received = connection.recv(65536)
            if not received:
                return answer
            answer += received
        except TimeoutError:
            pass
        except ConnectionError:
            return answer


@pytest.mark.parametrize(
    ("start", "byte"),
    [
        (b"", b"\r\n"),
        (b"POST ", b"a"),
        (POST + b"A: ", b"a"),
        (POST + b"Content-Length: 1000\r\n\r\n", b" "),
        (CHUNKED, b"1\r\n \r\n"),
        (CHUNKED + b"0\r\n", b"A: b\r\n"),
    ],
)
def test_a_client_that_sends_a_byte_now_and_then_gets_408(impatient, start, byte):
    with connect(impatient) as connection:
        connection.sendall(start)
        assert statuses(drip(connection, byte)) == [408]


def test_a_body_that_nobody_wants_holds_no_connection(impatient):
    with connect(impatient) as connection:
        connection.sendall(b"PUT /v2/health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert statuses(drip(connection, b" "))[0] == 413


@pytest.mark.parametrize("start", [b"", GET, POST + b"Content-Length: 20\r\n\r\n" + BODY])
def test_an_idle_connection_is_closed(impatient, start):
    with connect(impatient) as connection:
        connection.sendall(start)
        assert statuses(read_to_end(connection)) == ([200] if start else [])


def test_a_client_that_reads_no_answer_loses_its_connection(impatient):
    body = b'{"instances": [' + b",".join([b"1.0"] * 100_000) + b"]}"

    def ask_on(connection):
        while True:
            with contextlib.suppress(TimeoutError):  # the server reads no further while it cannot answer
                connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", impatient.rest_api_port))
        connection.settimeout(0.2)
        with pytest.raises(ConnectionError):
            ask_on(connection)
    assert still_answers(impatient)


# --- too much at once ---


def test_a_connection_too_many_gets_503_until_another_ends(configs):
    options = RestOptions(max_connections=3)
    with Server(configs, port=0, rest_api_port=0, rest=options) as server, contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(3)]
        for each in held:
            each.sendall(GET)
            assert read_answer(each) == 200
        answer = exchange(server, GET)
        assert statuses(answer) == [503]
        assert b"\r\nretry-after: 1\r\n" in answer
        held[0].sendall(GET)
        assert read_answer(held[0]) == 200, "those within the limit go on"
        held[0].close()
        wait_until(lambda: statuses(exchange(server, LAST)) == [200])


def test_predictions_beyond_those_that_may_wait_get_503_at_once_and_status_still_answers(configs):
    options = RestOptions(threads=1, waiting=1, timeout=1.0)
    answers = []
    with Server(configs, port=0, rest_api_port=0, rest=options) as server:
        asking = [threading.Thread(target=lambda: answers.append(ask(server, SLOW, ENDLESS))) for _ in range(3)]
        for thread in asking:
            thread.start()
        wait_until(lambda: answers)
        assert [(status, headers["Retry-After"]) for status, headers, _ in answers] == [(503, "1")]
        assert statuses(exchange(server, LAST)) == [200]
        for thread in asking:
            thread.join()
        assert [status for status, *_ in answers] == [503, 504, 504]
        assert still_answers(server)


def test_what_a_client_that_hangs_up_has_waiting_is_not_computed(configs):
    options = RestOptions(threads=1, waiting=2, timeout=1.0)
    with Server(configs, port=0, rest_api_port=0, rest=options) as server:
        first = threading.Thread(target=ask, args=(server, SLOW, ENDLESS))
        first.start()
        time.sleep(0.2)
        with connect(server) as impatient:
            impatient.sendall(POST.replace(b"half", b"slow") + b"Content-Length: %d\r\n\r\n" % len(ENDLESS) + ENDLESS)
            time.sleep(0.2)
        first.join()
        assert still_answers(server)
        connection = client(server)
        connection.request("GET", "/monitoring/prometheus/metrics")
        counts = re.findall(
            r'request_count\{model_name="slow",status="(\w+)"\} (\d+)', connection.getresponse().read().decode()
        )
        assert counts == [("DEADLINE_EXCEEDED", "1")], "the second never ran"


# --- what an answer says ---


def test_no_answer_names_the_software_it_comes_from(server):
    for request in (GET, GET.replace(b"live", b"nosuch"), b"nonsense\r\n\r\n"):
        with connect(server) as connection:
            connection.sendall(request)
            assert not re.search(rb"python|uvicorn|server:", connection.recv(65536), re.IGNORECASE)


def test_a_head_request_has_no_body(server):
    answer = exchange(server, b"HEAD /v1/models/half HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [400]
    assert answer.endswith(b"\r\n\r\n")


def test_health_says_whether_every_model_can_predict(tmp_path):
    for name in ("a", "b"):
        save_half_plus(tmp_path / name / "1", 1.0)
    configs = [model_config(tmp_path / name, name=name) for name in ("a", "b")]

    def health(server, what):
        connection = client(server)
        connection.request("GET", f"/v2/health/{what}")
        response = connection.getresponse()
        return response.status, json.load(response)

    with Server(configs, port=0, rest_api_port=0) as server:
        assert health(server, "live") == (200, {"live": True})
        assert health(server, "ready") == (200, {"ready": True})
        shutil.rmtree(tmp_path / "b" / "1")
        wait_until(lambda: health(server, "ready") == (503, {"ready": False}))
        assert health(server, "live") == (200, {"live": True})


# --- stopping ---


def test_keep_alive_clients_lose_no_request_when_the_server_stops(configs):
    """Each client asks again and again, and stops where an answer says that the connection closes."""
    endings: list[object] = []
    begun = threading.Barrier(9)

    def ask_until_told_to_go(server, pause):
        connection = client(server)
        try:
            for number in itertools.count():
                connection.request("POST", HALF, BODY)
                response = connection.getresponse()
                assert (response.status, json.load(response)) == (200, {"predictions": [2.5]})
                if response.headers["Connection"] == "close":
                    endings.append("told")
                    return
                if not number:
                    begun.wait()
                time.sleep(pause)
        except Exception as error:
            endings.append(error)

    with Server(configs, port=0, rest_api_port=0) as server:
        pauses = [0.0, 0.0, 0.0, 0.01, 0.1, 0.3, 0.6, 1.0]
        clients = [threading.Thread(target=ask_until_told_to_go, args=(server, pause)) for pause in pauses]
        for thread in clients:
            thread.start()
        begun.wait()
    for thread in clients:
        thread.join()
    assert endings == ["told"] * len(clients)


def test_a_stopping_server_finishes_what_it_has_and_closes_what_is_idle(configs):
    answers = []
    with Server(configs, port=0, rest_api_port=0) as server, connect(server) as idle:
        slow = threading.Thread(target=lambda: answers.append(ask(server, SLOW, b'{"instances": [50000.0]}')))
        slow.start()
        time.sleep(0.1)  # under way, or its answer is on its way
        closing = threading.Thread(target=server.close)
        closing.start()
        assert read_to_end(idle) == b""
        slow.join()
        closing.join()
        assert [(status, json.loads(body)) for status, _, body in answers] == [(200, {"predictions": [50000.0]})]
        with pytest.raises(ConnectionRefusedError):
            connect(server)


# --- TLS ---


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def ssl_config(path, authority, *extra):
    """The path of an SSLConfig for localhost."""
    certificate = authority.issue_cert("localhost")
    fields = {
        "server_key": certificate.private_key_pem.bytes(),
        "server_cert": b"".join(each.bytes() for each in certificate.cert_chain_pems),
        "custom_ca": authority.cert_pem.bytes(),
    }
    lines = [f"{name}: {json.dumps(value.decode())}" for name, value in fields.items()]
    path.write_text("\n".join([*lines, *extra]))
    return path


def tls_client(authority, certificate=None):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate:
        certificate.configure_cert(context)
    return context


def live_over_tls(server, context):
    connection = http.client.HTTPSConnection("localhost", server.rest_api_port, timeout=30, context=context)
    connection.request("GET", "/v2/health/live")
    return json.load(connection.getresponse())


def test_rest_and_grpc_are_served_over_tls(configs, authority, tmp_path):
    tls = read_tls(ssl_config(tmp_path / "ssl.config", authority))
    with Server(configs, port=0, rest_api_port=0, tls=tls) as server:
        assert server.rest_url.startswith("https://")
        assert live_over_tls(server, tls_client(authority)) == {"live": True}
        credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
            ask = get_model_status_pb2.GetModelStatusRequest()
            ask.model_spec.name = "half"
            status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(ask, timeout=30)
            assert [each.version for each in status.model_version_status] == [1]
        with connect(server) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(GET)
            assert not statuses(read_to_end(plain))


def test_a_client_without_the_certificate_demanded_is_refused(configs, authority, tmp_path):
    tls = read_tls(ssl_config(tmp_path / "ssl.config", authority, "client_verify: true"))
    with Server(configs, port=0, rest_api_port=0, tls=tls) as server:
        known = tls_client(authority, authority.issue_cert("client@example.org"))
        assert live_over_tls(server, known) == {"live": True}
        with pytest.raises((ssl.SSLError, ConnectionError)):
            live_over_tls(server, tls_client(authority))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server_key: 1", r"ssl.config:1:\d+ "),
        ('server_key: "x"', "server_key and server_cert were expected"),
        ('server_key: "x" server_cert: "y"', "not valid PEM"),
        ('server_key: "x" server_cert: "y" client_verify: true', "client_verify needs custom_ca"),
    ],
)
def test_a_wrong_ssl_config_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "ssl.config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as refusal:
        read_tls(path)
    assert str(path) in str(refusal.value)


# --- the access log ---


def test_the_access_log_has_a_line_of_json_for_each_request_and_no_text(server, tmp_path):
    path = tmp_path / "access.log"
    with write_access_log(path):
        ask(server, HALF, b'{"instances": [1.0, 4242.0]}')
        ask(server, HALF, b'{"instances": ["secret"]}')
        exchange(server, LAST)
        with connect(server) as connection:
            connection.sendall(POST + b"Content-Length: 20\r\n\r\n{")
        wait_until(lambda: path.read_text().count("\n") == 4)
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["path"], line["status"], line["lines"]) for line in lines] == [
        ("POST", HALF, 200, 2),
        ("POST", HALF, 400, 0),
        ("GET", "/v2/health/live", 200, 0),
        ("POST", HALF, 499, 0),
    ]
    assert lines[0].keys() == {"time", "client", "method", "path", "status", "bytes", "milliseconds", "lines"}
    assert lines[0]["client"] == "127.0.0.1"
    assert lines[0]["bytes"] > 0
    assert "secret" not in text
    assert "4242" not in text
