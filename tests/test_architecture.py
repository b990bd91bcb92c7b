"""The shape of the package, on the syntax trees: what docs/files.md says of rooms and files is so."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "nmt"
FILES = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for path, name in FILES.items()}
MODULES = [name for name in TREES if name.rpartition(".")[2] not in ("__init__", "__main__")]


def table() -> dict[str, str]:
    """The rows of the tables in docs/files.md, in their order: module name -> what it holds."""
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)\.py` \| (.*) \|$", text, flags=re.MULTILINE)
    return {path.replace("/", "."): holds for path, holds in rows}


def rooms() -> list[str]:
    """In the order of docs/files.md."""
    return list(dict.fromkeys(name.partition(".")[0] for name in table() if "." in name))


def imports(tree: ast.AST, *, at_start_only: bool = False) -> Iterator[str]:
    """Names of imported modules, `nmt.x` for those of the package; at_start_only: those that importing it imports."""
    for node in ast.iter_child_nodes(tree):
        if at_start_only and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            known = [name for name in inner if name.removeprefix("nmt.") in TREES]
            yield from known or [node.module or ""]
        else:
            yield from imports(node, at_start_only=at_start_only)


def package_imports(tree: ast.AST, *, at_start_only: bool = False) -> set[str]:
    names = imports(tree, at_start_only=at_start_only)
    return {name.removeprefix("nmt.") for name in names if name.startswith("nmt.")}


def test_the_table_lists_every_file_and_no_other():
    assert sorted(table()) == sorted(MODULES)


def test_the_files_of_a_room_stand_together_in_the_table():
    order = [name.partition(".")[0] for name in table() if "." in name]
    assert order == sorted(order, key=rooms().index)


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_files_above_it(module):
    order = list(table())
    above = set(order[: order.index(module)])
    assert package_imports(TREES[module]) <= above


@pytest.mark.parametrize("module", [name for name, holds in table().items() if "no TensorFlow" in holds])
def test_a_file_said_to_need_no_tensorflow_imports_none_not_even_through_others(module):
    reached, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        if current in reached:
            continue
        reached.add(current)
        outside = {name.split(".")[0] for name in imports(TREES[current], at_start_only=True)}
        # tensorflow_serving's messages import TensorFlow's.
        assert not outside & {"tensorflow", "keras", "tensorflow_text", "tensorflow_serving"}, current
        room = current.rpartition(".")[0]
        waiting += package_imports(TREES[current], at_start_only=True)
        waiting += [f"{room}.__init__"] if room and f"{room}.__init__" in TREES else []


@pytest.mark.parametrize("module", TREES)
def test_a_file_says_what_it_is_for(module):
    assert ast.get_docstring(TREES[module])


@pytest.mark.parametrize("room", rooms())
def test_the_tests_of_a_room_stand_in_a_room_of_the_same_name(room):
    assert list((ROOT / "tests" / room).glob("test_*.py"))


def test_the_diagram_shows_every_room():
    diagram = (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8")
    assert sorted(re.findall(r'class="name"[^>]*>(\w+)<', diagram)) == sorted(rooms())
