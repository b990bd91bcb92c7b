"""Writes the page beside the graphs of an export: DIR/web, to be served with DIR by any file server.

Imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from nmt.onnx_engine.files import WEIGHTS, read_manifest
from nmt.onnx_engine.layout import BLOCK
from nmt.runs.run import Run
from nmt.web.rules import rules
from nmt.web.runtime import WASM

PAGE = "web"  # the folder of an export that has the page
_SHARED = ("page.css", "icon.svg", "clipboard.js")  # with the page of `nmt gateway`
_RUNTIME = "runtime"
_GRAPHS = ("encoder.onnx", "step.onnx", WEIGHTS)  # what the page loads of an export
_MADE = ("text.json", "version.js")
_README = """
## In the browser

`web/` is a page on which readers translate on their own machines. Any server of files serves it with this directory:

    python -m http.server --directory THIS_DIRECTORY

The page is at http://localhost:8000/web/. A reader downloads {megabytes:.1f} MB (uncompressed), once.
"""


def write_page(directory: str | os.PathLike[str], runtime: Sequence[Path]) -> None:
    """Writes the page of an ONNX export, DIR/web.

    Args: directory: of the export; runtime: see `open_runtime`.
    Raises: ValueError as `rules` and `read_manifest`.
    """
    directory = Path(directory)
    manifest, content = read_manifest(directory), rules(Run.open(directory))
    page = directory / PAGE
    shutil.rmtree(page, ignore_errors=True)
    copy_page(page)
    (page / _RUNTIME).mkdir()
    for file in runtime:
        shutil.copyfile(file, page / _RUNTIME / file.name)
    own = [
        path.relative_to(page).as_posix() for path in sorted(page.rglob("*")) if path.is_file() and path.name != WASM
    ]
    content["files"] = [_described(page, f"{_RUNTIME}/{WASM}"), *(_described(page, f"../{name}") for name in _GRAPHS)]
    content["model"] = {
        "runtime": WASM,
        "weights": [WEIGHTS],
        "vocabulary": manifest.vocabulary,
        "firstIds": manifest.first_ids,
        "block": BLOCK,
    }
    everything = json.dumps([content, [_described(page, place) for place in own]])
    content["version"] = hashlib.sha256(everything.encode()).hexdigest()[:16]
    (page / "text.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    kept = json.dumps(["./", *own, "text.json"])
    (page / "version.js").write_text(
        f'self.VERSION = "{content["version"]}";\nself.FILES = {kept};\n', encoding="utf-8"
    )
    small = sum((page / place).stat().st_size for place in (*own, *_MADE))
    size = small + sum(file["size"] for file in content["files"])
    with open(directory / "README.md", "a", encoding="utf-8") as readme:
        readme.write(_README.format(megabytes=size / 1e6))


def copy_page(directory: Path) -> None:
    """The files of the page that are the same in all exports, without onnxruntime-web."""
    directory.mkdir(parents=True, exist_ok=True)
    with as_file(files("nmt.web") / "page") as own, as_file(files("nmt.gateway") / "page") as gateway:
        for path in [*own.iterdir(), *(gateway / name for name in _SHARED)]:
            shutil.copyfile(path, directory / path.name)


def _described(page: Path, place: str) -> dict[str, Any]:
    content = (page / place).read_bytes()
    return {"path": place, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
