"""The settings of a gateway, from a file and from the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from nmt.cli.main import main
from nmt.config.file import ConfigError, load_settings, parse_settings
from nmt.gateway.app import create_app
from nmt.gateway.settings import GatewaySettings

EXAMPLE = Path(__file__).parents[2] / "configs" / "gateway.yaml"
MODELS = "models: [{source: en, target: de, address: 'http://localhost'}]\n"


def test_the_example_is_a_gateway():
    settings = load_settings(GatewaySettings, EXAMPLE)
    directions = create_app(settings).state.service.gateway.directions
    assert {source: directions.targets(source) for source in directions.languages} == {
        "de": ["en"],
        "en": ["de"],
        "fr": ["de", "en"],
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("limits: {}", "g.yaml:1: models: missing; a list, each a section with source, target, address, alternatives"),
        (MODELS + "limits: {requests: often}", "g.yaml:2: limits.requests: 'often' came, a rate such as 60/minute"),
        (MODELS + "keys: [{kay: x, key: y}]", "g.yaml:2: keys.0.kay: unknown key; did you mean key?"),
        (MODELS + "key_required: true", "g.yaml:2: key_required needs keys"),
        (MODELS + "limits: {texts: 0}", "g.yaml:2: limits.texts: 0 came, a whole number >= 1 was expected"),
        (MODELS.replace("en", "de"), "g.yaml:1: models: de-de: source and target are the same language"),
        (MODELS.replace("]", ", {source: en, target: de, address: x}]"), "g.yaml:1: models: en-de is given twice"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_line(text, problem):
    with pytest.raises(ConfigError) as refusal:
        parse_settings(GatewaySettings, text, name="g.yaml")
    assert str(refusal.value).startswith(problem)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "what should translate? Name a FILE with models, or give each as --model en-de=URL"),
        (["--model", "en-de"], "--model en-de: a direction and an address such as en-de=http://localhost:8501 were"),
        (["--model", "en-pt-BR=http://x"], "--model en-pt-BR=http://x: a direction and an address"),
        (["--model", "en-en=http://x"], "--model:1: models: en-en: source and target are the same language"),
        (["--model", "en-de=http://x:port"], "'http://x:port' is no address of a server"),
        (["--model", "en-de=nowhere"], "nowhere: no such directory"),
        (["none.yaml"], "none.yaml: no such file"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_message(capsys, arguments, message):
    assert main(["gateway", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"nmt: error: {message}")


def test_a_port_that_is_taken_is_named(capsys, gateway):
    port = gateway.rpartition(":")[2]
    assert main(["gateway", "--model", "en-de=http://x", "--port", port]) == 2
    assert capsys.readouterr().err.startswith(f"nmt: error: cannot listen on 127.0.0.1, port {port} ([Errno 98]")


def test_without_its_packages_the_command_says_which_extra_has_them():
    program = "import sys; sys.modules['uvicorn'] = None; from nmt.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "gateway", "--model", "en-de=http://x"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "nmt: error: nmt gateway needs uvicorn, which is not installed: pip install 'recurrent-nmt[gateway]'\n"
    )
