"""What is published: the sdist and the wheel hold what they should, and the wheel works without the repository."""

import ast
import email
import itertools
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import parallel_corpus
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def files(folder):
    """Its files' places in the repository, but what Python has compiled."""
    paths = [path for path in (REPOSITORY / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(REPOSITORY)) for path in paths}


def name_of(requirement):
    """The normalized name of a distribution, without version and conditions."""
    return re.sub("[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of an sdist, and of a wheel made of nothing but that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(built):
    """The names of its files."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs a program of a new environment that has the wheel; its dependencies are those of this environment."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment)
    install = ["--python", environment / "bin" / "python", "install", "--quiet", "--no-index", "--no-deps", wheel]
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *install], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # A path file's own directories are searched last, and the path files in them (of an editable install) not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(program, *arguments, folder=environment, expected=0) -> str:
        command = [environment / "bin" / program, *arguments]
        done = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_wheel_holds_the_package_its_licence_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if name.startswith(f"recurrent_nmt-{PROJECT['version']}.dist-info/")}
    assert names - about == files("nmt")
    assert names >= {"nmt/__init__.py", "nmt/py.typed", "nmt/report/page.html", "nmt/report/style.css"}
    assert {name.partition("/")[2] for name in about} >= {"METADATA", "entry_points.txt", "licenses/LICENSE"}


def test_the_wheel_says_what_pyproject_says(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == PROJECT["name"]
    assert set(metadata["Requires-Python"].split(",")) == set(PROJECT["requires-python"].split(","))
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata.get_all("Classifier") == sorted(PROJECT["classifiers"])
    assert metadata.get_payload().strip() == (REPOSITORY / "README.md").read_text(encoding="utf-8").strip()


def test_every_python_that_may_install_it_is_a_classifier():
    lowest, highest = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    expected = [f"Programming Language :: Python :: 3.{minor}" for minor in range(int(lowest), int(highest))]
    assert [name for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)] == expected


def test_the_package_imports_only_declared_dependencies_and_what_these_require():
    of_users = [
        PROJECT["dependencies"],
        *(PROJECT["optional-dependencies"][name] for name in ("beam", "formats", "gateway", "onnx", "report", "zstd")),
    ]
    declared = {name_of(each) for each in itertools.chain(*of_users)}
    required = {name_of(each) for name in declared for each in requires(name) or () if "extra ==" not in each}
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "nmt").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    distributions = packages_distributions()
    for package in {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - {"nmt"}:
        assert {name_of(each) for each in distributions[package]} & (declared | required), package


def test_the_sdist_holds_what_the_tests_need_and_no_corpora_runs_or_exports(sdist):
    assert sdist >= files("nmt") | files("tests") | files("configs")
    assert sdist >= {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml"}
    folders = {name.partition("/")[0] for name in sdist if "/" in name}
    assert folders == {"nmt", "tests", "configs", "data_scripts", "serving", "docs", ".ci", ".github"}
    assert not [name for name in sdist if re.search(r"__pycache__|\.(pyc|npz|gz|jsonl|pb)$", name)]


def test_the_installed_package_is_the_one_of_the_wheel_and_has_its_version(installed):
    found = installed("python", "-c", "import nmt; print(nmt.__file__)").strip()
    assert not Path(found).is_relative_to(REPOSITORY)
    assert installed("nmt", "--version") == f"nmt {PROJECT['version']}\n"


def test_the_installed_command_makes_a_config_and_checks_it(installed, tmp_path):
    source = parallel_corpus.sentences("LATIN", 1200)
    parallel_corpus.write(tmp_path, source=source, target=parallel_corpus.sentences("CYRILLIC", 1200))
    installed("nmt", "init", "--source", "text.en", "--target", "text.de", "--output", "mine", folder=tmp_path)
    assert "batch_tokens:" in installed("nmt", "config", "mine/config.yaml", folder=tmp_path)
    installed("nmt", "check", "mine/config.yaml", folder=tmp_path)
