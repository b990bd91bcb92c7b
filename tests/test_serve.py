"""The endpoint over real sockets: the conformance cases, REST against gRPC against the model, swaps and shutdown."""

import gzip
import http.client
import json
import math
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_cases.make_fixtures import FLOAT, VECTOR, make_fixtures, save, save_half_plus, signature
from serving_cases.text_model import ENGLISH, export_text_model, train_tokenizer
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from nmt.saved_model import SavedModel
from nmt.serve import Server, model_config
from nmt.served_models import read_model_config_file
from nmt.serving_error import HTTP_STATUS

CASES = json.loads((Path(__file__).parent / "serving_cases" / "rest_cases.json").read_text())["cases"]
# Classification and regression are no translation: 501 here.
SERVED_CASES = [case for case in CASES if case["level"] != "optional"]
METRICS_PATH = "/monitoring/prometheus/metrics"
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


def save_slow(directory: Path) -> None:
    """Counts to x; endless for all a test cares, where x is large."""

    def count(x):
        (counted,) = tf.while_loop(lambda n: n < x[0], lambda n: (n + 1.0,), (0.0,))
        return {"y": tf.reshape(counted, [1])}

    save(directory, {"serving_default": signature(count, x=(FLOAT, VECTOR))})


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
    with Server(read_model_config_file(config_file), port=0, rest_api_port=0) as server:
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
