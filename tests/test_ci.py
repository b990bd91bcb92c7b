"""The continuous integration runs what every change must pass, on each Python that may install the package."""

import os
import re
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
WORKFLOW = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
JOB = WORKFLOW["jobs"]["test"]


def steps(key):
    return [step for step in JOB["steps"] if key in step]


def test_the_workflow_runs_what_every_change_must_pass():
    (step,) = steps("run")
    assert os.access(REPOSITORY / step["run"], os.X_OK)
    assert step["run"] == ".ci/run"


def test_each_python_that_may_install_the_package_runs_it_and_is_the_one_that_make_takes():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest, highest = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups())
    assert JOB["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(lowest, highest)]
    (setup,) = (step["with"] for step in steps("uses") if step["uses"].startswith("actions/setup-python@"))
    assert setup["python-version"] == "${{ matrix.python }}"
    assert [step["env"]["PYTHON"] for step in steps("run")] == ["python"]


def test_it_runs_for_pushes_and_pull_requests_ends_in_time_and_may_only_read():
    assert {"push", "pull_request"} <= WORKFLOW[True].keys()  # YAML 1.1 reads the key `on` as true
    assert 0 < JOB["timeout-minutes"] <= 120
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_downloads_are_cached_by_the_list_of_dependencies():
    (setup,) = (step["with"] for step in steps("uses") if step["uses"].startswith("actions/setup-python@"))
    assert setup["cache"] == "pip"
    assert (REPOSITORY / setup["cache-dependency-path"]).is_file()
