"""What serving/ holds works: client and smoke test on a running endpoint, config files by the server's rules."""

import importlib.util
import io
import re
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from serving_cases.text_model import ENGLISH, export_text_model, train_tokenizer

from nmt.client.client import connect
from nmt.exports.endpoint import MAX_LINES
from nmt.serving.model_configs import read_model_configs
from nmt.serving.server import Server, model_config

SERVING = Path(__file__).parents[2] / "serving"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"serving_{name}", SERVING / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    export_text_model(train_tokenizer(ENGLISH, vocabulary_size=60), directory, version=1)
    with Server([model_config(directory, name="translator")], port=0, rest_api_port=0) as server:
        yield server


def test_the_smoke_test_passes_on_a_text_model(server, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["smoke_test.py", server.rest_url, server.grpc_url])
    smoke_test = load("smoke_test")
    assert smoke_test.main() == 0, capsys.readouterr().out
    assert (
        capsys.readouterr().out.splitlines()[-1] == f"{len(smoke_test.CHECKS) + 1} of {len(smoke_test.CHECKS) + 1} hold"
    )


def test_the_smoke_test_fails_where_the_model_is_missing(server, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["smoke_test.py", server.rest_url, "--model", "nosuch"])
    assert load("smoke_test").main() == 1
    assert "FAILED  a version is available" in capsys.readouterr().out


def typed(text):
    return io.TextIOWrapper(io.BytesIO(text.encode(errors="surrogateescape")))


def test_the_example_client_gives_what_the_packages_client_gives(server, monkeypatch, capsys):
    lines = [f"{line} {number}" for number, line in enumerate(ENGLISH)]
    with connect(server.rest_url) as client:
        expected = [translation.text for translation in client.translate(lines)]
    monkeypatch.setattr(sys, "argv", ["client.py", server.rest_url])
    monkeypatch.setattr(sys, "stdin", typed("\n".join(lines)))
    load("client").main()
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("text", ["", "\n", "how are you\n\nhow\x0care\u2028you\x85?\n", "how\rare\r\nyou\udcff\n"])
def test_the_example_client_gives_a_line_for_each_line(server, monkeypatch, capsys, text):
    monkeypatch.setattr(sys, "argv", ["client.py", server.rest_url])
    monkeypatch.setattr(sys, "stdin", typed(text))
    load("client").main()
    assert capsys.readouterr().out.count("\n") == text.count("\n")


def test_the_example_client_says_where_the_server_hangs_up(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            connection = listening.accept()[0]
            connection.recv(65_536)  # so that the request is away before the connection is
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        monkeypatch.setattr(sys, "argv", ["client.py", f"http://127.0.0.1:{listening.getsockname()[1]}"])
        monkeypatch.setattr(sys, "stdin", typed("a line"))
        with pytest.raises(SystemExit, match="is the server running"):
            load("client").main()
        thread.join()


def test_the_example_client_says_what_is_wrong_without_a_stack_trace(server, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["client.py", server.rest_url, "nosuch"])
    monkeypatch.setattr(sys, "stdin", typed("a line"))
    with pytest.raises(SystemExit, match="Servable not found"):
        load("client").main()


def test_the_model_config_is_one_the_server_reads():
    (config,) = read_model_configs(SERVING / "model.config")
    assert (config.name, config.base_path) == ("translator", "/models/translator")


def test_the_compose_file_mounts_every_file_its_flags_name_and_publishes_both_ports():
    service = yaml.safe_load((SERVING / "docker-compose.yml").read_text())["services"]["serving"]
    mounted = dict(reversed(volume.removesuffix(":ro").rsplit(":", 1)) for volume in service["volumes"])
    for flag in service["command"]:
        if (name := re.search(r"=(/.*)", flag)) is not None:
            assert (SERVING / mounted[name[1]]).is_file()
    (config,) = read_model_configs(SERVING / "model.config")
    assert mounted[config.base_path].startswith("${EXPORT")
    assert [port.split(":")[-2:] for port in service["ports"]] == [["8500", "8500"], ["8501", "8501"]]


def test_the_client_never_sends_more_lines_than_a_batch_takes():
    (largest,) = re.findall(
        r"^max_batch_size { value: (\d+) }", (SERVING / "batching.config").read_text(), re.MULTILINE
    )
    assert max(MAX_LINES, load("client").LINES_PER_REQUEST) <= int(largest)


def test_every_file_is_named_in_the_readme():
    readme = (SERVING / "README.md").read_text()
    for path in SERVING.iterdir():
        name = f"{path.name}/" if path.is_dir() else path.name
        assert name in ("README.md", "__pycache__/") or f"`{name}`" in readme
