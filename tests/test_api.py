"""The Python API: one door to runs, ensembles, exports and servers; errors as the command line reports them."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_job import SETTINGS, write_corpus

import nmt
from nmt.config.file import load_config
from nmt.exports.endpoint import Endpoint
from nmt.text.glossary import Glossary
from nmt.translation.translator import Translator

LINES = ["red cat sees", "", "big dog. small house. old tree runs."]
PACKAGE = Path(nmt.__file__).parent
ROOMS = sorted(f"nmt.{stub.parent.name}" for stub in PACKAGE.glob("*/__init__.pyi"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    write_corpus(folder)
    settings = SETTINGS.format(folder=folder) + "seed: 3\n"
    settings = settings.replace("tensorboard: false", "tensorboard: false, max_steps: 4, validate_every: 4")
    (folder / "job.yaml").write_text(settings.replace("search: {", "search: {beam_size: 2, "), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return nmt.train(folder / "job.yaml")


@pytest.fixture(scope="module")
def export(run, folder):
    nmt.export(run, folder / "served")
    return str(folder / "served")


@pytest.fixture(scope="module")
def server(export):
    from nmt.serving.server import Server, model_config

    with Server([model_config(export, name="translator")], port=0, rest_api_port=0) as server:
        yield server


# --- one door --------------------------------------------------------------------------------------------------------


def test_a_run_its_export_and_its_server_translate_alike(run, export, server):
    expected = nmt.load(run).translate(LINES)
    for place in ([str(run.path), run], Path(export), server.rest_url, f"{server.grpc_url}/translator"):
        found = nmt.load(place).translate(LINES)
        assert [each.text for each in found] == [each.text for each in expected], place
        np.testing.assert_allclose([each.score for each in found], [each.score for each in expected], atol=1e-3)
        assert [each.degenerate for each in found] == [each.degenerate for each in expected]


def test_n_best_lists_and_alignments_are_asked_for_alike(run, export, server):
    for place in (run.path, f"{export}/1", server.rest_url):
        assert [len(each.n_best) for each in nmt.load(place, n_best=2).translate(LINES[::2])] == [2, 2]
        for translation in nmt.load(place, alignments=True).translate(LINES):
            shape = len(translation.n_best[0].pieces), len(translation.source_pieces)
            assert translation.alignment.shape == shape
            assert "nmt-heat-map" in translation._repr_html_()
        assert nmt.load(place).translate(LINES)[0].alignment is None


def test_a_glossary_is_taken_alike(run, export, server, tmp_path):
    (tmp_path / "terms.tsv").write_text("cat\tKatze\nbig dog\tDogge\ndog\tHund\n", encoding="utf-8")
    expected = [each.text for each in nmt.load(run, glossary=tmp_path / "terms.tsv").translate(LINES)]
    assert "Katze" in expected[0]
    assert "Dogge" in expected[2]
    for place in (Path(export), server.rest_url, server.grpc_url):
        for glossary in (tmp_path / "terms.tsv", {"cat": "Katze", "big dog": "Dogge"}):
            assert [each.text for each in nmt.load(place, glossary=glossary).translate(LINES)] == expected
        with pytest.raises(ValueError, match="a glossary for the best translation only"):
            nmt.load(place, glossary={"cat": "Katze"}, n_best=2)
        with pytest.raises(ValueError, match="ignoring case needs a run"):
            nmt.load(place, glossary=Glossary({"cat": "Katze"}, ignore_case=True))


def test_overrides_and_weights_are_those_of_the_command_line(run):
    assert nmt.load(run, overrides=["search.beam_size=1"]).options.beam_size == 1
    with pytest.raises(ValueError, match="no weights '77'"):
        nmt.load(run, weights=77)
    with pytest.raises(ValueError, match="only settings of search can be changed"):
        nmt.load(run, overrides=["model.units=8"])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"weights": "last"}, "weights 'last' need a run: .* has those that were exported"),
        ({"overrides": ["search.beam_size=1"]}, "settings of search need a run: .* translates as was set"),
        ({"n_best": 2, "alignments": True}, "leave n_best or alignments out"),
        ({"n_best": 1000}, "n_best 1000: this export gives"),
    ],
)
def test_what_an_export_or_server_cannot_follow_is_refused_with_what_to_do(export, server, options, complaint):
    for place in (export, server.rest_url):
        with pytest.raises(ValueError, match=complaint):
            nmt.load(place, **options).translate(LINES)


def test_what_an_export_or_server_cannot_do_needs_a_run(run, export, server):
    for place in (export, server.rest_url):
        with nmt.load(place) as endpoint:
            assert isinstance(endpoint, Endpoint)
            with pytest.raises(ValueError, match="scoring given translations needs a run"):
                endpoint.score(["a"], ["b"])
            with pytest.raises(ValueError, match="prefixes need a run"):
                endpoint.translate(["a"], ["b"])
        with pytest.raises(ValueError, match="an ensemble is made of runs"):
            nmt.load([place, run])
    translator = nmt.load(run)
    assert isinstance(translator, Translator)
    assert translator.score(["red"], ["der"])[0].shape == (len(run.tokenizers.target.encode(["der"])[0]) + 1,)


@pytest.mark.parametrize("place", ["nope", "ftp://localhost", []], ids=str)
def test_what_is_nothing_to_load_is_refused(place):
    with pytest.raises(ValueError, match=r"no such directory|is no address of a server|the list is empty"):
        nmt.load(place)


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_a_job_is_a_file_or_a_config(folder, run):
    config = load_config(folder / "job.yaml")
    assert nmt.train(config).path == run.path
    assert str(nmt.check(config)) == str(nmt.check(str(folder / "job.yaml")))
    with pytest.raises(ValueError, match="seed: "):
        nmt.check(config, overrides=["seed=x"])


def test_check_finds_what_is_wrong_and_train_refuses_it(folder, tmp_path):
    overrides = [f"run={tmp_path}/run", f"data.validation.source={folder}/train.en"]
    assert nmt.check(folder / "job.yaml", overrides=overrides).errors
    with pytest.raises(ValueError, match="150 lines"):
        nmt.train(folder / "job.yaml", overrides=overrides)


def test_evaluate_scores_a_run_or_several(run):
    one = nmt.evaluate(run, test_sets=["validation"])
    both = nmt.evaluate(run.path, test_sets=["validation"], ensemble=[run], overrides=["search.beam_size=1"])
    assert one.results[0].lines == both.results[0].lines == 6
    assert both.search.beam_size == 1
    with pytest.raises(ValueError, match="no test set 'nope'"):
        nmt.evaluate(run, test_sets=["nope"])


# --- the package -----------------------------------------------------------------------------------------------------


def test_the_docstrings_example_runs(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    test = doctest.DocTestParser().get_doctest(nmt.__doc__, {}, "nmt", None, 0)
    assert len(test.examples) > 5
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_importing_the_package_and_its_rooms_imports_nothing_that_takes_long():
    code = (
        f"import sys, importlib, nmt; [importlib.import_module(room) for room in {ROOMS}]\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'pydantic', 'sentencepiece', 'sacrebleu', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "nmt.load, nmt.check, nmt.Config, nmt.Translation, nmt.Translator, nmt.Endpoint, nmt.Run, nmt.Interrupted\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", ["nmt", *ROOMS])
def test_every_exported_name_is_there_and_documented(package):
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


def test_nmt_export_is_a_function_whatever_was_imported_before():
    importlib.import_module("nmt.exports.writer")
    assert all(callable(getattr(nmt, name)) for name in ("load", "train", "evaluate", "export", "check"))


def test_users_type_checkers_see_the_types(tmp_path):
    """As those of a program that uses the package: a wrong argument is found, and results have their types."""
    program = tmp_path / "program.py"
    program.write_text(
        "import nmt\nreveal_type(nmt.load('run').translate(['a'])[0].confidence)\nnmt.load('run', n_best='many')\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "--config-file=", str(program)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent), "MYPYPATH": str(PACKAGE.parent), "PATH": "/usr/bin:/bin"},
    )
    assert (PACKAGE / "py.typed").is_file()
    assert 'program.py:2: note: Revealed type is "float | None"' in done.stdout.replace(
        "builtins.float", "float"
    ).replace("Union[float, None]", "float | None"), done.stdout
    assert 'program.py:3: error: Argument "n_best"' in done.stdout
    assert "Found 1 error" in done.stdout
