"""`nmt serve` under load and under attack: real processes, real sockets, and a table of what came of it.

    python tests/load/load.py EXPORT [--seconds 60] [--requests 100000] [--idle 1000]

EXPORT is a text export with its version folders; a copy is served. Each scenario returns a row: what was done, and how
many requests failed, which has to be none. tests/load/test_load.py runs them for seconds, on a model without a network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

LINE = "How are you today?"
BODY = json.dumps({"instances": [LINE]}).encode()
CLIENTS = 64
ANSWER_SECONDS = 0.2  # after which a server waits for the rest of a request, as a rule
PREDICT = "/tensorflow.serving.PredictionService/Predict"
# What says that a server is full or stops, as against one at fault.
STATED = {503, "RESOURCE_EXHAUSTED", "UNAVAILABLE"}


class Outcome(NamedTuple):
    """What came of a scenario."""

    name: str
    requests: int
    failed: int
    per_second: float
    median: float  # of the latencies, ms
    p99: float
    remark: str = ""


class Served:
    """A server in a process of its own."""

    def __init__(self, directory: Path, *, ports: tuple[int, int] = (0, 0), options: tuple[str, ...] = ()) -> None:
        command = [sys.executable, "-m", "nmt", "serve", *options, f"--port={ports[0]}", f"--rest-api-port={ports[1]}"]
        if not any(option.startswith("--model-config-file") for option in options):
            command += [str(directory), "--model-name=translator"]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open as long as the process)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        assert self.process.stdout
        greeting = []
        for line in self.process.stdout:
            greeting.append(line)
            if line.startswith("Ctrl-C"):
                break
        else:
            self.log.seek(0)
            raise RuntimeError(f"the server did not start: {self.log.read()}")
        addresses = dict(re.findall(r"(REST|gRPC) +\w+://([^/]+)", "".join(greeting)))
        self.rest_port, self.grpc_port = (int(addresses[kind].rpartition(":")[2]) for kind in ("REST", "gRPC"))

    @property
    def rss(self) -> float:
        """Resident memory, MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> float:
        """Ends it as a system does; returns how many seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        return time.monotonic() - begun


@contextmanager
def serving(directory: Path, **options: Any) -> Iterator[Served]:
    served = Served(directory, **options)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.stop()


# --- clients: each sends one request after another over a connection that stays open ---


async def rest_client(port: int, until: Callable[[], bool], latencies: list[float], failures: list[Any]) -> None:
    """A client that connects anew where the server has said that it closes the connection."""
    head = f"POST /v1/models/translator:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n"
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while not until():
        begun = time.monotonic()
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = connection
            writer.write(head.encode() + BODY)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", answer)
            assert length
            await reader.readexactly(int(length[1]))
        except (OSError, asyncio.IncompleteReadError) as error:
            if not until():
                failures.append(repr(error))
            return
        latencies.append(time.monotonic() - begun)
        if not answer.startswith(b"http/1.1 200"):
            failures.append(int(answer.split()[1]))
        if b"connection: close" in answer:
            writer.close()
            connection = None
    if connection:
        connection[1].close()


def predict_request() -> bytes:
    from tensorflow import make_tensor_proto
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.model_spec.name = "translator"
    request.inputs["text"].CopyFrom(make_tensor_proto([LINE.encode()], shape=[1]))
    return request.SerializeToString()


async def grpc_client(port: int, until: Callable[[], bool], latencies: list[float], failures: list[Any]) -> None:
    body = predict_request()
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        call = channel.unary_unary(PREDICT)
        while not until():
            begun = time.monotonic()
            try:
                await call(body, timeout=30)
            except grpc.RpcError as error:
                if not until():
                    failures.append(error.code().name)
                return
            latencies.append(time.monotonic() - begun)


def run_clients(
    client: Callable[..., Any], port: int, *, seconds: float, meanwhile: Callable[[], None] | None = None
) -> tuple[list[float], list[Any], float]:
    """Latencies in seconds, what failed, and the seconds that it took, of CLIENTS clients.

    `meanwhile` runs beside them, in a thread, and may take longer than `seconds`.
    """
    latencies: list[float] = []
    failures: list[Any] = []
    done = threading.Event()

    async def together() -> None:
        await asyncio.gather(*(client(port, done.is_set, latencies, failures) for _ in range(CLIENTS)))

    def time_it() -> None:
        end = time.monotonic() + seconds
        if meanwhile:
            meanwhile()
        time.sleep(max(0.0, end - time.monotonic()))
        done.set()

    timer = threading.Thread(target=time_it)
    begun = time.monotonic()
    timer.start()
    asyncio.run(together())
    timer.join()
    return latencies, failures, time.monotonic() - begun


def outcome(name: str, latencies: list[float], failures: list[Any], seconds: float, *, remark: str = "") -> Outcome:
    if failures:
        remark = f"{remark} failed: {dict(Counter(map(str, failures)))}".strip()
    median, p99 = 1e3 * np.percentile(latencies, [50, 99]) if latencies else (np.nan, np.nan)
    return Outcome(name, len(latencies), len(failures), len(latencies) / seconds, median, p99, remark)


# --- load ---


def many_clients(directory: Path, *, seconds: float) -> Iterator[Outcome]:
    with serving(directory) as served:
        for kind, client, port in (("REST", rest_client, served.rest_port), ("gRPC", grpc_client, served.grpc_port)):
            found = run_clients(client, port, seconds=seconds)
            yield outcome(f"{CLIENTS} clients over {kind}", *found, remark=f"{served.rss:.0f} MB")


def many_connections(directory: Path, *, idle: int, seconds: float) -> Outcome:
    """Busy clients beside connections on which nothing is sent."""
    with serving(directory) as served, ExitStack() as stack:
        for _ in range(idle):
            stack.enter_context(socket.create_connection(("127.0.0.1", served.rest_port)))
        found = run_clients(rest_client, served.rest_port, seconds=seconds)
        return outcome(f"beside {idle:,} idle connections", *found, remark=f"{served.rss:.0f} MB")


def version_swap(directory: Path, *, seconds: float) -> Outcome:
    """A new version appears under load, and the old one goes."""
    newest = max(directory.glob("[0-9]*"), key=lambda path: int(path.name))
    added = newest.with_name(str(int(newest.name) + 1))

    def swap() -> None:
        copy = directory / "unfinished"
        shutil.copytree(newest, copy)
        copy.rename(added)
        wait_for(
            served.rest_port, lambda states: states.get(added.name) == "AVAILABLE" and len(set(states.values())) > 1
        )

    with serving(directory) as served:
        found = run_clients(rest_client, served.rest_port, seconds=seconds, meanwhile=swap)
    shutil.rmtree(added)
    return outcome("a version swap", *found)


def reload(directory: Path, *, seconds: float) -> Outcome:
    """The list of models is replaced several times under load."""
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    def config(*names: str) -> str:
        models = (
            f'config {{ name: "{name}" base_path: "{directory}" model_platform: "tensorflow" }}' for name in names
        )
        return f"model_config_list {{ {' '.join(models)} }}"

    def replace() -> None:
        from google.protobuf import text_format
        from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            for names in (["translator", "second"], ["translator"], ["translator", "third"]):
                request = ReloadConfigRequest(config=text_format.Parse(config(*names), ModelServerConfig()))
                answer = ModelServiceStub(channel).HandleReloadConfigRequest(request, timeout=120)
                assert answer.status.error_code == 0, answer.status.error_message

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "models.config"
        path.write_text(config("translator"))
        with serving(directory, options=(f"--model-config-file={path}",)) as served:
            found = run_clients(rest_client, served.rest_port, seconds=seconds, meanwhile=replace)
    return outcome("three reloads of the models", *found)


def terminate(directory: Path, *, seconds: float) -> Outcome:
    """SIGTERM while keep-alive clients are busy: what was begun is answered, what comes later is refused."""
    with serving(directory) as served, ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(socket.create_connection(("127.0.0.1", served.rest_port)))
        stopped: list[float] = []
        latencies: list[float] = []
        failures: list[Any] = []

        async def together() -> None:
            clients = (rest_client(served.rest_port, lambda: False, latencies, failures) for _ in range(CLIENTS))
            stopper = asyncio.get_running_loop().run_in_executor(None, stop)
            await asyncio.gather(stopper, *clients)

        def stop() -> None:
            time.sleep(seconds)
            stopped.append(served.stop())

        asyncio.run(together())
    # A client whose connection was closed as announced finds nobody when it connects anew: that is no failure.
    failures = [failure for failure in failures if "ConnectionRefusedError" not in str(failure)]
    return outcome("SIGTERM", latencies, failures, seconds, remark=f"stopped in {stopped[0]:.1f} s")


def kill(directory: Path, *, lines: int) -> Outcome:
    """kill -9 and a restart beneath a client that retries: every line comes back, in order."""
    from nmt.client import connect

    texts = [f"{LINE} {number}" for number in range(lines)]
    served = Served(directory)
    ports = (served.grpc_port, served.rest_port)
    found: list[str] = []
    with connect(f"http://127.0.0.1:{served.rest_port}/translator", timeout=120) as client:
        expected = [each.text for each in client.translate(texts)]
        begun = time.monotonic()
        asking = threading.Thread(target=lambda: found.extend(each.text for each in client.translate(texts)))
        asking.start()
        time.sleep(0.05)
        served.process.kill()
        served.process.wait()
        with serving(directory, ports=ports):
            asking.join()
    seconds = time.monotonic() - begun
    lost = len(texts) - sum(a == b for a, b in zip(found, expected, strict=False))
    return Outcome("kill -9 and a restart", lines, lost, lines / seconds, np.nan, np.nan, f"{seconds:.1f} s")


def wait_for(port: int, reached: Callable[[dict[str, str]], bool], *, seconds: float = 120.0) -> None:
    """Until the states of the versions of the model, by number, are as wanted."""
    import httpx

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = httpx.get(f"http://127.0.0.1:{port}/v1/models/translator").json()
        if reached({each["version"]: each["state"] for each in status["model_version_status"]}):
            return
        time.sleep(0.2)
    raise TimeoutError("the versions did not change")


# --- attack ---


def mutated(data: bytes, choose: random.Random) -> bytes:
    """Some bytes changed, removed, doubled or put in."""
    changed = bytearray(data)
    for _ in range(choose.randint(1, 6)):
        place = choose.randrange(len(changed) + 1)
        kind = choose.randrange(4)
        if kind == 0 and place < len(changed):
            changed[place] = choose.randrange(256)
        elif kind == 1:
            del changed[place : place + choose.randint(1, 8)]
        elif kind == 2:
            changed[place:place] = changed[place : place + choose.randint(1, 16)]
        else:
            changed[place:place] = choose.randbytes(choose.randint(1, 4))
    return bytes(changed)


REST_SEEDS = [
    f"POST /v1/models/translator:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY,
    b"POST /v1/models/translator:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'1d\r\n{"inputs": {"text": ["a b"]}}\r\n0\r\n\r\n',
    b"POST /v1/models/translator/versions/1:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 44\r\n\r\n"
    b'{"instances": [{"b64": "QSBsaW5lLiBBLg=="}]}',
    b"GET /v1/models/translator/metadata HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"GET /monitoring/prometheus/metrics HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
]


def rest_status(port: int, request: bytes, *, patience: float = ANSWER_SECONDS) -> int | None:
    """The status that bytes get on a connection of their own; None where the server closes it or waits for more."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        try:
            connection.sendall(request)
            if not select.select([connection], [], [], patience)[0]:
                connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            answer = connection.recv(64)
        except OSError:
            return None
    status = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(status[1]) if status else None


def grpc_status(call: Any, request: bytes) -> str:
    try:
        call(request, timeout=10)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def fuzz(directory: Path, *, requests: int, seed: int = 1) -> Iterator[Outcome]:
    """Mutated requests: none may end the server, be its fault, or leave memory behind."""
    choose = random.Random(seed)
    with serving(directory) as served, grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        call = channel.unary_unary(PREDICT)
        seed_request = predict_request()
        kinds: dict[str, Callable[[], Any]] = {
            "REST": lambda: rest_status(served.rest_port, mutated(choose.choice(REST_SEEDS), choose)),
            "gRPC": lambda: grpc_status(call, mutated(seed_request, choose)),
        }
        for kind, send in kinds.items():
            statuses: Counter[Any] = Counter()
            begun, memory = time.monotonic(), 0.0
            for number in range(requests // len(kinds)):
                statuses[send()] += 1
                if number == 1_000:
                    memory = served.rss
            seconds = time.monotonic() - begun
            faults = sum(count for status, count in statuses.items() if at_fault(status))
            alive = served.process.poll() is None
            grown = f"{memory:.0f} -> {served.rss:.0f} MB" if memory else f"{served.rss:.0f} MB"
            shown = ", ".join(f"{status}: {count:,}" for status, count in statuses.most_common())
            yield Outcome(
                f"mutated bytes over {kind}",
                statuses.total(),
                faults + (not alive),
                statuses.total() / seconds,
                np.nan,
                np.nan,
                f"{grown}; {shown}",
            )


def at_fault(status: Any) -> bool:
    """Whether a status is the server's own fault."""
    if isinstance(status, int):
        return status >= 500 and status not in (*STATED, 501)
    return status in ("INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument("--seconds", type=float, default=60, help="of a scenario under load (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=100_000, help="of mutated bytes (default: %(default)s)")
    parser.add_argument("--idle", type=int, default=1_000, help="connections (default: %(default)s)")
    options = parser.parse_args()
    print(f"{'scenario':<30}{'requests':>9}{'failed':>8}{'/s':>8}{'median ms':>11}{'p99 ms':>9}  remark")
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "export"
        shutil.copytree(options.export, directory)
        for found in scenarios(directory, seconds=options.seconds, requests=options.requests, idle=options.idle):
            print(
                f"{found.name:<30}{found.requests:>9,}{found.failed:>8}{found.per_second:>8.1f}{found.median:>11.1f}"
                f"{found.p99:>9.1f}  {found.remark}",
                flush=True,
            )


def scenarios(directory: Path, *, seconds: float, requests: int, idle: int) -> Iterator[Outcome]:
    yield from many_clients(directory, seconds=seconds)
    yield many_connections(directory, idle=idle, seconds=seconds)
    yield version_swap(directory, seconds=seconds)
    yield reload(directory, seconds=seconds)
    yield terminate(directory, seconds=min(seconds, 10))
    yield kill(directory, lines=max(200, int(20 * seconds)))
    yield from fuzz(directory, requests=requests)


if __name__ == "__main__":
    main()
