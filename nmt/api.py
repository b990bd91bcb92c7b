"""The Python API: what the commands of the command line do, as functions. `nmt` exports them.

Each takes a path or the object that is read from it, and raises ValueError for what the command line reports as an
error. TensorFlow is imported only after all that can be found wrong without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nmt.config.file import load_config, override_config
from nmt.config.resuming import override_run
from nmt.config.search import SearchConfig
from nmt.config.settings import Config
from nmt.startup import import_tensorflow

if TYPE_CHECKING:
    import keras

    from nmt.corpus.findings import Report as CheckReport
    from nmt.evaluation.evaluate import Report as EvaluationReport
    from nmt.exports.endpoint import Endpoint
    from nmt.runs.run import Run
    from nmt.text.glossary import Glossary
    from nmt.translation.translator import Translator

AnyPath = str | os.PathLike[str]
AnyGlossary: TypeAlias = "AnyPath | Mapping[str, str] | Glossary"


def load(
    where: AnyPath | Run | Sequence[AnyPath | Run],
    *,
    weights: str | int = "best",
    overrides: Sequence[str] = (),
    n_best: int | None = None,
    alignments: bool = False,
    glossary: AnyGlossary | None = None,
) -> Translator | Endpoint:
    """What translates: `.translate(lines)` of it gives a `Translation` for each line, whichever engine is behind it.

    Args:
        where: a run or its directory; several of them, which translate together as an ensemble; the directory of an
            ONNX export, which takes no TensorFlow; that of a SavedModel export, whose newest version is used, or of one
            of its versions; or the URL of a server, http://host:8501, https://... or grpc://host:8500, each with an
            optional /model-name.
        weights: "best", "last", or the step of a checkpoint; of runs only.
        overrides: settings of search as `--set` takes them, such as ["search.beam_size=8"]; of runs and ONNX exports.
        n_best: how many hypotheses a line has; None = as the run says, of a SavedModel or server the best one.
        alignments: whether translations have their attention, which takes memory.
        glossary: the terms that translations have: a file, a dictionary or an `nmt.text.Glossary`; None = those of the
            (first) run, or of the export.

    Raises:
        ValueError: where nothing of this is found, or for an option that what was found cannot follow.
    """
    places = list(where) if isinstance(where, Sequence) and not isinstance(where, str) else [where]
    if not places:
        raise ValueError("no run, export or server to load: the list is empty")
    open_endpoint = _endpoint(places[0])
    onnx = None if open_endpoint else _onnx_export(places[0])
    if not open_endpoint and not onnx:
        return _load_runs(
            places, weights=weights, overrides=overrides, n_best=n_best, alignments=alignments, glossary=glossary
        )
    if len(places) > 1:
        raise ValueError(f"an ensemble is made of runs: {places[0]} is none, and translates alone only")
    if weights != "best":
        raise ValueError(f"weights {weights!r} need a run: {places[0]} has those that were exported")
    if onnx:
        return _load_onnx(onnx, overrides=overrides, n_best=n_best, alignments=alignments, glossary=glossary)
    assert open_endpoint
    if overrides:
        raise ValueError(f"settings of search need a run: {places[0]} translates as was set when it was exported")
    terms = None if glossary is None else _as_glossary(glossary, ignore_case=False)
    if terms is not None and terms.ignore_case:
        raise ValueError(f"ignoring case needs a run: {places[0]} does so if its run's glossary_ignore_case says it")
    return open_endpoint(n_best=n_best, alignments=alignments, glossary=terms)


def train(
    config: AnyPath | Config, *, overrides: Sequence[str] = (), callbacks: Sequence[keras.callbacks.Callback] = ()
) -> Run:
    """Trains a job, or continues where it was stopped; returns its run.

    Args:
        config: the job, or its YAML file.
        overrides: settings as `--set` takes them, such as ["training.max_steps=1000"].
        callbacks: Keras callbacks; training/callbacks.py says what their logs hold.

    Raises:
        ValueError: for files or settings that cannot be trained on, a run of another job, a loss that diverges.
        nmt.Interrupted: after SIGINT (a notebook's stop button) or SIGTERM, when the run is saved.
    """
    config = _read_config(config, overrides)
    import_tensorflow()
    from nmt.training.train import train as train_job

    return train_job(config, callbacks=callbacks)


def check(config: AnyPath | Config, *, overrides: Sequence[str] = ()) -> CheckReport:
    """Looks for what is wrong in a job's files before training; changes nothing.

    Args: config, overrides: as of `train`.
    Returns: errors, warnings and notes; str() is a readable page.
    Raises: ValueError for a config that cannot be read.
    """
    from nmt.corpus.check import check as check_job

    return check_job(_read_config(config, overrides))


def evaluate(
    run: AnyPath | Run,
    *,
    test_sets: Sequence[str] = (),
    against: str | None = None,
    ensemble: Sequence[AnyPath | Run] = (),
    weights: str | int = "best",
    overrides: Sequence[str] = (),
) -> EvaluationReport:
    """Translates test sets of a run's config and scores them with BLEU, chrF and TER.

    Args:
        run: a run or its directory, or that of an ONNX export.
        test_sets: names in data.test, or "validation"; none = all of data.test.
        against: another run's directory, or a file with another system's translations of the one test set.
        ensemble: further runs to translate with.
        weights, overrides: as of `load`.

    Returns: the scores with their signatures; str() is a readable page.
    Raises: ValueError for an unknown test set or files that cannot be read or differ in their line counts.
    """
    run, others = _open_run(run), [_open_run(each) for each in ensemble]
    search = override_run(run.config, overrides).search
    from nmt.evaluation.evaluate import evaluate as evaluate_run

    return evaluate_run(
        run, test_sets=test_sets, options=search, against=against, weights=str(weights), ensemble=others
    )


def export(
    run: AnyPath | Run,
    directory: AnyPath,
    *,
    weights: str | int = "best",
    overrides: Sequence[str] = (),
    glossary: AnyGlossary | None = None,
    format: str = "savedmodel",
    web: bool = False,
    onnxruntime_web: AnyPath | None = None,
) -> Path:
    """Makes of a run what translates without it.

    Args:
        run: a run or its directory.
        directory: of the export; a later SavedModel there becomes its next version, a later ONNX export replaces it.
        weights: as of `load`.
        overrides: settings of search or export as `--set` takes them, such as ["search.precision=bfloat16"].
        glossary: as of `load`.
        format: "savedmodel", which TensorFlow Serving, `nmt serve` and `load` open, or "onnx", for ONNX Runtime.
        web: whether an ONNX export has a page on which it translates in the reader's browser.
        onnxruntime_web: the npm package of that name, unpacked, for the page; None = npm fetches it.

    Returns: the new version's directory, or that of the ONNX export.
    Raises: ValueError for settings that an export cannot have.
    """
    if format not in ("savedmodel", "onnx"):
        raise ValueError(f'unknown export format {format!r}; expected "savedmodel" or "onnx"')
    if web and format != "onnx":
        raise ValueError("a page in the browser translates with an ONNX export only: choose the format onnx for it")
    if onnxruntime_web is not None and not web:
        raise ValueError("onnxruntime-web is needed for a page in the browser only: ask for one, too")
    run = _open_run(run)
    config = override_run(run.config, overrides, sections=("search", "export"))
    terms = _read_glossary(glossary, run)
    if web:
        return _export_web(run, directory, onnxruntime_web, weights=weights, config=config, glossary=terms)
    if format == "onnx":
        return _export_onnx(run, directory, weights=weights, config=config, glossary=terms)
    import_tensorflow()
    from nmt.exports.writer import export as write_export

    return write_export(run, directory, weights=weights, config=config, glossary=terms)


def _export_onnx(run: Run, directory: AnyPath, **options: Any) -> Path:
    try:
        from nmt.onnx_export.writer import export as write_export
    except ModuleNotFoundError as error:
        raise ValueError(
            f"an ONNX export needs {error.name}, which is not installed: pip install 'recurrent-nmt[onnx]'"
        ) from None
    return write_export(run, directory, **options)


def _export_web(run: Run, directory: AnyPath, package: AnyPath | None, *, config: Config, **options: Any) -> Path:
    from nmt.web.rules import check_page
    from nmt.web.runtime import open_runtime
    from nmt.web.write import write_page

    protection = run.translation_protection(options["glossary"])
    check_page(config.search, has_glossary=protection.glossary is not None)
    with open_runtime(package) as runtime:  # before anything is written
        written = _export_onnx(run, directory, config=config, **options)
        write_page(written, runtime)
    return written


def _read_config(config: AnyPath | Config, overrides: Sequence[str]) -> Config:
    return override_config(config, overrides) if isinstance(config, Config) else load_config(Path(config), overrides)


def _open_run(run: AnyPath | Run) -> Run:
    from nmt.runs.run import Run

    return run if isinstance(run, Run) else Run.open(run)


def _endpoint(place: AnyPath | Run) -> Callable[..., Endpoint] | None:
    """What opens a server or an export; None where the place is neither."""
    if isinstance(place, str) and "://" in place:
        from nmt.client.client import connect

        return partial(connect, place)
    if isinstance(place, str | os.PathLike):
        from nmt.exports.files import newest_version

        if version := newest_version(place):
            return partial(_open_export, version)
    return None


def _open_export(version: Path, *, n_best: int | None, alignments: bool, glossary: Glossary | None) -> Endpoint:
    from nmt.exports.signatures import choose_signature

    choose_signature(n_best, alignments, glossary is not None)  # raises before TensorFlow is imported
    import_tensorflow()
    from nmt.exports.open_export import open_export

    return open_export(version, n_best=n_best, alignments=alignments, glossary=glossary)


def _onnx_export(place: AnyPath | Run) -> AnyPath | None:
    """The directory of an ONNX export; None where the place is none."""
    from nmt.onnx_engine.files import is_onnx_export

    return place if isinstance(place, str | os.PathLike) and is_onnx_export(place) else None


def _load_onnx(
    directory: AnyPath,
    *,
    overrides: Sequence[str],
    n_best: int | None,
    alignments: bool,
    glossary: AnyGlossary | None,
) -> Translator:
    from nmt.onnx_engine.open_onnx import onnx_translator, open_onnx

    model, run = open_onnx(directory)
    return onnx_translator(
        model,
        run,
        search=_search(run, overrides, n_best),
        alignments=alignments,
        glossary=_read_glossary(glossary, run),
    )


def _search(run: Run, overrides: Sequence[str], n_best: int | None) -> SearchConfig:
    several = [] if n_best is None else [f"search.n_best={n_best}"]
    return override_run(run.config, [*overrides, *several]).search


def _load_runs(
    places: Sequence[AnyPath | Run],
    *,
    weights: str | int,
    overrides: Sequence[str],
    n_best: int | None,
    alignments: bool,
    glossary: AnyGlossary | None,
) -> Translator:
    runs = [_open_run(place) for place in places]
    search = _search(runs[0], overrides, n_best)
    terms = _read_glossary(glossary, runs[0])
    import_tensorflow()
    from nmt.translation.ensemble import load_translator

    return load_translator(runs, weights=weights, search=search, alignments=alignments, glossary=terms)


def _read_glossary(glossary: AnyGlossary | None, run: Run) -> Glossary | None:
    """A glossary that a run can translate with."""
    ignore_case = run.config.glossary_ignore_case
    terms = None if glossary is None else _as_glossary(glossary, ignore_case=ignore_case)
    run.translation_protection(terms)  # raises before TensorFlow is imported
    return terms


def _as_glossary(glossary: AnyGlossary, *, ignore_case: bool) -> Glossary:
    from nmt.text.glossary import Glossary

    if isinstance(glossary, Mapping):
        return Glossary(glossary, ignore_case=ignore_case)
    return glossary if isinstance(glossary, Glossary) else Glossary.read(glossary, ignore_case=ignore_case)
