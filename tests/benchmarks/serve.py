"""How long one line takes in an exported model: through the Session that servers use, `nmt serve`'s REST and its gRPC;
in an ONNX export, in this process and through REST.

    python tests/benchmarks/serve.py RUN [--repetitions 200] [--cores 1]

The run is exported and loaded once in this process and once for a server, which is a process of its own. Lines of the
run's validation set are sent one at a time, each to all before the next.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from bench import arguments, contender_command, machine, use_cores

PERCENTILES = (50, 90, 99)


def serve(directory: str) -> None:
    """The server's side: says where it listens, and stops when its input ends."""
    from nmt.serving.server import Server, model_config

    with Server([model_config(directory, name="translator")], port=0, rest_api_port=0) as server:
        print(json.dumps({"REST": server.rest_url, "gRPC": server.grpc_url}), flush=True)
        sys.stdin.read()


@contextmanager
def serving(directory: str, arguments: list[str]) -> Iterator[dict[str, str]]:
    """The URLs of a server in a process of its own."""
    command = [*contender_command(__file__, directory), *arguments]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield next(json.loads(line) for line in server.stdout if line.startswith("{"))
    server.communicate()


def latencies(asks: dict[str, Callable[[str], object]], lines: list[str]) -> dict[str, list[float]]:
    """Milliseconds of each line, by way."""
    taken: dict[str, list[float]] = {way: [] for way in asks}
    for line in lines:
        for way, ask in asks.items():
            began_at = time.perf_counter()
            ask(line)
            taken[way].append(1000 * (time.perf_counter() - began_at))
    return taken


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], repetitions=200)
    parser.add_argument("run", help="directory of a trained run")
    options = parser.parse_args()
    use_cores(options.cores)
    from nmt.startup import import_tensorflow

    import_tensorflow()
    if options.contender:
        serve(options.contender)
        return

    from nmt.client.client import connect
    from nmt.exports.saved_model import SavedModel
    from nmt.exports.signatures import DEFAULT_SIGNATURE
    from nmt.exports.writer import export
    from nmt.onnx_engine.open_onnx import onnx_translator, open_onnx
    from nmt.onnx_export.writer import export as export_onnx
    from nmt.runs.run import Run
    from nmt.text.files import read_pairs

    run = Run.open(options.run)
    sources = itertools.cycle(source for source, _ in read_pairs(run.config.data.validation))
    lines = list(itertools.islice(sources, options.repetitions + 1))
    with tempfile.TemporaryDirectory() as directory:
        began_at = time.perf_counter()
        version = export(run, directory)
        exported = time.perf_counter()
        model = SavedModel(version)
        loaded = time.perf_counter()
        megabytes = sum(file.stat().st_size for file in Path(version).rglob("*") if file.is_file()) / 2**20
        onnx = str(export_onnx(run, Path(directory) / "onnx"))
        translator = onnx_translator(*open_onnx(onnx))
        given = [options.run, "--cores", str(options.cores)]
        with (
            serving(directory, given) as urls,
            serving(onnx, given) as onnx_urls,
            connect(urls["REST"]) as rest,
            connect(urls["gRPC"]) as grpc,
            connect(onnx_urls["REST"]) as onnx_rest,
        ):
            asks = {
                "Session": lambda line: model.run(DEFAULT_SIGNATURE, {"text": np.array([line.encode()], object)}),
                "REST": lambda line: rest.translate([line]),
                "gRPC": lambda line: grpc.translate([line]),
                "ONNX": lambda line: translator.translate([line]),
                "ONNX REST": lambda line: onnx_rest.translate([line]),
            }
            taken = latencies(asks, lines)
    print(f"\nOne line at a time, beam {run.config.search.beam_size}, {options.cores} core(s); {machine()}\n")
    words = np.mean([len(line.split()) for line in lines])
    print(f"{megabytes:.1f} MB, exported in {exported - began_at:.1f} s, loaded and warm in {loaded - exported:.1f} s;")
    print(f"{options.repetitions} lines of {words:.1f} words on average\n")
    print("| ms | first request | " + " | ".join(f"p{percentile}" for percentile in PERCENTILES) + " |")
    print("|" + "---|" * (2 + len(PERCENTILES)))
    for way, (first, *others) in taken.items():
        cells = [f"{value:.1f}" for value in (first, *np.percentile(others, PERCENTILES))]
        print(f"| {way} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
