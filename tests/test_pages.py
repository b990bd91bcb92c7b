"""What the pages tell a reader to type exists: commands, options, settings, scripts, targets, files, Python names."""

import argparse
import ast
import builtins
import importlib
import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.cli.main import COMMANDS, named
from nmt.config.file import load_config, load_settings
from nmt.config.settings import Config
from nmt.gateway.settings import GatewaySettings

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "serving" / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
# Where the commands of a page are to be typed, if not at the top.
FOLDERS = {REPOSITORY / "serving" / "README.md": REPOSITORY / "serving"}
DEMO = REPOSITORY / "data_scripts" / "run_demo.sh"


def code_blocks(page):
    """Language and text of each block: fenced, or indented by four spaces after a blank line (language "")."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    yield from (("", block) for block in re.findall(r"(?<=\n\n)((?: {4}\S.*\n)+)", text))


def name_of(page):
    return str(page.relative_to(REPOSITORY))


def commands(name):
    """Every command that starts with `name`, on the pages and in the demo: its folder and what follows its name."""
    parameters = []
    found = [
        (page, line)
        for page in PAGES
        for language, block in code_blocks(page)
        if language in ("", "sh")
        for line in block.splitlines()
    ]
    demo = re.sub(r"\$\w+_port", "0", DEMO.read_text())
    found += [(DEMO, line) for line in re.findall(r'^run "(.*)"$', demo, flags=re.MULTILINE)]
    for page, line in found:
        if line.startswith(("from ", "import ", "with ")):  # Python
            continue
        for part in re.split(r"\|(?!\d)|&&|&$", line):
            words = shlex.split(part, comments=True)
            if words[:1] == [name]:
                folder = FOLDERS.get(page, REPOSITORY)
                parameters.append(pytest.param(folder, words[1:], id=f"{name_of(page)}: {shlex.join(words)}"))
    return parameters


def python_blocks():
    return [
        pytest.param(page, block, id=f"{name_of(page)}: {block.splitlines()[0]}")
        for page in PAGES
        for language, block in code_blocks(page)
        if language == "python"
    ]


@pytest.mark.parametrize(("folder", "arguments"), commands("nmt"))
def test_an_nmt_command_is_one_the_command_line_takes(folder, arguments):
    name, rest = named(arguments)
    parser = argparse.ArgumentParser(exit_on_error=False)
    COMMANDS[name].add_arguments(parser)
    parser.parse_intermixed_args(rest)


@pytest.mark.parametrize(("folder", "arguments"), commands("python"))
def test_a_script_exists_and_knows_its_options(folder, arguments):
    script, *rest = arguments
    program = ["-m", rest.pop(0)] if script == "-m" else [folder / script]
    answer = subprocess.run([sys.executable, *program, "--help"], capture_output=True, text=True, check=True)
    for option in re.findall(r"--[\w-]+", shlex.join(rest)):
        assert option in answer.stdout


@pytest.mark.parametrize(("folder", "arguments"), commands("make"))
def test_a_make_target_exists(folder, arguments):
    subprocess.run(["make", "--dry-run", *arguments], cwd=folder, capture_output=True, check=True)


@pytest.mark.parametrize(("folder", "arguments"), commands("curl"))
def test_a_request_shown_to_the_reader_is_json(folder, arguments):
    for option, value in itertools.pairwise(arguments):
        if option in ("-d", "--data"):
            json.loads(value)


@pytest.mark.parametrize(("page", "text"), python_blocks())
def test_python_shown_to_the_reader_uses_names_that_exist(page, text):
    earlier = "".join(block for language, block in code_blocks(page) if language == "python").partition(text)[0]
    nodes = list(ast.walk(ast.parse(earlier + text)))
    known, modules = set(dir(builtins)), {}
    for node in nodes:
        match node:
            case ast.Import():
                modules |= {alias.asname or alias.name: importlib.import_module(alias.name) for alias in node.names}
            case ast.ImportFrom():
                assert all(hasattr(importlib.import_module(node.module), alias.name) for alias in node.names)
                known |= {alias.asname or alias.name for alias in node.names}
            case ast.FunctionDef() | ast.ClassDef():
                known.add(node.name)
            case ast.arg():
                known.add(node.arg)
            case ast.Name(ctx=ast.Store()):
                known.add(node.id)
    for node in nodes:
        match node:
            case ast.Name(id=name):
                assert name in known or name in modules
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in modules:
                assert hasattr(modules[name], attribute), f"{name}.{attribute}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(block, id=f"{name_of(page)}: {block.splitlines()[0]}")
        for page in PAGES
        for language, block in code_blocks(page)
        if language == "yaml"
    ],
)
def test_a_config_shown_to_the_reader_is_valid(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    load_config(tmp_path / "config.yaml")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_of_the_repository_is_valid(path):
    load_settings(GatewaySettings if path.name == "gateway.yaml" else Config, path)


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "CHANGELOG.md"], ids=name_of)
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    linked = [page.parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text)]
    named = re.findall(r"\b((?:configs|data_scripts|docs|serving)/[\w./-]*\w)\b", text)
    assert not [path for path in linked if not path.exists()]
    folders = (REPOSITORY, REPOSITORY / "nmt")  # `serving/` is a room of the package, too
    assert not [name for name in named if not any((folder / name).exists() for folder in folders)]


def test_the_pages_show_every_command_there_is():
    shown = {named(parameter.values[1])[0] for parameter in commands("nmt")}
    assert shown | {"config"} == set(COMMANDS)  # `nmt config` stands in the text
