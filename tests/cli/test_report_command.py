"""`nmt report` writes its page where it is told to, and says what it lacks."""

import shutil
import sys

import pytest

from nmt.cli.main import main


@pytest.fixture
def run(number_run, tmp_path):
    """A copy without weights, of which a report takes no time."""
    (tmp_path / "run" / "tokenizer").mkdir(parents=True)
    shutil.copy(number_run.path / "config.yaml", tmp_path / "run")
    shutil.copytree(number_run.path / "tokenizer", tmp_path / "run" / "tokenizer", dirs_exist_ok=True)
    return tmp_path / "run"


def test_the_page_is_written_into_the_run_or_where_one_says(run, tmp_path, capsys):
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert main(["report", str(run), "--against", str(run), "--output", str(tmp_path / "page")]) == 0
    for page in (run / "report.html", tmp_path / "page"):
        assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_missing_package_is_named_with_what_to_do_before_anything_is_written(package, run, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.startswith("nmt.report.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["report", str(run)]) == 2
    error = capsys.readouterr().err
    assert f"needs {package}, which is not installed: pip install matplotlib jinja2" in error
    assert not (run / "report.html").exists()


def test_what_is_no_run_is_named(run, capsys):
    assert main(["report", str(run), "--against", "/no/run"]) == 2
    assert "/no/run: no such directory" in capsys.readouterr().err
