"""Which settings of a run differ from the defaults. Imports no TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from nmt.config.settings import Config

REQUIRED = "required"


class Setting(NamedTuple):
    """A setting by its path, such as "model.units", its default, and what each of several runs has; all in JSON."""

    path: str
    default: str
    values: tuple[str, ...]


def changed_settings(configs: Sequence[Config]) -> list[Setting]:
    """Settings that some of the configs do not leave to the default, or that have none ("required")."""
    of_each = [dict(_leaves(config)) for config in configs]
    # A section that one config leaves out has no leaves there.
    paths = list(dict.fromkeys(path for leaves in of_each for path in leaves))
    changed = []
    for path in paths:
        found = [leaves.get(path) for leaves in of_each]
        default = next(each[1] for each in found if each)
        values = tuple(each[0] if each else "" for each in found)
        if any(value != default for value in values):
            changed.append(Setting(path, default, values))
    return changed


def _leaves(section: BaseModel, above: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    """Path, value and default of all settings below a section."""
    values = section.model_dump()  # of a corpus, without what is not given
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{above}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        yield above + name, (_text(values.get(name)), REQUIRED if default is PydanticUndefined else _text(default))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda model: model.model_dump())
