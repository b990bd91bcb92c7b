"""Describes the settings: the type of each, the text of `nmt config`, the JSON schema for editors.

Everything derives from the JSON schema that pydantic generates for settings.py. Imports no TensorFlow.
"""

from __future__ import annotations

import functools
import json
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from nmt.config.presets import PRESETS
from nmt.config.section import Section
from nmt.config.settings import Config

Keys = tuple[str | int, ...]  # ("data", "train", 0, "weight")
Schema = dict[str, Any]


def json_schema() -> Schema:
    """The JSON schema of a config file, for editors that complete and check YAML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


@functools.cache
def schema_of(settings: type[Section]) -> Schema:
    """The schema of a file's settings, each section described where it stands."""
    schema = settings.model_json_schema()
    return _with_sections(schema, schema.pop("$defs", {}))


def _with_sections(schema: Any, sections: Schema) -> Any:
    """A schema in which no part refers to another."""
    if isinstance(schema, list):
        return [_with_sections(each, sections) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = {**sections[name], **{key: value for key, value in schema.items() if key != "$ref"}}
    return {key: _with_sections(value, sections) for key, value in schema.items()}


def schema_at(schema: Schema, keys: Keys) -> Schema:
    """The schema of one setting; {} where there is no such setting."""
    for key in keys:
        schema = (
            schema.get("properties", {}).get(key) or schema.get("items") or schema.get("additionalProperties") or {}
        )
    return schema


def setting_paths(schema: Schema, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all settings below a section, a section before what is in it."""
    for name, setting in schema.get("properties", {}).items():
        yield (*above, name)
        yield from setting_paths(setting, (*above, name))


def expected(schema: Schema) -> str:
    """A type and its range in words."""
    if "anyOf" in schema:
        return " or ".join(expected(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "properties" in schema:
        return f"a section with {', '.join(schema['properties'])}"
    if schema.get("type") == "array":
        return f"a list, each {expected(schema['items'])}"
    if schema.get("type") == "object":
        return f"names, each with {expected(schema['additionalProperties'])}"
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[bound]:,.10g}" for bound, sign in bounds.items() if bound in schema]
    pattern = f" matching {schema['pattern']}" if "pattern" in schema else ""
    return " ".join([words.get(schema.get("type", ""), "null"), " and ".join(limits)]).rstrip() + pattern


def describe_settings() -> str:
    """Every setting with type, default and meaning, as a YAML file to start from; required ones are left empty."""
    lines = ["# Every setting of a job with its default. Relative paths are relative to the current directory.", ""]
    _describe(schema_of(Config), "", lines)
    return "\n".join(lines)


def _describe(section: Schema, indent: str, lines: list[str]) -> None:
    """Adds the settings of one section to `lines`."""
    for name, setting in section["properties"].items():
        lines += _comment(setting.get("description", ""), indent)
        if name == "preset":
            for preset, values in PRESETS.items():
                text = yaml.dump({preset: values}, default_flow_style=True, sort_keys=False, width=1000)
                lines += _comment(text.strip()[1:-1], indent + "  ")
        inner = setting if "properties" in setting else setting.get("items", {})
        if "properties" in inner:
            lines.append(f"{indent}{name}:")
            start = len(lines)
            _describe(inner, indent + "  ", lines)
            if inner is not setting:  # a list: the first key of its first item carries the dash
                first = next(i for i in range(start, len(lines)) if not lines[i].lstrip().startswith("#"))
                lines[first] = f"{indent}- {lines[first].lstrip()}"
            continue
        required = name in section.get("required", ())
        empty: Any = [] if setting.get("type") == "array" else {}
        value = "" if required else " " + json.dumps(setting.get("default", empty))
        lines += [f"{indent}{name}:{value}  # {'required: ' if required else ''}{expected(setting)}", ""]


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )
