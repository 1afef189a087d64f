"""Imports go one way, and the doors to IPython and matplotlib are where the design says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "concompare"
LAYERS = (
    {"records", "errors", "formats"},
    {
        "machine",
        "stats",
        "worker",
        "computing",
        "rehearsing",
        "parcels",
        "streams",
        "workplace",
        "guards",
        "sampler",
        "outpost",
        "clocks",
        "serving",
        "fetching",
        "loading",
        "references",
        "returning",
        "awaiting",
        "pressing",
        "guest",
    },
    {"backends", "cells"},
    {"engine"},
    {
        "measure",
        "trials",
        "audit",
        "plain",
        "planner",
        "calibrating",
        "costing",
        "probes",
        "ledger",
        "equality",
        "diagnose",
        "scaling",
        "takeaway",
        "advise",
        "recipes",
        "elsewhere",
    },
    {"render"},
    {"report"},
    {"auto", "running", "trying"},
    {"api", "options", "testing"},
    {"magics"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every import of a module, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import in full"
            module = node.module or ""
            if module == "concompare":
                yield from ((node.lineno, f"concompare.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def imported_in_earnest(path: Path) -> Iterator[str]:
    """Yield what a module imports, with a final dot, but not what it imports for annotations only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}." for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{node.module}."


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_its_own_layer_and_those_below(path: Path) -> None:
    assert room_of(path) in RANK, "a new room: say in LAYERS where it belongs"
    rank = RANK[room_of(path)]
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] == "concompare" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] <= rank, f"{path.name}:{line}: {room_of(path)} must not import {name}"


@pytest.mark.parametrize(("package", "room"), [("IPython", "magics"), ("matplotlib", "render"), ("loky", "backends")])
def test_a_package_has_one_door(package: str, room: str) -> None:
    doors = {room_of(path) for path in MODULES for name in imported_in_earnest(path) if name.startswith(f"{package}.")}
    assert doors <= {room}


def test_matplotlib_is_used_without_pyplot() -> None:
    assert not [str(path) for path in MODULES for _, name in imported(path) if name.startswith("matplotlib.pyplot")]


def test_no_module_bears_the_name_of_a_public_function() -> None:
    import concompare

    functions = {name for name in concompare.__all__ if name.islower()}
    assert functions
    assert not functions & {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}


def first_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the line of a function's first statement after its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return body[0].lineno


def test_modules_and_functions_keep_their_size() -> None:
    too_long = []
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > 500:
            too_long.append(f"{path.name}: {lines} lines, at most 500")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - first_line(node) + 1
                if lines > 60:
                    too_long.append(f"{path.name}: {node.name} has {lines} lines, at most 60")
    assert not too_long
