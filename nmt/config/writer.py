"""Settings with their reasons -> the commented YAML file that a user reads and changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from nmt.config.data import TextPair
from nmt.config.settings import Config

_COMMENT_COLUMN = 38
_WIDTH = 120


class Choice(NamedTuple):
    """A setting that is written down, with its reason."""

    setting: str  # such as "model.units"
    value: Any  # as YAML has it; a TextPair for a corpus
    reason: str


def config_text(choices: Iterable[Choice], heading: str) -> str:
    """A config with these settings in the order of the sections, each with its reason.

    Args:
        heading: what the whole file is, as lines without their "#".
    """
    tree: dict[str, Any] = {}
    order = list(Config.model_fields)
    for choice in sorted(choices, key=lambda choice: order.index(choice.setting.split(".")[0])):
        *sections, key = choice.setting.split(".")
        section = tree
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = choice
    lines = [f"# {line}" for line in heading.splitlines()]
    was_section = True
    for key, node in tree.items():
        if was_section or isinstance(node, dict):
            lines.append("")
        was_section = isinstance(node, dict)
        _add(lines, "", key, node)
    return "\n".join(lines) + "\n"


def _add(lines: list[str], indent: str, key: str, node: Any) -> None:
    """Adds the lines of a setting, or of a section with all that is in it."""
    if isinstance(node, dict):
        lines.append(f"{indent}{key}:")
        for inner, choice in node.items():
            _add(lines, indent + "  ", inner, choice)
        return
    value = node.value
    if isinstance(value, TextPair):
        lines += _commented(f"{indent}{key}:", node.reason)
        lines += [f"{indent}  {setting}" for setting in _pair(value)]
    elif isinstance(value, list) and all(isinstance(item, TextPair) for item in value):
        lines += _commented(f"{indent}{key}:", node.reason)
        for pair in value:
            first, *rest = _pair(pair)
            lines += [f"{indent}  - {first}", *(f"{indent}    {setting}" for setting in rest)]
    else:
        lines += _commented(f"{indent}{key}: {_scalar(value)}", node.reason)


def _pair(pair: TextPair) -> list[str]:
    """The settings of a corpus without its weight; a file's languages are the job's."""
    return [f"{setting}: {_scalar(path)}" for setting, path in pair.files.items()]


def _commented(text: str, reason: str) -> list[str]:
    """One line, or the comment above where both do not fit in one."""
    line = f"{text.ljust(_COMMENT_COLUMN)} # {reason}"
    if len(line) <= _WIDTH:
        return [line]
    indent = text[: len(text) - len(text.lstrip())]
    return [f"{indent}# {reason}", text]


def _scalar(value: Any) -> str:
    """JSON is YAML, and reads the same in both of its versions."""
    return json.dumps(value, ensure_ascii=False)
