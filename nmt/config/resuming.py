"""What makes a directory a run, and which settings may differ when it is resumed.

Imports no TensorFlow, so that `nmt check` can say at once what `nmt train` would.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmt.config.file import override_config
from nmt.config.settings import Config

# May change when a run is resumed, because nothing trained before depends on it.
CHANGEABLE = (
    "run",
    "cleaning",
    "data.test",
    "data.prefetch",
    "training.max_steps",
    "training.max_epochs",
    "training.max_minutes",
    "training.patience",
    "training.save_minutes",
    "training.keep_checkpoints",
    "training.gather_minutes",
    "training.tensorboard",
    "search",
    "export",
    "glossary",
    "glossary_ignore_case",
)


def config_path(run: str | os.PathLike[str]) -> Path:
    return Path(run) / "config.yaml"


def best_path(run: str | os.PathLike[str]) -> Path:
    """The weights that validated best."""
    return Path(run) / "best.npz"


def is_run(path: str | os.PathLike[str]) -> bool:
    """Whether a directory holds a run, finished or not; one with only a job's config does not."""
    return config_path(path).is_file() and (Path(path) / "tokenizer").is_dir()


def is_begun(path: str | os.PathLike[str]) -> bool:
    """Whether anything was trained in a run; until then it may be recreated with other settings."""
    return is_run(path) and (best_path(path).is_file() or any(Path(path).glob("checkpoints/step-*.npz")))


def check_place(path: str | os.PathLike[str]) -> None:
    """Checks that a run can be created, or resumed, in a place.

    Raises:
        ValueError: if it is not a directory, or has files that do not belong to a run.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file: run: names the directory that a run is kept in, choose a new one")
    # A tokenizer stands alone if the creation of a run was interrupted.
    strangers = [entry.name for entry in path.iterdir() if entry.name != "tokenizer"] if path.is_dir() else []
    if strangers and not is_run(path):
        raise ValueError(
            f"{path} is not empty (it holds {strangers[0]!r}) and is no run: choose a new directory with run:"
        )


def check_changes(run: str | os.PathLike[str], old: Config, new: Config) -> None:
    """Compares a run's settings with those of a job that would resume it.

    Raises:
        ValueError: if a setting differs that what was trained so far depends on, with all that do.
    """
    changed = differences(old, new, apart_from=CHANGEABLE)
    if changed:
        raise ValueError(
            f"{run} holds a run with other settings:\n" + "\n".join(changed) + "\n"
            "Choose a new directory with run:, or delete the old run, or take the settings back. (On a run that is "
            f"resumed only these may change: {', '.join(CHANGEABLE[1:])}.)"
        )


def differences(old: Config, new: Config, *, apart_from: Sequence[str] = ()) -> list[str]:
    """A line for each setting in which a job differs from that of a run."""
    before, after = _flat(old.model_dump()), _flat(new.model_dump())
    return [
        f"  {key}: {before.get(key, 'absent')!r} in the run, {after.get(key, 'absent')!r} now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
        and not any(key == free or key.startswith(free + ".") for free in apart_from)
    ]


def override_run(config: Config, overrides: Sequence[str], *, sections: Sequence[str] = ("search",)) -> Config:
    """A run's settings with the overrides SECTION.KEY=VALUE applied.

    Raises:
        ValueError: for one of another section, which training has fixed.
    """
    for override in overrides:
        if override.partition(".")[0] not in sections:
            raise ValueError(
                f"--set {override}: of a trained run only settings of {' and '.join(sections)} can be changed, such as "
                "search.beam_size=8"
            )
    return override_config(config, overrides)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves of nested dicts and lists by their dotted keys."""
    if isinstance(tree, dict):
        items: Any = tree.items()
    elif isinstance(tree, list) and any(isinstance(item, dict) for item in tree):
        items = enumerate(tree)
    else:
        return {prefix: tree}
    return {key: value for name, item in items for key, value in _flat(item, f"{prefix}.{name}".lstrip(".")).items()}
