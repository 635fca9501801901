"""The picture of docs/architecture.md is true to the imports, and no module imports in a circle."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "airflow_provider_faceid"
PAGE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST_ROOMS = 6
WRITES = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM)\s+(faceid_\w+)")


@pytest.fixture(scope="module")
def picture():
    sys.path.insert(0, str(PROJECT / "docs"))
    try:
        return importlib.import_module("picture")
    finally:
        sys.path.remove(str(PROJECT / "docs"))


def module_of(path: Path) -> str:
    """Return a module as the page writes it: a path below the package."""
    return path.relative_to(PACKAGE).as_posix()


def target(base: Path, dotted: str) -> Path | None:
    """Return the file of a module below a folder, None if it is none."""
    path = base.joinpath(*dotted.split(".")) if dotted else base
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def imports(path: Path) -> set[Path]:
    """Return the files of the package that a file imports, wherever in it, also for types only."""
    found: set[Path | None] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                target(PROJECT, a.name) for a in node.names if a.name.startswith(PACKAGE.name)
            }
        if not isinstance(node, ast.ImportFrom):
            continue
        base = path.parents[node.level - 1] if node.level else PROJECT
        module = node.module or ""
        if not node.level and not module.startswith(PACKAGE.name):
            continue
        for alias in node.names:
            deeper = f"{module}.{alias.name}" if module else alias.name
            found.add(target(base, deeper) or target(base, module))
    return {file for file in found if file and file != path and file.is_relative_to(PACKAGE)}


@pytest.fixture(scope="module")
def graph():
    return {path: imports(path) for path in PACKAGE.rglob("*.py")}


def test_the_imports_are_found(graph):
    engine = {module_of(path) for path in graph[PACKAGE / "batch" / "engine.py"]}
    assert {"batch/verification.py", "warehouse/results.py", "exceptions.py"} <= engine
    assert sum(map(len, graph.values())) > 300


def test_a_rows_way_has_few_rooms_and_all_exist(picture):
    rooms = [room.module for room in picture.WAY]
    assert 2 < len(rooms) == len(set(rooms)) <= MOST_ROOMS
    assert [
        room.module
        for room in (*picture.WAY, *picture.GUARDS)
        if not (PACKAGE / room.module).is_file()
    ] == []


def test_each_arrow_of_the_picture_is_an_import(picture, graph):
    arrows = list(picture.arrows())
    assert len(arrows) == len(picture.JOINTS) + len(picture.GUARDS)
    assert {name for pair in picture.JOINTS for name in pair} == {
        room.module for room in picture.WAY
    }
    assert [
        (first, second)
        for first, second in arrows
        if PACKAGE / second not in graph[PACKAGE / first]
        and PACKAGE / first not in graph[PACKAGE / second]
    ] == []


def test_the_picture_shows_these_rooms(picture):
    shown = re.findall(r'data-module="([^"]+)"', picture.svg())
    assert sorted(shown) == sorted(room.module for room in (*picture.WAY, *picture.GUARDS))


def test_no_module_imports_itself_through_others(graph):
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(map(module_of, error.args[1])))
    assert len(order) == len(graph)


def test_every_module_the_page_names_exists():
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", PAGE))
    assert len(named) > 20
    assert [name for name in named if not (PACKAGE / name).is_file()] == []


def test_a_table_of_the_state_store_is_written_by_the_modules_the_page_says():
    rows = re.findall(r"^\| `(faceid_\w+)` \| .* \| (`state/.*) \|$", PAGE, re.MULTILINE)
    told = {table: set(re.findall(r"`(state/\w+\.py)`", modules)) for table, modules in rows}
    written: dict[str, set[str]] = {}
    for path in (PACKAGE / "state").glob("*.py"):
        for table in WRITES.findall(path.read_text(encoding="utf-8")):
            written.setdefault(table, set()).add(module_of(path))
    # Their names are put in, as a value, in this one.
    for table in ("faceid_calls", "faceid_tries"):
        assert f'"{table}"' in (PACKAGE / "state" / "housekeeping.py").read_text(encoding="utf-8")
        written[table].add("state/housekeeping.py")
    assert told == written
