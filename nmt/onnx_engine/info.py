"""Describes an ONNX export, for `nmt info`. Imports no TensorFlow."""

from __future__ import annotations

import os

from nmt.onnx_engine.files import read_manifest
from nmt.runs.info import as_lines, run_facts
from nmt.runs.log import Log
from nmt.runs.run import Run


def describe_export(directory: str | os.PathLike[str]) -> str:
    """The facts of an export, one per line.

    Raises: ValueError for one that is damaged, or of another version.
    """
    manifest = read_manifest(directory)
    facts = run_facts(Run.open(directory), Log([], []))
    size = sum(file.size for file in manifest.files.values())
    return as_lines(
        {
            "export": f"{facts.pop('run')}, for ONNX Runtime: {manifest.precision}, {size / 1e6:,.1f} MB",
            **{name: fact for name, fact in facts.items() if name != "parameters"},
        }
    )
