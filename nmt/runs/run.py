"""The run directory: everything one job leaves behind, in one place that can be copied anywhere.

    config.yaml                     the settings, complete; written last, so a directory that has it is a run
    tokenizer/                      source.model, target.model
    glossary.tsv                    a copy of the config's glossary, where it has one
    corpora.json                    sizes and hashes of the files it was begun with (corpora.py)
    checkpoints/step-00001200.npz   all that training needs to go on as if never interrupted; the newest few
    validations/step-00001200.npz   weights of the last validations, where their average is wanted
    best.npz                        the weights that validated best
    lexicon.npz                     which target pieces may translate a source piece (search/lexicon.py), once asked for
    habits.json                     how the lines of its training corpora are written (corpus/habits.py)
    confidence.json                 how their translations' confidence is computed (search/confidence.py)
    prepared/                       the data of this epoch and the next while it is trained (data/preparation.py)
    log.jsonl                       one JSON object a line
    tensorboard/

Imports TensorFlow only to load a model.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nmt.config.file import dump_config, load_config
from nmt.config.resuming import best_path, check_changes, check_place, config_path, is_begun, is_run
from nmt.config.search import SearchConfig
from nmt.config.settings import Config
from nmt.corpus.habits import Habits
from nmt.full_disk import naming
from nmt.runs.files import Arrays, DamagedFileError, load_arrays, save_arrays, write_text
from nmt.search.confidence import Calibration
from nmt.search.lexicon import learn_lexicon
from nmt.text.capitals import Capitals
from nmt.text.glossary import Glossary
from nmt.text.lines import read_lines
from nmt.text.protection import Protection
from nmt.text.sentences import SentenceSplitter
from nmt.text.tokenizer import Tokenizers

if TYPE_CHECKING:
    from nmt.model.seq2seq import Seq2Seq

ABBREVIATIONS = "abbreviations.txt"  # an ONNX export has them, so that it needs no package for them
_CALIBRATION = "confidence.json"
_HABITS = "habits.json"
_GLOSSARY = "glossary.tsv"
_LEXICON = "lexicon.npz"
_STEP_FILE = re.compile(r"step-(\d{8,})\.npz")


def tokenizer_path(run: str | os.PathLike[str]) -> Path:
    """Where a run has its tokenizers."""
    return Path(run) / "tokenizer"


def prepared_path(run: Path) -> Path:
    """Where the data are prepared that a run is trained on."""
    return run / "prepared"


class Checkpoint(NamedTuple):
    """One moment of training. Names of arrays begin with model/, average/, optimizer/ or seed/."""

    step: int
    arrays: dict[str, np.ndarray]
    progress: dict[str, Any]

    def weights(self) -> dict[str, np.ndarray]:
        """Those to translate with, by the variable's path: the moving average where there is one."""
        kind = "average/" if any(name.startswith("average/") for name in self.arrays) else "model/"
        return {name.removeprefix(kind): array for name, array in self.arrays.items() if name.startswith(kind)}


class Run:
    """An open run directory. Make one with `create`, `open` or `resume`."""

    def __init__(self, path: Path, config: Config, tokenizers: Tokenizers) -> None:
        self.path = path
        self.config = config
        self.tokenizers = tokenizers

    @property
    def protection(self) -> Protection:
        """The spans that its translations keep unchanged."""
        return Protection.of(self.config, self.tokenizers)

    def translation_protection(self, glossary: Glossary | None = None) -> Protection:
        """`protection` for lines to translate, with the terms of a glossary; None = the run's own, if it has one.

        Raises: ValueError for a glossary that the run has no symbols for, or whose terms have spans in them.
        """
        return Protection.of(self.config, self.tokenizers, self.glossary() if glossary is None else glossary)

    @classmethod
    def create(cls, config: Config, tokenizers: Tokenizers) -> Run:
        """Makes the directory `config.run`.

        Raises:
            ValueError: if something was trained there already, or as `check_place`.
        """
        path = Path(config.run)
        if is_begun(path):
            check_changes(path, load_config(config_path(path)), config)
            raise ValueError(f"{path} already holds this run: resume it, or choose another directory with run:")
        check_place(path)
        (path / "log.jsonl").unlink(missing_ok=True)  # of a training that was aborted at its start
        tokenizer_path(path).mkdir(parents=True, exist_ok=True)
        tokenizers.save(tokenizer_path(path))
        run = cls(path, config, tokenizers)
        run._keep_glossary()
        write_text(config_path(path), dump_config(config))
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """Opens a run to read.

        Raises:
            ValueError: if there is none, or it is incomplete.
        """
        path = Path(path)
        if not is_run(path):
            what = "is not a run (it has no config.yaml and tokenizer/)" if path.is_dir() else "no such directory"
            raise ValueError(f"{path}: {what}; `nmt train CONFIG` makes a run")
        return cls(path, load_config(config_path(path)), Tokenizers.load(tokenizer_path(path)))

    @classmethod
    def resume(cls, config: Config) -> Run:
        """Opens `config.run` to train on, with the settings of `config`.

        Raises:
            ValueError: if a setting differs that what was trained so far depends on.
        """
        run = cls.open(config.run)
        check_changes(run.path, run.config, config)
        if config != run.config:
            write_text(config_path(run.path), dump_config(config))
            run.config = config
        run._keep_glossary()
        for unfinished in run.path.rglob("*.unfinished"):
            unfinished.unlink()
        run._drop_torn_line()
        return run

    def save_checkpoint(self, step: int, arrays: Arrays, progress: Mapping[str, Any]) -> Path:
        """Writes a checkpoint, then drops the oldest beyond training.keep_checkpoints."""
        path = self._step_file("checkpoints", step)
        save_arrays(path, arrays, progress)
        # A checkpoint of a later step is from before training went back to an earlier one, past a damaged one.
        others = [(other, file) for other, file in self._steps("checkpoints") if other != step]
        older = [file for other, file in others if other < step]
        for file in [file for other, file in others if other > step] + older[
            self.config.training.keep_checkpoints - 1 :
        ]:
            file.unlink()
        return path

    def latest_checkpoint(self) -> Checkpoint | None:
        """The newest intact checkpoint; reports on stderr if a newer one is damaged.

        Raises:
            ValueError: if there are checkpoints but all are damaged.
        """
        files = self._steps("checkpoints")
        for step, file in files:
            try:
                return Checkpoint(step, *load_arrays(file))
            except DamagedFileError as error:
                print(f"{error}; trying the checkpoint before it", file=sys.stderr)
        if files:
            raise ValueError(f"{self.path}: all checkpoints are damaged; delete {files[0][1].parent} to train anew")
        return None

    def latest_step(self) -> int | None:
        """The step of the newest checkpoint, intact or not."""
        return next((step for step, _ in self._steps("checkpoints")), None)

    def save_weights(self, name: str | int, weights: Arrays) -> Path:
        """Writes weights by their variables' paths: `name` is "best" or the step of a validation.

        New best weights invalidate the calibration of the old ones.
        """
        if name == "best":
            (self.path / _CALIBRATION).unlink(missing_ok=True)
        path = best_path(self.path) if isinstance(name, str) else self._step_file("validations", name)
        save_arrays(path, weights, {})
        return path

    def keep_validations(self, steps: list[int]) -> None:
        """Deletes the weights of all other validations."""
        for step, file in self._steps("validations"):
            if step not in steps:
                file.unlink()

    def load_weights(self, name: str | int = "best") -> dict[str, np.ndarray]:
        """Weights by their variables' paths.

        Args:
            name: "best", "last", or the step of a validation or checkpoint.

        Raises:
            ValueError: if they are not there (says which are) or damaged.
        """
        if name == "last":
            if checkpoint := self.latest_checkpoint():
                return checkpoint.weights()
        elif name == "best":
            if (file := best_path(self.path)).is_file():
                return load_arrays(file)[0]
        elif str(name).isdecimal():
            if (file := self._step_file("validations", int(name))).is_file():
                return load_arrays(file)[0]
            if (file := self._step_file("checkpoints", int(name))).is_file():
                return Checkpoint(int(name), *load_arrays(file)).weights()
        raise ValueError(f"{self.path}: no weights {str(name)!r}; there are: {', '.join(self._names()) or 'none yet'}")

    def load_model(self, name: str | int = "best", precision: str = "float32", *, shortlist: bool = False) -> Seq2Seq:
        """The model with the weights `name`, as in `load_weights`, to translate with in "float32" or "bfloat16".

        Args:
            shortlist: lay it out to translate with one, which is faster then.

        Raises:
            ValueError: as `load_weights`.
        """
        from nmt.model.seq2seq import build_model  # here, so that reading settings does not wait for it

        weights = self.load_weights(name)
        model = build_model(
            self.config,
            source_vocabulary=self.tokenizers.source.vocabulary_size,
            target_vocabulary=self.tokenizers.target.vocabulary_size,
            precision=precision,
            trainable=False,
            shortlist=shortlist,
        )
        assign_weights(model, weights)
        return model

    def save_calibration(self, calibration: Calibration) -> None:
        """Stores how confidence is computed for the best weights."""
        write_text(self.path / _CALIBRATION, calibration.as_json())

    def calibration(self, weights: str | int = "best") -> Calibration | None:
        """How confidence is computed; None if it was never fitted, and for other weights than the best ones.

        Raises:
            ValueError: if the file is none of this version's.
        """
        file = self.path / _CALIBRATION
        if weights != "best" or not file.is_file():
            return None
        try:
            return Calibration.from_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    def save_habits(self, habits: Habits) -> None:
        """Stores how the lines of the training corpora are written."""
        write_text(self.path / _HABITS, habits.as_json())

    def habits(self) -> Habits | None:
        """How the lines of the training corpora are written; None where that was not measured, as in older runs.

        Raises:
            ValueError: if the file is damaged.
        """
        file = self.path / _HABITS
        if not file.is_file():
            return None
        try:
            return Habits.from_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    def glossary(self) -> Glossary | None:
        """The terms that its translations have; None where its config names no glossary.

        Raises:
            ValueError: if the file is damaged.
        """
        file = self.path / _GLOSSARY
        return Glossary.read(file, ignore_case=self.config.glossary_ignore_case) if file.is_file() else None

    def sentence_splitter(self, search: SearchConfig, protection: Protection | None = None) -> SentenceSplitter | None:
        """What cuts lines into sentences; None where lines stay whole (search.split_sentences).

        Args:
            protection: what is not cut; None = `translation_protection`.
        """
        habits = self.habits()
        auto = habits is not None and habits.single_sentences
        if search.split_sentences == "never" or (search.split_sentences == "auto" and not auto):
            return None
        file = self.path / ABBREVIATIONS
        known = file.read_text(encoding="utf-8").split() if file.is_file() else None
        return SentenceSplitter(self.config.source_language, protection or self.translation_protection(), known)

    def capitals(self) -> Capitals | None:
        """What puts lines in capitals into normal case; None where the training corpora have enough of them."""
        habits = self.habits()
        if habits is None or not habits.normal_case:
            return None
        return Capitals(self.config.source_language, self.config.target_language)

    @property
    def has_lexicon(self) -> bool:
        """Whether it was learned already."""
        return (self.path / _LEXICON).is_file()

    def lexicon(self) -> np.ndarray:
        """The lexicon of its training pairs, int32 [source vocabulary, lexicon.LISTED]: learned on first use.

        Raises:
            ValueError: if it has to be learned, and the training corpora cannot be read.
        """
        file = self.path / _LEXICON
        if not self.has_lexicon:
            print(f"learning {file} from the training pairs, this once", file=sys.stderr)
            save_arrays(file, {"lexicon": learn_lexicon(self.config, self.tokenizers)}, {})
        return load_arrays(file)[0]["lexicon"]

    def log(self, **event: Any) -> None:
        """Adds a line to log.jsonl, with the time in seconds since 1970."""
        path = self.path / "log.jsonl"
        with naming(path), open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), **event}, ensure_ascii=False) + "\n")

    def _keep_glossary(self) -> None:
        """Copies the config's glossary, so that the run can do without the original."""
        copy = self.path / _GLOSSARY
        if self.config.glossary is None:
            copy.unlink(missing_ok=True)
        else:
            write_text(copy, "".join(f"{line}\n" for line in read_lines(self.config.glossary)))

    def _drop_torn_line(self) -> None:
        """A killed process may have left half a line at the end of the log."""
        log = self.path / "log.jsonl"
        if log.is_file() and not (content := log.read_bytes()).endswith(b"\n"):
            log.write_bytes(content[: content.rfind(b"\n") + 1])

    def _step_file(self, folder: str, step: int) -> Path:
        return self.path / folder / f"step-{step:08d}.npz"

    def _steps(self, folder: str) -> list[tuple[int, Path]]:
        """Steps and files of a folder, newest first."""
        files = (self.path / folder).glob("step-*.npz")
        found = [(int(match[1]), file) for file in files if (match := _STEP_FILE.fullmatch(file.name))]
        return sorted(found, reverse=True)

    def _names(self) -> list[str]:
        steps = {step for folder in ("checkpoints", "validations") for step, _ in self._steps(folder)}
        best = ["best"] if best_path(self.path).is_file() else []
        last = ["last"] if self._steps("checkpoints") else []
        return [*best, *last, *map(str, sorted(steps))]


def assign_weights(model: Seq2Seq, weights: Arrays) -> None:
    """Sets a model's weights from arrays by path.

    Raises:
        ValueError: if the two do not fit each other.
    """
    converted = model.converted_weights(weights)
    missing = {variable.path for variable in model.weights} ^ converted.keys()
    if missing:
        raise ValueError(f"these weights are of another model: {sorted(missing)[0]} is only in one of the two")
    for variable in model.weights:
        if variable.shape != converted[variable.path].shape:
            raise ValueError(
                f"these weights are of another model or tokenizer: {variable.path} is "
                f"{list(converted[variable.path].shape)}, {list(variable.shape)} was expected"
            )
        variable.assign(converted[variable.path])
    for made in model.precomputed:
        made.fill()
