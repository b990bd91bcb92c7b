"""The endpoint over real sockets: the conformance cases, REST against gRPC against the model, swaps and shutdown."""

import gzip
import http.client
import json
import math
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
import tensorflow as tf
from sentencepiece import SentencePieceProcessor
from serving_cases.make_fixtures import make_fixtures, save_half_plus, save_slow
from serving_cases.text_model import ENGLISH, export_text_model, train_tokenizer
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from nmt.exports.saved_model import SavedModel
from nmt.serving.error import HTTP_STATUS
from nmt.serving.model_configs import read_model_configs
from nmt.serving.monitoring_config import METRICS_PATH
from nmt.serving.served_models import POLL_SECONDS
from nmt.serving.server import Server, model_config

CASES = json.loads((Path(__file__).parents[1] / "serving_cases" / "rest_cases.json").read_text())["cases"]
# Classification and regression are no translation: 501 here.
SERVED_CASES = [case for case in CASES if case["level"] != "optional"]
CONFIG = """
model_config_list {{
  config {{
    name: "half_plus_two" base_path: "{directory}/half_plus_two" model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 123 }}
    version_labels {{ key: "canary" value: 124 }}
  }}
  config {{ name: "echo" base_path: "{directory}/echo" model_platform: "tensorflow" }}
  config {{ name: "multi" base_path: "{directory}/multi" model_platform: "tensorflow" }}
  config {{ name: "types" base_path: "{directory}/types" model_platform: "tensorflow" }}
  config {{ name: "translator" base_path: "{directory}/translator" model_platform: "tensorflow" }}
  config {{ name: "slow" base_path: "{directory}/slow" model_platform: "tensorflow" }}
}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    make_fixtures(directory)
    save_slow(directory / "slow" / "1")
    export_text_model(train_tokenizer(ENGLISH, vocabulary_size=60), directory / "translator", version=1)
    return directory


@pytest.fixture(scope="module")
def server(models):
    config_file = models / "models.config"
    config_file.write_text(CONFIG.format(directory=models))
    with Server(read_model_configs(config_file), port=0, rest_api_port=0) as server:
        yield server


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        yield channel


def request(server, method, path, *, body=b"", headers=None):
    """One HTTP request -> status, headers, body."""
    connection = http.client.HTTPConnection("localhost", server.rest_api_port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def rest_predict(server, path, body, **headers):
    status, _, answer = request(server, "POST", path, body=json.dumps(body).encode(), headers=headers)
    return status, json.loads(answer)


def grpc_predict(channel, model, inputs, *, timeout=60, **spec):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = spec.get("signature", "")
    if "version" in spec:
        message.model_spec.version.value = spec["version"]
    if "label" in spec:
        message.model_spec.version_label = spec["label"]
    message.output_filter.extend(spec.get("output_filter", []))
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(message, timeout=timeout)


def same_json(found, expected):
    """Equality of JSON values, up to a relative 1e-6 in numbers."""
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same_json(found[key], expected[key]) for key in expected)
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(same_json, found, expected))
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return (math.isnan(found) and math.isnan(expected)) or math.isclose(found, expected, rel_tol=1e-6)
    return found == expected


def subset(found, expected):
    if isinstance(expected, dict):
        return all(key in found and subset(found[key], value) for key, value in expected.items())
    return found == expected


def body_of(asked):
    if "body_gen" in asked:
        parts = asked["body_gen"]
        return (parts["prefix"] + "".join(text * times for text, times in parts["repeat"]) + parts["suffix"]).encode()
    return asked.get("body", "").encode()


@pytest.mark.parametrize("case", SERVED_CASES, ids=lambda case: case["id"])
def test_the_endpoint_answers_as_tensorflow_serving_does(case, server):
    asked, expected = case["request"], case["expect"]
    if case["area"] == "monitoring" or asked["path"] == METRICS_PATH:
        rest_predict(server, "/v1/models/half_plus_two:predict", {"instances": [1.0]})
    status, headers, body = request(
        server, asked["method"], asked["path"], body=body_of(asked), headers=asked.get("headers")
    )
    if case["id"] == "deeply_nested_ignored_key" and status == 400:
        return  # which the case allows, as long as the server stays up: the other cases go on
    assert status == expected["status"], body
    if "content_type" in expected:
        assert headers["Content-Type"].startswith(expected["content_type"])
    if "json" in expected:
        assert same_json(json.loads(body), expected["json"]), body
    if "json_unordered" in expected:
        for key, items in expected["json_unordered"].items():
            assert sorted(map(str, json.loads(body)[key])) == sorted(map(str, items))
    if "json_subset" in expected:
        assert subset(json.loads(body), expected["json_subset"]), body
    if "json_text" in expected:
        parse = str if expected.get("compare", case.get("compare")) == "tokens" else float
        texts = (body.decode(), expected["json_text"])
        found, wanted = (json.loads(text, parse_int=parse, parse_float=parse) for text in texts)
        assert same_json(found, wanted), body
    if "error_contains" in expected:
        assert expected["error_contains"] in json.loads(body)["error"]
    if "body_empty" in expected:
        assert body == b""
    for text in expected.get("body_contains", []):
        assert text in body.decode()


# --- one law: gRPC == REST == SavedModel.run ---

TEXTS = ["the quick brown fox", "", "\u00fcber \U0001f600 \u0442\u0435\u0441\u0442", "nul \0 inside", "how " * 50]


@pytest.mark.parametrize("name", ["serving_default", "nbest"])
def test_rest_and_grpc_give_what_the_saved_model_gives(server, channel, models, name):
    model = SavedModel(models / "translator" / "1")
    expected = model.run(name, {"text": np.array([text.encode() for text in TEXTS], dtype=object)})
    model.close()
    response = grpc_predict(channel, "translator", {"text": TEXTS}, signature=name)
    by_grpc = {key: tf.make_ndarray(value) for key, value in response.outputs.items()}
    path = "/v1/models/translator:predict"
    _, columns = rest_predict(server, path, {"signature_name": name, "inputs": {"text": TEXTS}})
    _, rows = rest_predict(server, path, {"signature_name": name, "instances": TEXTS})
    assert by_grpc.keys() == columns["outputs"].keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(by_grpc[key], value)
        assert by_grpc[key].dtype == value.dtype
        decoded = np.vectorize(bytes.decode, otypes=[object])(value) if value.dtype == object else value
        np.testing.assert_array_equal(np.array(columns["outputs"][key], dtype=decoded.dtype), decoded)
        np.testing.assert_array_equal(np.array([row[key] for row in rows["predictions"]], dtype=decoded.dtype), decoded)


@pytest.mark.parametrize(("name", "dtype"), [("i32", "int32"), ("i64", "int64"), ("u8", "uint8"), ("f64", "float64")])
def test_numbers_of_every_type_come_over_grpc_as_the_model_gives_them(channel, models, name, dtype):
    value = np.arange(6, dtype=dtype).reshape(2, 3)
    model = SavedModel(models / "types" / "1")
    expected = model.run(name, {"x": value})["y"]
    model.close()
    answer = grpc_predict(channel, "types", {"x": value}, signature=name).outputs["y"]
    assert not answer.tensor_content, "the server fills the typed fields, which some clients read directly"
    np.testing.assert_array_equal(tf.make_ndarray(answer), expected)
    assert tf.make_ndarray(answer).dtype == expected.dtype


def test_an_empty_batch_gives_an_empty_batch_both_ways(server, channel):
    response = grpc_predict(channel, "translator", {"text": np.array([], dtype=object)})
    assert {name: tf.make_ndarray(value).shape for name, value in response.outputs.items()} == {
        "translation": (0,),
        "score": (0,),
        "truncated": (0,),
    }
    status, answer = rest_predict(server, "/v1/models/translator:predict", {"inputs": []})
    assert (status, answer) == (200, {"outputs": {"translation": [], "score": [], "truncated": []}})


def test_many_clients_at_once_get_their_own_answers(server, channel):
    def ask(number, answers):
        texts = [f"{number} {line}" for line in range(4)]
        _, rest = rest_predict(server, "/v1/models/echo:predict", {"signature_name": "identity", "inputs": texts})
        by_grpc = grpc_predict(channel, "echo", {"text": texts}, signature="identity").outputs["out"]
        answers[number] = rest["outputs"] == texts and [each.decode() for each in by_grpc.string_val] == texts

    answers: dict[int, bool] = {}
    threads = [threading.Thread(target=ask, args=(number, answers)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(24), True)


# --- gRPC ---


def grpc_error(call):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code().name, raised.value.details()


def test_grpc_names_what_it_does_not_have(channel):
    x = {"x": np.float32([1])}
    errors = {
        "model": grpc_error(lambda: grpc_predict(channel, "nosuch", x)),
        "version": grpc_error(lambda: grpc_predict(channel, "half_plus_two", x, version=99)),
        "label": grpc_error(lambda: grpc_predict(channel, "half_plus_two", x, label="nosuch")),
        "signature": grpc_error(lambda: grpc_predict(channel, "half_plus_two", x, signature="nosuch")),
        "name": grpc_error(lambda: grpc_predict(channel, "", x)),
        "output": grpc_error(lambda: grpc_predict(channel, "half_plus_two", x, output_filter=["z"])),
        "input": grpc_error(lambda: grpc_predict(channel, "half_plus_two", {"z": np.float32([1])})),
    }
    assert errors == {
        "model": ("NOT_FOUND", "Servable not found for request: Latest(nosuch)"),
        "version": ("NOT_FOUND", "Servable not found for request: Specific(half_plus_two, 99)"),
        "label": ("INVALID_ARGUMENT", "Unrecognized servable version label: nosuch"),
        "signature": ("FAILED_PRECONDITION", 'Serving signature key "nosuch" not found.'),
        "name": ("INVALID_ARGUMENT", "ModelSpec has no name specified."),
        "output": (
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
        ),
        "input": (
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=1 len({z}) != len({x}). "
            "Sent extra: {z}. Missing but required: {x}.",
        ),
    }


def test_grpc_refuses_inputs_of_another_type_or_rank(channel):
    assert grpc_error(lambda: grpc_predict(channel, "echo", {"text": np.float32([1])}))[0] == "INVALID_ARGUMENT"
    assert grpc_error(lambda: grpc_predict(channel, "echo", {"text": "scalar"}))[0] == "INVALID_ARGUMENT"


def test_grpc_answers_with_the_version_a_label_stands_for(channel):
    response = grpc_predict(channel, "half_plus_two", {"x": np.float32([1])}, label="stable")
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (123, "serving_default")
    assert list(response.outputs["y"].float_val) == [1 / 2 + 2]


def test_an_output_filter_leaves_the_other_outputs_out(channel):
    response = grpc_predict(channel, "translator", {"text": ["how are you"]}, output_filter=["score"])
    assert list(response.outputs) == ["score"]


def test_a_deadline_ends_the_call_and_the_models_run(server, channel):
    code, _ = grpc_error(lambda: grpc_predict(channel, "slow", {"x": np.float32([1e6])}, timeout=0.3))
    assert code == "DEADLINE_EXCEEDED"
    ended = ':tensorflow:serving:request_count{model_name="slow",status="DEADLINE_EXCEEDED"} 1.0'
    wait_until(lambda: ended in request(server, "GET", METRICS_PATH)[2].decode())
    assert grpc_predict(channel, "slow", {"x": np.float32([3])}).outputs["y"].float_val == [3], "the model still runs"


def test_a_call_without_a_deadline_runs(channel):
    assert grpc_predict(channel, "slow", {"x": np.float32([3])}, timeout=None).outputs["y"].float_val == [3]


def test_long_error_messages_are_cut_in_grpc(channel):
    name = "n" * 5000
    _, details = grpc_error(lambda: grpc_predict(channel, name, {"x": np.float32([1])}))
    assert details == f"Servable not found for request: Latest({name})"[:1024] + "...TRUNCATED"


def test_grpc_status_and_metadata_agree_with_rest(server, channel):
    ask = get_model_status_pb2.GetModelStatusRequest()
    ask.model_spec.name = "half_plus_two"
    status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(ask)
    _, _, body = request(server, "GET", "/v1/models/half_plus_two")
    by_rest = [int(each["version"]) for each in json.loads(body)["model_version_status"]]
    assert [each.version for each in status.model_version_status] == by_rest == [124, 123]

    ask = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    ask.model_spec.name = "half_plus_two"
    metadata = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(ask)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    metadata.metadata["signature_def"].Unpack(signatures)
    _, _, body = request(server, "GET", "/v1/models/half_plus_two/metadata")
    by_rest = json.loads(body)["metadata"]["signature_def"]["signature_def"]
    assert by_rest.keys() == signatures.signature_def.keys()
    given = by_rest["serving_default"]["inputs"]["x"]
    assert given["name"] == signatures.signature_def["serving_default"].inputs["x"].name
    assert given["dtype"] == "DT_FLOAT"
    assert metadata.model_spec.version.value == 124


def test_grpc_methods_that_are_not_served_say_so(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    code, _ = grpc_error(lambda: stub.Classify(classification_pb2.ClassificationRequest()))
    assert code == "UNIMPLEMENTED"


def test_http_statuses_follow_the_table_of_grpc_codes():
    names = {code.name: status for code, status in HTTP_STATUS.items()}
    assert {(code.name, int(code)) for code in HTTP_STATUS} == {(code.name, code.value[0]) for code in grpc.StatusCode}
    assert (names["INVALID_ARGUMENT"], names["NOT_FOUND"], names["DEADLINE_EXCEEDED"]) == (400, 404, 504)


# --- HTTP ---


def test_a_gzip_body_is_unpacked_and_a_broken_one_counts_as_empty(server):
    path, body = "/v1/models/half_plus_two:predict", gzip.compress(b'{"instances": [1.0]}')
    headers = {"Content-Encoding": "gzip"}
    status, _, answer = request(server, "POST", path, body=body, headers=headers)
    assert (status, json.loads(answer)) == (200, {"predictions": [1 / 2 + 3]})
    status, _, answer = request(server, "POST", path, body=body[:-4], headers=headers)
    assert status == 400
    assert "The document is empty" in json.loads(answer)["error"]


def test_one_connection_carries_many_requests_and_chunked_bodies(server):
    connection = http.client.HTTPConnection("localhost", server.rest_api_port, timeout=60)
    for chunks in ([b'{"instances":', b" [1.0]}"], [b'{"instances": [1.0]}']):
        connection.request("POST", "/v1/models/half_plus_two:predict", iter(chunks), encode_chunked=True)
        response = connection.getresponse()
        assert json.load(response) == {"predictions": [1 / 2 + 3]}
    sock = connection.sock
    connection.request("POST", "/v1/models/half_plus_two:predict", b"not json")
    assert connection.getresponse().read()
    assert connection.sock is sock, "an error keeps the connection"
    connection.close()


@pytest.mark.parametrize("path", ["/", "/v1", "/favicon.ico", "/monitoring"])
def test_other_paths_are_not_found(server, path):
    assert request(server, "GET", path)[0] == 404


def test_a_version_beyond_64_bits_gets_an_empty_400(server):
    status, _, body = request(server, "GET", f"/v1/models/half_plus_two/versions/{2**63}")
    assert (status, body) == (400, b"")


def test_requests_that_fail_are_counted_by_status_and_names_not_served_share_one_label(server):
    for name in ("half_plus_two", "nosuch-1", "nosuch-2"):
        rest_predict(server, f"/v1/models/{name}:predict", {"instances": ["no number"]})
    page = request(server, "GET", METRICS_PATH)[2].decode()
    count = ":tensorflow:serving:request_count"
    assert f'{count}{{model_name="half_plus_two",status="INVALID_ARGUMENT"}}' in page
    assert f'{count}{{model_name="unknown",status="NOT_FOUND"}}' in page
    assert "nosuch" not in page


def test_latency_histograms_are_cumulative_and_end_with_every_request(server):
    rest_predict(server, "/v1/models/multi:predict", {"instances": [{"a": [1, 2], "s": "x"}]})
    page = request(server, "GET", METRICS_PATH)[2].decode()
    series = ':tensorflow:serving:request_latency_bucket{API="Predict",entrypoint="REST",'
    counts = [
        float(line.rsplit(" ", 1)[1])
        for line in page.splitlines()
        if line.startswith(series) and 'model_name="multi"' in line
    ]
    assert len(counts) == 33 + 1
    assert counts == sorted(counts)
    total = ':tensorflow:serving:request_latency_count{API="Predict",entrypoint="REST",model_name="multi"}'
    assert f"{total} {counts[-1]}" in page


# --- versions ---


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def states(server, name):
    return {number: (state.name, error) for number, state, error in server.models.versions(name)}


def test_swapping_the_version_under_load_loses_no_request(tmp_path):
    save_half_plus(tmp_path / "1", 1.0)
    answers, stop = [], threading.Event()

    def load(server):
        connection = http.client.HTTPConnection("localhost", server.rest_api_port, timeout=60)
        while not stop.is_set():
            connection.request("POST", "/v1/models/m:predict", b'{"instances": [0.0]}')
            response = connection.getresponse()
            answers.append((response.status, response.read()))
        connection.close()

    with Server([model_config(tmp_path, name="m")], port=0, rest_api_port=0) as server:
        threads = [threading.Thread(target=load, args=(server,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        save_half_plus(tmp_path / "writing", 2.0)
        (tmp_path / "writing").rename(tmp_path / "2")
        wait_until(lambda: states(server, "m").get(1) == ("END", None))
        seen = len(answers)
        wait_until(lambda: len(answers) > seen + 10)
        stop.set()
        for thread in threads:
            thread.join()
        assert states(server, "m") == {2: ("AVAILABLE", None), 1: ("END", None)}
    assert {status for status, _ in answers} == {200}
    values = [json.loads(body)["predictions"] for _, body in answers]
    assert (values[0], values[-1]) == ([1.0], [2.0])
    assert {value for (value,) in values} == {1.0, 2.0}


def test_a_broken_new_version_leaves_the_old_one_serving(tmp_path):
    save_half_plus(tmp_path / "1", 1.0)
    with Server([model_config(tmp_path, name="m")], port=0, rest_api_port=0) as server:
        (tmp_path / "2").mkdir()
        wait_until(lambda: states(server, "m").get(2, ("",))[0] == "END")
        assert states(server, "m")[1] == ("AVAILABLE", None)
        assert rest_predict(server, "/v1/models/m:predict", {"instances": [0.0]}) == (200, {"predictions": [1.0]})
        _, _, body = request(server, "GET", "/v1/models/m/versions/2")
        (status,) = json.loads(body)["model_version_status"]
        assert (status["state"], status["status"]["error_code"]) == ("END", "UNKNOWN")
        assert "no saved_model.pb" in status["status"]["error_message"]
        assert str(tmp_path) not in body.decode(), "where a server keeps its models is not for clients"


def test_what_comes_in_the_place_of_a_broken_version_is_loaded_at_once(tmp_path):
    save_half_plus(tmp_path / "m" / "1", 1.0)
    save_half_plus(tmp_path / "aside", 2.0)
    with Server([model_config(tmp_path / "m", name="m")], port=0, rest_api_port=0) as server:
        (tmp_path / "m" / "2").mkdir()
        wait_until(lambda: states(server, "m").get(2, ("",))[0] == "END")
        (tmp_path / "m" / "2").rmdir()
        time.sleep(2.5 * POLL_SECONDS)  # that it is gone shows nowhere
        (tmp_path / "aside").rename(tmp_path / "m" / "2")
        wait_until(lambda: states(server, "m")[2][0] == "AVAILABLE", seconds=30)  # a second try is a minute away


def test_two_versions_with_different_vocabularies_do_not_mix(tmp_path):
    tokenizers = [train_tokenizer(ENGLISH, vocabulary_size=size) for size in (35, 90)]
    for version, tokenizer in enumerate(tokenizers, start=1):
        export_text_model(tokenizer, tmp_path, version=version)
    config = model_config(tmp_path, name="m")._replace(versions=None)
    text = "the quick brown fox jumps over the lazy dog"
    with Server([config], port=0, rest_api_port=0) as server:
        for version, tokenizer in enumerate(tokenizers, start=1):
            path = f"/v1/models/m/versions/{version}:predict"
            _, answer = rest_predict(server, path, {"inputs": [text]})
            pieces = SentencePieceProcessor(model_proto=tokenizer).encode(text)
            assert answer["outputs"]["score"] == [-len(pieces)]


@pytest.mark.parametrize(
    ("policy", "served"), [("", [3]), ("latest { num_versions: 2 }", [3, 2]), ("specific { versions: 1 }", [1])]
)
def test_a_version_policy_chooses_what_is_served(tmp_path, policy, served):
    for version in (1, 2, 3):
        save_half_plus(tmp_path / str(version), float(version))
    (tmp_path / "not-a-version").mkdir()
    path = tmp_path / "models.config"
    chosen = f"model_version_policy {{ {policy} }}" if policy else ""
    path.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{tmp_path}" model_platform: "tensorflow" {chosen} }} }}'
    )
    with Server(read_model_configs(path), port=0, rest_api_port=0) as server:
        assert [number for number, state, _ in server.models.versions("m") if state.name == "AVAILABLE"] == served


# --- starting and stopping ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { config { nam: 1 } }", r'models.config:1:\d+ .*"nam"'),
        ("", "found no model"),
        ("# für", "models.config: a text file in UTF-8 was expected"),
        ('model_config_list { config { name: "m" base_path: "/x" } }', "model_platform"),
        ('model_config_list { config { name: "m" base_path: "x" model_platform: "tensorflow" } }', "absolute"),
        (
            "model_config_list { config { model_version_policy { all {} latest {} } } }",
            "one of latest, all",
        ),
        ('model_config_list { config { name: "m" base_path: "/nosuch" model_platform: "tensorflow" } }', "no such dir"),
    ],
)
def test_a_wrong_model_config_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "models.config"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message):
        Server(read_model_configs(path), port=0, rest_api_port=0)


def test_a_directory_without_a_version_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no version of a model here"):
        Server([model_config(tmp_path, name="m")], port=0, rest_api_port=0)


def test_a_label_on_a_version_that_is_not_served_is_refused(models):
    config = model_config(models / "half_plus_two", name="m")._replace(version_labels={"old": 7})
    with pytest.raises(ValueError, match="label 'old' of model 'm' is on version 7"):
        Server([config], port=0, rest_api_port=0)


def test_ports_in_use_are_named(server, models):
    config = model_config(models / "echo", name="m")
    with pytest.raises(ValueError, match=f"port {server.rest_api_port} .*choose another port"):
        Server([config], port=0, rest_api_port=server.rest_api_port)
    with pytest.raises(ValueError, match=f"port {server.port} .*choose another port"):
        Server([config], port=server.port, rest_api_port=0)
    for ports in ({"port": 70_000, "rest_api_port": 0}, {"port": 0, "rest_api_port": 70_000}):
        with pytest.raises(ValueError, match=r"port 70000 .*choose another port"):
            Server([config], **ports)


def test_a_command_serves_until_a_signal_and_finishes_the_requests_under_way(models, tmp_path):
    name, log = "a slow/model", tmp_path / "access.log"
    command = [
        sys.executable,
        "-m",
        "nmt",
        "serve",
        str(models / "slow"),
        "--model-name",
        name,
        "--access-log",
        str(log),
    ]
    process = subprocess.Popen(
        [
            *command,
            "--port",
            "0",
            "--rest-api-port",
            "0",
            "--max-body-bytes",
            "1000",
            "--rest-api-timeout-in-ms",
            "9000",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        url = urlsplit(next(line.split(maxsplit=1)[1] for line in lines if line.startswith("  REST")).strip())
        assert url.path == "/v1/models/a%20slow%2Fmodel"
        connection, idle = (http.client.HTTPConnection(url.netloc, timeout=60) for _ in range(2))
        idle.connect()
        connection.request("POST", f"{url.path}:predict", b" " * 1001)
        assert connection.getresponse().status == 413
        connection.close()
        connection.request("POST", f"{url.path}:predict", b'{"instances": [50000.0]}')
        time.sleep(0.2)  # the request is under way, or its answer is already on its way: both must arrive
        process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert (response.status, json.load(response)) == (200, {"predictions": [50000.0]})
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    assert [json.loads(line)["status"] for line in log.read_text().splitlines()] == [413, 200]
    assert re.search(r"loading version 1 of a slow/model from .*/slow/1\n", errors)
    assert re.search(r"version 1 of a slow/model is loaded and warm after \d+\.\d s\n", errors)
