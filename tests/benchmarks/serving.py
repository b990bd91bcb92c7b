"""How many requests a second `nmt serve` answers, and how fast, with batching and without.

    python tests/benchmarks/serving.py EXPORT [--lines FILE] [--seconds 5] [--cores 2]

Both servers, processes of their own, take turns. Clients send a line a request, one request after another, over
connections that stay open; a single loop serves all of them, so that it takes little of the processor. Last, one client
sends single lines while eight wait for requests of 10,000 lines.
"""

from __future__ import annotations

import itertools
import json
import queue
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
from bench import arguments, contender_command, machine, use_cores

CLIENTS = (1, 4, 16, 64)
LARGE_REQUESTS, LARGE_LINES = 8, 10_000
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def serve(directory: str, *, batching: bool) -> None:
    """The server's side: says where it listens, and stops when its input ends."""
    from nmt.serving.batching_parameters import DEFAULT_BATCHING
    from nmt.serving.server import Server, model_config

    configs = [model_config(directory, name="translator")]
    with Server(configs, port=0, rest_api_port=0, batching=DEFAULT_BATCHING if batching else None) as server:
        print(json.dumps({"REST": server.rest_api_port, "gRPC": server.port}), flush=True)
        sys.stdin.read()


class RestClient:
    """A connection with one request in progress."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, lines: list[str]) -> None:
        self.sent_at = time.perf_counter()
        self.received = b""
        body = json.dumps({"instances": lines}).encode()
        head = f"POST /v1/models/translator:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    def answered(self) -> bool:
        """Reads on; whether the answer is complete. Raises ValueError where it is not 200."""
        self.received += self.socket.recv(2**16)
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if separator and not head.startswith(b"HTTP/1.1 200 "):
            raise ValueError(self.received.decode())
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return bool(separator) and len(body) == int(length)


def rest_latencies(port: int, lines: Iterator[str], *, clients: int, seconds: float) -> list[float]:
    """Seconds of each request answered in time."""
    taken = []
    with selectors.DefaultSelector() as waiting:
        for _ in range(clients):
            client = RestClient(port)
            waiting.register(client.socket, selectors.EVENT_READ, client)
            client.send([next(lines)])
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            for key, _ in waiting.select(end - now):
                if key.data.answered():
                    taken.append(time.perf_counter() - key.data.sent_at)
                    key.data.send([next(lines)])
        for key in list(waiting.get_map().values()):
            key.data.socket.close()
    return taken


def grpc_latencies(port: int, lines: Iterator[str], *, clients: int, seconds: float) -> list[float]:
    """As `rest_latencies`; the calls share a connection, as gRPC has it."""
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    taken = []
    answers: queue.SimpleQueue[tuple[float, grpc.Future]] = queue.SimpleQueue()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        predict = channel.unary_unary(PREDICT)

        def send() -> None:
            request = PredictRequest()
            request.model_spec.name = "translator"
            request.inputs["text"].CopyFrom(tf.make_tensor_proto([next(lines)]))
            sent_at = time.perf_counter()
            predict.future(request.SerializeToString()).add_done_callback(lambda call: answers.put((sent_at, call)))

        for _ in range(clients):
            send()
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            try:
                sent_at, call = answers.get(timeout=end - now)
            except queue.Empty:
                break
            call.result()
            taken.append(time.perf_counter() - sent_at)
            send()
    return taken


def beside_large_requests(port: int, lines: Iterator[str], *, seconds: float) -> list[float]:
    """Seconds of single lines, ten a second, while large requests are in progress; none where none is answered."""
    large = [RestClient(port) for _ in range(LARGE_REQUESTS)]
    for client in large:
        client.send(list(itertools.islice(lines, LARGE_LINES)))
    time.sleep(1.0)
    short, taken = RestClient(port), []
    short.socket.settimeout(seconds)
    end = time.perf_counter() + seconds
    try:
        while time.perf_counter() < end:
            short.send([next(lines)])
            while not short.answered():
                pass
            taken.append(time.perf_counter() - short.sent_at)
            time.sleep(0.1)
    except TimeoutError:
        pass
    for client in (*large, short):
        client.socket.close()
    return taken


def milliseconds(taken: list[float], percentile: float) -> str:
    return f"{1000 * np.percentile(taken, percentile):.0f}" if taken else "-"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], repetitions=1)
    parser.add_argument("export", help="directory that `nmt export` wrote")
    parser.add_argument("--lines", default="data/demo/test.en", help="what clients send (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: %(default)s)")
    options = parser.parse_args()
    use_cores(options.cores)
    from nmt.startup import import_tensorflow

    import_tensorflow()
    if options.contender:
        serve(options.export, batching=options.contender == "batching")
        return

    lines = itertools.cycle(Path(options.lines).read_text(encoding="utf-8").splitlines())
    servers, ports = {}, {}
    for name in ("batching", "no batching"):
        command = [*contender_command(__file__, name), options.export, "--cores", str(options.cores)]
        servers[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ports[name] = next(json.loads(line) for line in servers[name].stdout if line.startswith("{"))

    print(f"\nOne line a request, {options.cores} core(s) for server and clients; {machine()}\n")
    print("| API | clients |" + "".join(f" {name}: requests/s | x one client | p50 ms | p99 ms |" for name in servers))
    print("|" + "---|" * (2 + 4 * len(servers)))
    for api, measure in (("REST", rest_latencies), ("gRPC", grpc_latencies)):
        alone = {}
        for clients in CLIENTS:
            cells = []
            for name in servers:
                measure(ports[name][api], lines, clients=clients, seconds=1.0)
                taken = measure(ports[name][api], lines, clients=clients, seconds=options.seconds)
                speed = len(taken) / options.seconds
                alone.setdefault(name, speed)
                cells += [
                    f"{speed:.0f}",
                    f"{speed / alone[name]:.1f}",
                    milliseconds(taken, 50),
                    milliseconds(taken, 99),
                ]
            print(f"| {api} | {clients} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nSingle lines beside {LARGE_REQUESTS} requests of {LARGE_LINES:,} lines, over REST\n")
    print("| | answered | p50 ms | p99 ms |\n|---|---|---|---|")
    for name in servers:
        taken = beside_large_requests(ports[name]["REST"], lines, seconds=2 * options.seconds)
        print(f"| {name} | {len(taken)} | {milliseconds(taken, 50)} | {milliseconds(taken, 99)} |", flush=True)
    for server in servers.values():
        server.communicate()


if __name__ == "__main__":
    main()
