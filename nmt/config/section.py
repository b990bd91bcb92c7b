"""What every section of the settings has in common: strictness, and the types of values."""

from __future__ import annotations

import os
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


def _expanded(path: str) -> str:
    """A path with ~ and $VARIABLES replaced, as a shell does it for paths on its command line."""
    expanded = os.path.expanduser(os.path.expandvars(path))
    if expanded.startswith("~"):
        raise ValueError(f"{path}: there is no such user; write the directory out")
    if unset := re.search(r"\$(\w+|\{[^}]*\})", expanded):
        raise ValueError(f"{path}: the environment has no variable {unset[0]}; set it, or write the directory out")
    return expanded


FilePath = Annotated[Text, AfterValidator(_expanded)]


class Section(BaseModel):
    """A group of settings. Immutable; unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())
