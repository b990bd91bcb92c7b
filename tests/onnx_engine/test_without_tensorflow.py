"""Translating and serving an ONNX export takes the packages of serving/requirements-onnx.txt and no others."""

import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nmt

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = REPOSITORY / "serving" / "requirements-onnx.txt"

# What is None there cannot be imported.
FORBID = "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(',')))\n"
PROGRAM = """
import json
import sys
import urllib.request

import nmt
from nmt.cli.main import main
from nmt.serving.server import Server, model_config

directory, lines = sys.argv[1:]
best = ["--set", "search.beam_size=3", "--alignments", "soft", "--jsonl", "--n-best", "2"]
assert main(["translate", directory, lines, *best]) == 0
assert main(["score", directory, lines, lines]) == 0
assert main(["info", directory]) == 0
assert main(["evaluate", directory, "--test", "validation"]) == 2
text = nmt.load(directory).translate(["twenty one."])[0].text
with Server([model_config(directory, name="m")], port=0, rest_api_port=0) as server:
    body = json.dumps({"instances": ["twenty one."]}).encode()
    with urllib.request.urlopen(f"{server.rest_url}/v1/models/m:predict", body) as answer:
        (prediction,) = json.load(answer)["predictions"]
    assert prediction["translation"] == text
    assert (server.port, server.grpc_url) == (None, None)
"""


@pytest.fixture(scope="module")
def exported(number_run, tmp_path_factory) -> Path:
    return nmt.export(number_run, tmp_path_factory.mktemp("onnx") / "export", format="onnx")


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "lines.en"
    path.write_text("twenty one.\n\nforty. Fifty-five?\n", encoding="utf-8")
    return path


def needed() -> set[str]:
    """The distributions of the file, and what they require."""
    texts = [line.partition("#")[0] for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    waiting = [Requirement(text) for text in texts if text.strip()]
    found: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if canonicalize_name(requirement.name) not in found and (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            found.add(canonicalize_name(requirement.name))
            waiting += map(Requirement, requires(requirement.name) or ())
    return found


def test_translating_scoring_and_serving_import_nothing_else(exported, lines):
    allowed = needed()
    assert not allowed & {"tensorflow", "keras", "tensorflow-text", "tensorflow-serving-api", "grpcio"}
    forbidden = [
        package
        for package, distributions in packages_distributions().items()
        if package != "nmt" and not allowed & set(map(canonicalize_name, distributions))
    ]
    assert {"tensorflow", "keras", "grpc", "sacrebleu"} <= set(forbidden)
    command = [sys.executable, "-c", FORBID + PROGRAM, ",".join(forbidden), str(exported), str(lines)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nmt: error: this takes the package sacrebleu, which is not installed\n" in done.stderr


def test_an_environment_of_these_packages_alone_translates(exported, lines, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (python,) = environment.glob("*/python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    install = [*pip, "install", "--quiet", "--no-compile", "--retries", "0", "--only-binary", ":all:"]
    done = subprocess.run([*install, "-r", str(REQUIREMENTS)], capture_output=True, text=True)
    if done.returncode and re.search("connection|No matching distribution", done.stderr, re.IGNORECASE):
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "nmt.pth").write_text(f"{REPOSITORY}\n")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [python, "-m", "nmt", "translate", exported, lines]
    done = subprocess.run(command, capture_output=True, text=True, env=outside, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = nmt.load(exported).translate(lines.read_text(encoding="utf-8").splitlines())
    assert done.stdout.splitlines() == [translation.text for translation in expected]
