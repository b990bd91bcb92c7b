"""From a YAML file to settings, such as a `Config`, and back; errors say where, what came and what was expected.

The file is read as a tree of YAML nodes, which know their lines; `--set` overrides are grafted onto that tree as nodes
that know their text; pydantic (settings.py) judges the values, and its verdicts are put into our words here.
Relative paths in a config are relative to the current working directory, as on the command line.
Imports no TensorFlow.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nmt.config.schema import Keys, Schema, expected, schema_at, schema_of, setting_paths
from nmt.config.section import Section
from nmt.config.settings import Config

Settings = TypeVar("Settings", bound=Section)

MAP, SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
STRING, NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
BOOL, INT, FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
MERGE = "tag:yaml.org,2002:merge"


class ConfigError(ValueError):
    """All errors in a job's settings at once: `problems`, each with its place."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        heading = [f"{len(problems)} problems in the settings"] if len(problems) > 1 else []
        super().__init__("\n".join([*heading, *problems]))


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads the settings of a job from a YAML file; see `parse_config`."""
    return load_settings(Config, path, overrides)


def load_settings(kind: type[Settings], path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Reads settings of any kind from a YAML file; see `parse_config`."""
    path = Path(path)
    if path.is_dir():
        inside = path / "config.yaml"
        hint = f"; did you mean {inside}?" if inside.is_file() else ""
        raise ConfigError([f"{path}: is a directory, a YAML file was expected{hint}"])
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        neighbours = [str(file) for file in path.parent.glob("*.y*ml")]
        raise ConfigError([f"{path}: no such file{_did_you_mean(str(path), neighbours)}"]) from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: not UTF-8: byte 0x{content[error.start]:02x}"]) from None
    return parse_settings(kind, text, name=str(path), overrides=overrides)


def parse_config(text: str, *, name: str = "config", overrides: Sequence[str] = ()) -> Config:
    """Makes the settings of a job from YAML.

    Args:
        text: the YAML.
        name: what to call it in errors, usually its path.
        overrides: `section.key=value`, values in YAML, list items by index (`data.train.0.weight=2`); the last wins.

    Raises:
        ConfigError: with all problems, each `name:line: section.key: what came, what was expected`.
    """
    return parse_settings(Config, text, name=name, overrides=overrides)


def parse_settings(kind: type[Settings], text: str, *, name: str = "config", overrides: Sequence[str] = ()) -> Settings:
    """Makes settings of any kind from YAML; see `parse_config`."""
    root = _compose(text, name)
    if not isinstance(root, yaml.MappingNode):
        came = f"{name}: empty; " if root is None else f"{_place(root)}: {_came(root)} came, "
        keys = " and ".join(f"{key}:" for key in schema_of(kind)["required"][:2])
        raise ConfigError([f"{came}keys such as {keys} were expected"])
    problems = _check_keys(root)
    for override in overrides:
        try:
            root = _override(root, override)
        except ConfigError as error:
            problems += error.problems
    values = _construct(root)
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        problems += _complaints(error, root, schema_of(kind))
    if problems:
        raise ConfigError(problems)
    return settings


def override_config(config: Config, overrides: Sequence[str]) -> Config:
    """The same settings with the `section.key=value` overrides applied."""
    return parse_config(dump_config(config), name="stored config", overrides=overrides) if overrides else config


def dump_config(config: Config) -> str:
    """Every setting as YAML, defaults and preset filled in; `parse_config` of it gives an equal Config."""
    return _as_yaml(config.model_dump())


def dump_changes(config: Config) -> str:
    """What differs from the defaults as YAML; `parse_config` of it gives an equal Config, but for model.preset.

    A preset's values are written one by one, as leaving one out would mean the preset's and not the default.
    """
    values = _without_empty_sections(config.model_dump(exclude_defaults=True, exclude={"model": {"preset"}}))
    values.setdefault("training", {})["max_epochs"] = config.training.max_epochs  # its default depends on other keys
    return _as_yaml(values)


def _without_empty_sections(values: dict[str, Any]) -> dict[str, Any]:
    kept = {key: _without_empty_sections(value) if isinstance(value, dict) else value for key, value in values.items()}
    return {key: value for key, value in kept.items() if value != {}}


def _as_yaml(values: dict[str, Any]) -> str:
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


# ---- YAML -----------------------------------------------------------------------------------------------------------

# YAML 1.2's numbers, with _ between digits. PyYAML's are YAML 1.1's, where 1e-3 is a string, 010 is 8 and 1:30 is 90.
INT_PATTERN = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")
FLOAT_PATTERN = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9]+|[0-9][0-9_]*\.)(?:[eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"
    r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own way to configure a loader)
        first: [(tag, pattern) for tag, pattern in resolvers if tag in (NULL, BOOL, MERGE)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    """Quotes strings that either of the two YAML versions would read as something else."""


_Loader.add_implicit_resolver(INT, INT_PATTERN, list("-+0123456789"))
_Loader.add_implicit_resolver(FLOAT, FLOAT_PATTERN, list("-+.0123456789"))
_Dumper.add_implicit_resolver(FLOAT, FLOAT_PATTERN, list("-+.0123456789"))


def _compose(text: str, name: str) -> yaml.Node | None:
    """The tree of nodes of one YAML document; marks carry `name`."""
    try:
        loader = _Loader(text)
        loader.name = name
        return loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"{name}:{line}: character U+{ord(text[error.position]):04X} is not allowed in YAML"
    except yaml.MarkedYAMLError as error:
        problem = _not_yaml(error, name)
    raise ConfigError([problem])


def _not_yaml(error: yaml.MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    name = mark.name if mark else name
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark and not _is_override(name) else name
    why = ", ".join(part for part in (error.context, error.problem) if part)
    if repr("\t") in why:
        why = "a tab character; indent with spaces"
    return f"{place}: not valid YAML: {why}"


def _construct(node: yaml.Node) -> Any:
    """Plain Python values of a tree of nodes."""
    try:
        return _Loader("").construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_not_yaml(error, "")]) from None
    except ValueError as error:  # an explicit tag that its value does not fit, such as !!int x
        raise ConfigError([f"{_place(node)}: not valid YAML: {error}"]) from None


def _check_keys(root: yaml.Node) -> list[str]:
    """Reports duplicate keys; turns keys into strings, also 2016 and `on`."""
    seen, waiting, problems = set(), [root], []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        if not isinstance(node, yaml.MappingNode):
            continue
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            waiting.append(value)
            if isinstance(key, yaml.ScalarNode):
                key.tag = key.tag if key.tag == MERGE else STRING
                if first.setdefault(key.value, key) is not key:
                    before = first[key.value].start_mark.line + 1
                    problems.append(f"{_place(key)}: {key.value}: given twice, first in line {before}")
    return problems


# ---- overrides ------------------------------------------------------------------------------------------------------


def _override(root: yaml.Node, override: str) -> yaml.Node:
    """A new tree with one `section.key=value` set; the old one is not modified, as aliases share nodes."""
    place = f"--set {override}"
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError([f"{place}: section.key=value was expected"])
    value = _compose(text, place)
    if value is None:
        mark = yaml.Mark(place, 0, 0, 0, None, 0)
        value = yaml.ScalarNode(NULL, "", mark, mark)
    if problems := _check_keys(value):
        raise ConfigError(problems)
    return _graft(root, keys, value)


def _graft(node: yaml.Node | None, keys: Sequence[str], value: yaml.Node, *, done: tuple[str, ...] = ()) -> yaml.Node:
    """A copy of `node` with `value` at the path `keys`."""
    if not keys:
        return value
    mark, path, (key, *rest) = value.start_mark, ".".join(done), keys
    if node is None and key == "0":
        node = yaml.SequenceNode(SEQUENCE, [], mark, mark)
    if node is None or node.tag == NULL:
        node = yaml.MappingNode(MAP, [], mark, mark)
    if isinstance(node, yaml.SequenceNode):
        items = list(node.value)
        if not (key.isdecimal() and int(key) <= len(items)):
            raise ConfigError([f"{mark.name}: {path} is a list of {len(items)}, counted from 0; {key} is not in it"])
        old = items[int(key)] if int(key) < len(items) else None
        items[int(key) :] = [_graft(old, rest, value, done=(*done, key)), *items[int(key) + 1 :]]
        return yaml.SequenceNode(node.tag, items, node.start_mark, node.end_mark)
    if isinstance(node, yaml.MappingNode):
        old = next((item for name, item in reversed(node.value) if name.value == key), None)
        pairs = [(name, item) for name, item in node.value if name.value != key]
        pairs.append((yaml.ScalarNode(STRING, key, mark, mark), _graft(old, rest, value, done=(*done, key))))
        return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
    raise ConfigError([f"{mark.name}: {path} is {_came(node)}, which has no {key}"])


# ---- complaints -----------------------------------------------------------------------------------------------------


def _complaints(error: ValidationError, root: yaml.Node, settings: Schema) -> list[str]:
    """pydantic's errors in our words, in the order of the file."""
    found: dict[str, yaml.Node] = {}  # in a dict, because each type of a union reports its own error
    for detail in error.errors():
        place, text = _complaint(detail, root, settings)
        found.setdefault(f"{_place(place)}: {text}", place)

    def position(text: str) -> tuple[bool, int, int]:
        mark = found[text].start_mark
        return _is_override(mark.name), mark.line, mark.column

    return sorted(found, key=position)


def _complaint(detail: ErrorDetails, root: yaml.Node, settings: Schema) -> tuple[yaml.Node, str]:
    """The node to point at, and what to say about it."""
    keys, place, node = _locate(root, detail["loc"])
    name = ".".join(map(str, keys))
    if detail["type"] == "missing":
        missing = detail["loc"][-1]
        wanted, name = schema_at(settings, (*keys, missing)), ".".join(map(str, (*keys, missing)))
        return place, f"{name}: missing; {expected(wanted)} was expected: {wanted.get('description', '')}"
    if not (schema := schema_at(settings, keys)):
        return place, f"{name}: unknown key{_other_key(keys, settings)}"
    if detail["type"] == "value_error":
        message = str(detail["ctx"]["error"])
        for word in re.findall(r"[a-z_]+(?:\.[a-z_]+)*", message):  # the line of the first setting it mentions
            mentioned = (*keys, *word.split("."))
            if _locate(root, mentioned)[0] == mentioned:
                place = _locate(root, mentioned)[1]
                break
        return place, f"{name}: {message}" if name else message
    return place, f"{name}: {_came(node)} came, {expected(schema)} was expected{_hint(node, schema)}"


def _locate(root: yaml.Node, keys: Keys) -> tuple[Keys, yaml.Node, yaml.Node]:
    """Follows `keys` as far as the tree has them: the keys followed, the node to point at, the node of the value."""
    place = node = root
    for depth, key in enumerate(keys):
        if isinstance(node, yaml.MappingNode):
            pairs = [(name, item) for name, item in node.value if name.value == str(key)]
            if not pairs:
                return keys[:depth], place, node
            place, node = pairs[-1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            place = node = node.value[key]
        else:
            return keys[:depth], place, node
    return keys, place, node


def _is_override(name: str) -> bool:
    """Whether a mark's name is that of a `--set` and not of a file."""
    return name.startswith("--set")


def _place(node: yaml.Node) -> str:
    mark = node.start_mark
    return mark.name if _is_override(mark.name) else f"{mark.name}:{mark.line + 1}"


def _came(node: yaml.Node) -> str:
    """A value as the user wrote it."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a section"
    if node.tag == NULL:
        return "nothing"
    if node.tag == STRING:
        return json.dumps(node.value, ensure_ascii=False)
    if node.tag == BOOL and node.value.lower() not in ("true", "false"):
        return f"{node.value} (which YAML reads as {str(_construct(node)).lower()})"
    return node.value


def _hint(node: yaml.Node, schema: Schema) -> str:
    """A hint for a value that does not fit, where one can be guessed."""
    choices = schema.get("anyOf", [schema])
    types = {choice.get("type") for choice in choices}
    names = [name for choice in choices for name in choice.get("enum", ())]
    if node.tag == STRING:
        unquoted = _Loader("").resolve(yaml.ScalarNode, node.value, (True, False))
        if types & {"integer", "number", "boolean"} and unquoted in (INT, FLOAT, BOOL):
            return "; remove the quotes"
        return _did_you_mean(node.value, names) if node.value else "; it must not be empty"
    if node.tag == NULL:
        return "; leave the key out to get its default" if "default" in schema or "properties" in schema else ""
    quotable = isinstance(node, yaml.ScalarNode) and "string" in types and not names
    if quotable and _is_override(node.start_mark.name):
        return f"; quote it, also for the shell: '\"{node.value}\"'"
    return f'; quote it: "{node.value}"' if quotable else ""


def _other_key(keys: Keys, settings: Schema) -> str:
    """The key that was probably meant: a similar one in the section, or one of the same name in another."""
    name, siblings = str(keys[-1]), schema_at(settings, keys[:-1]).get("properties", {})
    alike = _did_you_mean(name, siblings)
    elsewhere = [".".join(path) for path in setting_paths(settings) if path[-1] == name]
    if alike or not elsewhere:
        return alike or f"; known here: {', '.join(siblings)}"
    return f"; did you mean {' or '.join(elsewhere)}?"


def _did_you_mean(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
