"""Shows in the reference what packages export lazily: the names that their `__init__.pyi` imports."""

import ast
from pathlib import Path
from typing import Any

import griffe


class StubExports(griffe.Extension):
    def on_module(self, *, mod: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        stub = mod.filepath.with_suffix(".pyi") if isinstance(mod.filepath, Path) else None
        if stub and stub.exists():
            tree = ast.parse(stub.read_text(encoding="utf-8"))
            imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
            mod.exports = [alias.asname or alias.name for node in imports for alias in node.names]
