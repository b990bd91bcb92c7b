"""What the README and the docs tell a reader to type exists: commands, options, settings, scripts, targets, files."""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.cli.main import COMMANDS
from nmt.config.file import load_config

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
DEMO = REPOSITORY / "data_scripts" / "run_demo.sh"


def code_blocks(page):
    """Language and text of each block: fenced, or indented by four spaces after a blank line (language "")."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    yield from (("", block) for block in re.findall(r"(?<=\n\n)((?: {4}\S.*\n)+)", text))


def commands(name):
    """Every command that starts with `name`, on the pages and in the demo: what follows it, by where it stands."""
    parameters = []
    found = [
        (page.name, line)
        for page in PAGES
        for language, block in code_blocks(page)
        if language in ("", "sh")
        for line in block.splitlines()
    ]
    demo = re.sub(r"\$\w+_port", "0", DEMO.read_text())
    found += [(DEMO.name, line) for line in re.findall(r'^run "(.*)"$', demo, flags=re.MULTILINE)]
    for where, line in found:
        for part in re.split(r"\||&&|&$", line):
            words = shlex.split(part, comments=True)
            if words[:1] == [name]:
                parameters.append(pytest.param(words[1:], id=f"{where}: {shlex.join(words)}"))
    return parameters


@pytest.mark.parametrize("arguments", commands("nmt"))
def test_an_nmt_command_is_one_the_command_line_takes(arguments):
    name, *rest = arguments
    parser = argparse.ArgumentParser(exit_on_error=False)
    COMMANDS[name].add_arguments(parser)
    parser.parse_intermixed_args(rest)


@pytest.mark.parametrize("arguments", commands("python"))
def test_a_script_exists_and_knows_its_options(arguments):
    script, *rest = arguments
    answer = subprocess.run([sys.executable, REPOSITORY / script, "--help"], capture_output=True, text=True, check=True)
    for option in rest:
        assert not option.startswith("-") or option in answer.stdout


@pytest.mark.parametrize("arguments", commands("make"))
def test_a_make_target_exists(arguments):
    subprocess.run(["make", "--dry-run", *arguments], cwd=REPOSITORY, capture_output=True, check=True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(block, id=f"{page.name}: {block.splitlines()[0]}")
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
    load_config(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    linked = [page.parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text)]
    named = [REPOSITORY / name for name in re.findall(r"\b((?:configs|data_scripts|docs|serving)/[\w./]*\w)\b", text)]
    assert not [path for path in linked + named if not path.exists()]


def test_the_pages_show_every_command_there_is():
    shown = {parameter.values[0][0] for parameter in commands("nmt")} | {"config"}  # `nmt config` stands in the text
    assert shown == set(COMMANDS)
