"""What the server measures, under TensorFlow Serving's names, and where it is read."""

import json
import re
import time
import urllib.error
import urllib.request

import pytest
from serving_cases.make_fixtures import save_echo, save_half_plus

from nmt.serving.config_polling import polled_config_file
from nmt.serving.model_configs import read_model_configs
from nmt.serving.monitoring_config import METRICS_PATH, read_metrics_path
from nmt.serving.server import Server, model_config


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("echo")
    save_echo(directory / "1")
    return directory


@pytest.fixture(scope="module")
def server(echo):
    with Server([model_config(echo, name="echo")], port=0, rest_api_port=0) as server:
        yield server


def predict(server, name, body):
    request = f"{server.rest_url}/v1/models/{name}:predict"
    with urllib.request.urlopen(request, json.dumps(body).encode()) as response:
        return json.load(response)


def samples(server):
    """Name, labels -> value, of all that the page has."""
    page = urllib.request.urlopen(server.rest_url + METRICS_PATH).read().decode()
    found = re.findall(r"^([\w:]+)(?:\{(.*)\})? (\S+)$", page, re.MULTILINE)
    return {(name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels))): float(value) for name, labels, value in found}


def changed(server, action):
    """What an action adds to the samples that it changes."""
    before = samples(server)
    action()
    after = samples(server)
    return {key: value - before.get(key, 0.0) for key, value in after.items() if value != before.get(key, 0.0)}


def of(found, name, **labels):
    return found.get((name, frozenset(labels.items())), 0.0)


def test_requests_rows_and_text_are_counted(server):
    lines = ["one", "zwölf", ""]
    found = changed(server, lambda: [predict(server, "echo", {"instances": lines}) for _ in range(2)])
    assert of(found, ":tensorflow:serving:request_count", model_name="echo", status="OK") == 2
    labels = {"model_name": "echo", "API": "Predict"}
    assert of(found, ":tensorflow:serving:request_latency_count", **labels, entrypoint="REST") == 2
    assert of(found, ":tensorflow:serving:runtime_latency_count", **labels, runtime="TF1") == 2
    assert of(found, "nmt_rows_total", model_name="echo") == 2 * 3
    assert of(found, "nmt_source_bytes_total", model_name="echo") == 2 * len("".join(lines).encode())
    assert of(found, ":tensorflow:serving:batching:processed_batch_size_sum", model_name="echo") == 2 * 3
    assert of(found, ":tensorflow:serving:batching_session:queuing_latency_count", model_name="echo") > 0


def test_what_the_server_has_and_holds_is_shown(server):
    found = samples(server)
    assert of(found, "nmt_model_ready", model_name="echo") == 1
    assert of(found, "nmt_queue_rows", model_name="echo") == 0
    assert of(found, "process_resident_memory_bytes") > 100e6
    assert of(found, "process_cpu_seconds_total") > 0
    (path,) = (dict(labels)["model_path"] for name, labels in found if "load_attempt_count" in name)
    assert of(found, ":tensorflow:cc:saved_model:load_attempt_count", model_path=path, status="success") == 1
    assert path.endswith("/1")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: true }", METRICS_PATH),
        ("prometheus_config { enable: false }", None),
        ("", None),
    ],
)
def test_a_monitoring_config_says_where_the_page_is(tmp_path, text, path):
    (tmp_path / "monitoring.config").write_text(text)
    assert read_metrics_path(tmp_path / "monitoring.config") == path


@pytest.mark.parametrize(
    ("text", "message"),
    [("prometheus { }", r"monitoring.config:1:\d"), ('prometheus_config { enable: true path: "x" }', "/")],
)
def test_a_wrong_monitoring_config_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "monitoring.config").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_metrics_path(tmp_path / "monitoring.config")


def test_the_page_is_only_where_the_config_says(echo):
    with Server([model_config(echo, name="echo")], port=0, rest_api_port=0, metrics_path="/metrics") as server:
        assert b"request_count" in urllib.request.urlopen(server.rest_url + "/metrics").read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(server.rest_url + METRICS_PATH)


def test_models_follow_the_config_file_and_a_mistake_in_it_changes_nothing(echo, tmp_path, caplog):
    save_half_plus(tmp_path / "half" / "1", 1.0)
    path = tmp_path / "models.config"

    def write(*models):
        configs = (f'config {{ name: "{name}" base_path: "{at}" model_platform: "tensorflow" }}' for name, at in models)
        path.write_text(f"model_config_list {{ {' '.join(configs)} }}")

    def wait_for(names):
        end = time.monotonic() + 30
        while server.models.names != names:
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    write(("echo", echo))
    with (
        Server(read_model_configs(path), port=0, rest_api_port=0) as server,
        polled_config_file(path, server.models, seconds=0.1),
    ):
        write(("echo", echo), ("half", tmp_path / "half"))
        wait_for(["echo", "half"])
        assert predict(server, "half", {"instances": [0.0]}) == {"predictions": [1.0]}
        write(("echo", tmp_path / "nosuch"))
        end = time.monotonic() + 30
        while not re.search("nosuch: no such directory.*stay as they were", caplog.text):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        assert server.models.names == ["echo", "half"]
        write(("half", tmp_path / "half"))
        wait_for(["half"])
