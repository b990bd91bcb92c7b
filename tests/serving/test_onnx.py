"""ONNX exports as versions of a model: they replace one another, and a damaged one leaves the others serving."""

import json
import shutil
import time
import urllib.request

import nmt
from nmt.serving.server import Server, model_config


def ask(server, version=""):
    url = f"{server.rest_url}/v1/models/m{version}:predict"
    with urllib.request.urlopen(url, json.dumps({"instances": ["twenty one."]}).encode()) as answer:
        return json.load(answer)["predictions"][0]["score"]


def wait_for(server, number, state):
    end = time.monotonic() + 60
    while not any(each[:2] == (number, state) for each in server.models.versions("m")):
        assert time.monotonic() < end, server.models.versions("m")
        time.sleep(0.05)


def test_exports_in_numbered_folders_are_versions(number_run, tmp_path):
    plain = nmt.export(number_run, tmp_path / "plain", format="onnx")
    penalized = nmt.export(number_run, tmp_path / "other", format="onnx", overrides=["search.length_penalty=0.0"])
    expected = [nmt.load(each).translate(["twenty one."])[0].score for each in (plain, penalized)]
    models = tmp_path / "m"
    shutil.copytree(plain, models / "1")
    with Server([model_config(models, name="m")], port=0, rest_api_port=0) as server:
        assert abs(ask(server) - expected[0]) < 1e-5
        penalized.rename(models / "2")
        wait_for(server, 2, 30)  # AVAILABLE
        wait_for(server, 1, 50)  # END
        assert abs(ask(server, "/versions/2") - expected[1]) < 1e-5
        (plain / "weights.bin").write_bytes(b"damaged")
        plain.rename(models / "3")
        wait_for(server, 3, 50)
        error = server.models.versions("m")[0][2]
        assert "weights.bin is damaged" in error.message
        assert abs(ask(server) - expected[1]) < 1e-5
    assert expected[0] != expected[1]
