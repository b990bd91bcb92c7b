"""Asks a running endpoint everything a translation client relies on, and prints what holds.

    python smoke_test.py http://localhost:8501 [grpc://localhost:8500] [--model translator]

Works on TensorFlow Serving and on `nmt serve`. REST needs nothing but Python; gRPC needs the packages grpcio and
tensorflow-serving-api. The exit code is 0 if everything holds, else 1.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

OUTPUTS = {"translation", "score", "truncated"}
LINES = ["A small test.", "", "Ünïcödé, 😀 and тест", "nul \0 inside", "word " * 400]


class Rest:
    """One model behind a REST address."""

    def __init__(self, server: str, model: str) -> None:
        self.model_url = f"{server.rstrip('/')}/v1/models/{model}"
        self.server = server.rstrip("/")

    def ask(self, url: str, body: bytes | None = None) -> tuple[int, Any]:
        """One request -> the status and the JSON of the answer."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=120) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def predict(self, request: dict[str, Any]) -> Any:
        status, answer = self.ask(f"{self.model_url}:predict", json.dumps(request).encode())
        expect(status == 200, f"status {status}: {answer}")
        return answer


def expect(holds: bool, found: object) -> None:
    if not holds:
        raise AssertionError(f"found {found}")


def status(rest: Rest) -> None:
    code, answer = rest.ask(rest.model_url)
    expect(code == 200, (code, answer))
    states = [version["state"] for version in answer["model_version_status"]]
    expect("AVAILABLE" in states, states)


def metadata(rest: Rest) -> None:
    code, answer = rest.ask(f"{rest.model_url}/metadata")
    expect(code == 200, (code, answer))
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    expect(signature["inputs"]["text"]["dtype"] == "DT_STRING", signature["inputs"])
    expect(set(signature["outputs"]) >= OUTPUTS, sorted(signature["outputs"]))


def rows(rest: Rest) -> None:
    predictions = rest.predict({"instances": LINES})["predictions"]
    expect(len(predictions) == len(LINES), f"{len(predictions)} answers to {len(LINES)} lines")
    for prediction in predictions:
        expect(set(prediction) >= OUTPUTS and isinstance(prediction["translation"], str), prediction)


def columns_equal_rows(rest: Rest) -> None:
    columns = rest.predict({"inputs": {"text": LINES}})["outputs"]
    predictions = rest.predict({"instances": LINES})["predictions"]
    for name in OUTPUTS:
        expect(columns[name] == [prediction[name] for prediction in predictions], (name, columns[name]))


def one_by_one_equals_a_batch(rest: Rest) -> None:
    together = [each["translation"] for each in rest.predict({"instances": LINES})["predictions"]]
    alone = [rest.predict({"instances": [line]})["predictions"][0]["translation"] for line in LINES]
    expect(together == alone, (together, alone))


def empty_string(rest: Rest) -> None:
    (prediction,) = rest.predict({"instances": [""]})["predictions"]
    expect(prediction["translation"] == "", prediction)


def invalid_utf8(rest: Rest) -> None:
    data = base64.b64encode(b"not \xff\xfe text").decode()
    (prediction,) = rest.predict({"instances": [{"b64": data}]})["predictions"]
    expect(isinstance(prediction["translation"], str), prediction)


def n_best(rest: Rest) -> None:
    answer = rest.predict({"signature_name": "nbest", "inputs": {"text": LINES[:1]}})["outputs"]
    scores = answer["score"][0]
    expect(len(answer["translation"][0]) == len(scores), answer)
    expect(scores == sorted(scores, reverse=True), scores)


def unknown_model(rest: Rest) -> None:
    code, answer = rest.ask(f"{rest.server}/v1/models/no-such-model:predict", b'{"instances": ["a"]}')
    expect(code == 404 and "Servable not found" in answer["error"], (code, answer))


def bad_requests(rest: Rest) -> None:
    for body in (b"no json", b"{}", b'{"instances": [1]}', b'{"instances": ["a"], "signature_name": "no-such"}'):
        code, answer = rest.ask(f"{rest.model_url}:predict", body)
        expect(code == 400 and answer["error"], (body, code, answer))


def grpc_equals_rest(rest: Rest, target: str, model: str) -> None:
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    text = request.inputs["text"]
    text.dtype = 7  # DT_STRING
    text.tensor_shape.dim.add(size=len(LINES))
    text.string_val.extend(line.encode() for line in LINES)
    options = [("grpc.max_receive_message_length", -1)]  # a client's own limit is 4 MiB
    with grpc.insecure_channel(target.removeprefix("grpc://"), options=options) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=120)
    by_rest = [each["translation"] for each in rest.predict({"instances": LINES})["predictions"]]
    by_grpc = [each.decode() for each in answer.outputs["translation"].string_val]
    expect(by_grpc == by_rest, (by_grpc, by_rest))


CHECKS: list[tuple[str, Callable[[Rest], None]]] = [
    ("a version is available", status),
    ("the metadata tells text in, translations out", metadata),
    ("rows: one answer a line", rows),
    ("columns give what rows give", columns_equal_rows),
    ("one by one gives what a batch gives", one_by_one_equals_a_batch),
    ("an empty line stays empty", empty_string),
    ("invalid UTF-8 is answered", invalid_utf8),
    ("n-best translations, best first", n_best),
    ("an unknown model gets 404", unknown_model),
    ("bad requests get 400 and a reason", bad_requests),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rest", help="such as http://localhost:8501")
    parser.add_argument("grpc", nargs="?", help="such as grpc://localhost:8500")
    parser.add_argument("--model", default="translator")
    arguments = parser.parse_args()
    checks = list(CHECKS)
    if arguments.grpc:
        checks.append(
            ("gRPC gives what REST gives", lambda rest: grpc_equals_rest(rest, arguments.grpc, arguments.model))
        )
    rest, failed = Rest(arguments.rest, arguments.model), 0
    for name, check in checks:
        try:
            check(rest)
        except Exception as error:  # whatever goes wrong is a line of the table, and the next check still runs
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {error}")
        else:
            print(f"ok      {name}")
    print(f"{len(checks) - failed} of {len(checks)} hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
