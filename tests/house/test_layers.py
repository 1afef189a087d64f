"""Imports go down only, without a circle at any level; every module has a room, a name and a test file of its own."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "concompare"
TESTS = ROOT / "tests"
LAYERS = (
    {"formats", "errors", "record_data", "records", "machine", "interrupts", "libraries", "worker"},
    {"cells", "backends"},
    {"analysis", "engine"},
    {"measure", "pythons"},
    {"report"},
    {"executors", "run"},
    {"api", "ipython", "testing"},
    {"command"},
    {"__main__"},
)
"""Rooms, lowest first; a room imports those of layers below. Those of the lowest layer may import each other."""

RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

MOST_FILES = 16
"""Python files of a package that has no sub-packages."""

# What does not hold yet. Each of these lists only gets shorter: an entry that holds by now is an error.

LATER = {"cells"}
"""Packages whose inside is exempt until it is rewritten."""

UNTESTED = {
    "analysis.findings.correctness",
    "analysis.findings.evidence",
    "analysis.findings.gil",
    "analysis.findings.machine_load",
    "analysis.findings.other_pythons",
    "analysis.findings.overhead",
    "backends.base",
    "backends.clusters.dask",
    "backends.clusters.dask_local",
    "backends.clusters.executor",
    "backends.clusters.ipyparallel",
    "backends.clusters.ipyparallel_local",
    "backends.clusters.ray",
    "backends.lanes",
    "backends.per_item",
    "backends.threads",
    "engine.completions",
    "engine.cpu_sampler",
    "engine.output",
    "engine.process_state",
    "engine.stop_threads",
    "engine.transport.functions",
    "errors",
    "ipython.arguments",
    "ipython.source",
    "ipython.tracebacks",
    "measure.baseline",
    "measure.cost_model",
    "pythons.guest",
    "record_data",
    "records",
    "report.info_card",
    "report.plots.bar_charts",
    "report.plots.canvas",
    "report.plots.line_charts",
    "report.plots.timeline",
    "report.side_by_side",
    "report.text.braille_plot",
    "report.text.plain_text",
    "report.view.finding_pages",
    "report.view.model",
    "report.view.plot_data",
    "report.view.view",
    "run.dispatch",
    "testing",
    "worker.coroutines",
    "worker.transfer.code_objects",
}
"""Modules without a test file of their name: what they do is tested by whole passes, reports or comparisons."""

OF_SEVERAL = {"backends/test_contract.py"}
"""Test files about several modules: the suite that every backend has to pass."""

OF_THE_WHOLE = ("system", "house", "cells", "dependencies", "suites")
"""Folders of tests that follow no module."""


def name_of(path: Path) -> str:
    """Return the dotted name of a module below the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def room_of(path: Path) -> str:
    return name_of(path).partition(".")[0]


NAMES = {name_of(path) for path in MODULES}


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the tree of a module, which nobody changes."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> tuple[tuple[int, str], ...]:
    """Return line and full name of every import, inside functions and for annotations too."""
    return tuple(found_in(path))


def found_in(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the import in full"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def ours(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name, below the package, of every module of ours that a module imports."""
    for line, full in imported(path):
        root, _, name = full.partition(".")
        if root != "concompare":
            continue
        if name not in NAMES:  # what a module defines
            name = name.rpartition(".")[0]
        assert name in NAMES, f"{path}:{line}: take {full} from the module that defines it"
        yield line, name


def imported_in_earnest(path: Path) -> Iterator[str]:
    """Yield what a module imports, with a final dot, but not what it imports for annotations only."""
    text = path.read_text(encoding="utf-8")
    if not any(package in text for package in DOORS):
        return
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}." for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{node.module}."


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the nodes of a circle in their order, or nothing."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node not in done:
            for other in sorted(graph.get(node, ())):
                if found := walk(other, [*way, node]):
                    return found
            done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def test_a_circle_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}}) == []


def test_every_room_belongs_to_a_layer() -> None:
    assert {room_of(path) for path in MODULES} <= RANK.keys(), "a new room: say in LAYERS where it belongs"


def test_modules_import_their_own_room_and_lower_layers() -> None:
    wrong = []
    for path in MODULES:
        room = room_of(path)
        for line, name in ours(path):
            other = name.partition(".")[0]
            if other != room and RANK[other] >= RANK[room] and RANK[other] != 0:
                wrong.append(f"{path.relative_to(PACKAGE)}:{line}: {room} must not import {name}")
    assert wrong == []


def parts_of(package: str) -> dict[str, set[str]]:
    """Return which parts of a package, modules or packages, import which others."""
    before = f"{package}." if package else ""
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        name = name_of(path)
        if name == package or not name.startswith(before):
            continue
        part = name.removeprefix(before).partition(".")[0]
        others = (other for _, other in ours(path) if other.startswith(before))
        beside = {other.removeprefix(before).partition(".")[0] for other in others}
        graph.setdefault(part, set()).update(beside - {part})
    return graph


PACKAGES = sorted({"", *(name_of(path) for path in MODULES if path.name == "__init__.py")})


def test_the_parts_of_packages_do_not_import_in_circles() -> None:
    tidy = [package for package in PACKAGES if package.partition(".")[0] not in LATER]
    assert {package: circle for package in tidy if (circle := circle_in(parts_of(package)))} == {}


def test_modules_do_not_import_the_package_that_they_are_in() -> None:
    found = [(name_of(path), line, other) for path in MODULES for line, other in ours(path)]
    assert [entry for entry in found if entry[0].startswith(f"{entry[2]}.")] == []


def test_exempt_packages_still_need_it() -> None:
    assert [package for package in LATER if circle_in(parts_of(package)) == []] == []


def test_packages_with_many_files_have_packages_in_them() -> None:
    large = []
    for package in PACKAGES[1:]:
        folder = PACKAGE.joinpath(*package.split("."))
        files = list(folder.glob("*.py"))
        small = len(files) <= MOST_FILES or any(folder.glob("*/__init__.py"))
        if not small and package not in LATER:
            large.append(f"{package} has {len(files)} files: group them in packages")
    assert large == []


def test_no_two_modules_have_the_same_name() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        if path.name != "__init__.py" and room_of(path) not in LATER:
            places.setdefault(path.stem, []).append(name_of(path))
    assert [names for names in places.values() if len(names) > 1] == []


def files_for(path: Path) -> list[Path]:
    """Return the test files of a module: `test_<name>.py` where the module is, or `test_<name>_<what>.py`."""
    folder = TESTS / path.relative_to(PACKAGE).parent
    return [*folder.glob(f"test_{path.stem}.py"), *folder.glob(f"test_{path.stem}_*.py")]


def test_every_module_is_tested_in_the_file_of_its_name() -> None:
    modules = [path for path in MODULES if path.name != "__init__.py" and room_of(path) not in LATER]
    assert {name_of(path) for path in modules if not files_for(path)} == UNTESTED


def test_every_test_file_has_the_name_of_what_it_tests() -> None:
    stray = []
    known = {test for path in MODULES for test in files_for(path if path.name != "__init__.py" else path.parent)}
    for path in sorted(TESTS.rglob("test_*.py")):
        where = path.relative_to(TESTS)
        if where.parts[0] not in OF_THE_WHOLE and path not in known:
            stray.append(where.as_posix())
    assert set(stray) == OF_SEVERAL


DOORS = {"IPython": {"ipython"}, "matplotlib": {"report.plots"}, "loky": {"backends"}}
"""Packages that only one room of ours imports."""


def test_a_package_has_one_door() -> None:
    users: dict[str, set[str]] = {package: set() for package in DOORS}
    for path in MODULES:
        for name in imported_in_earnest(path):
            if (package := name.partition(".")[0]) in users:
                users[package].add(name_of(path).rpartition(".")[0])
    assert users == DOORS


def test_matplotlib_is_used_without_pyplot() -> None:
    assert not [str(path) for path in MODULES for _, name in imported(path) if name.startswith("matplotlib.pyplot")]


def imported_at_once(path: Path) -> Iterator[str]:
    """Yield the packages that a module imports outside of its functions."""
    waiting: list[ast.AST] = [tree_of(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def test_workers_load_the_standard_library_and_cloudpickle_only() -> None:
    loaded = [path for path in MODULES if room_of(path) == "worker"]
    assert {name for path in loaded for name in imported_at_once(path)} - sys.stdlib_module_names <= {
        "concompare",
        "cloudpickle",
    }
    assert {name.partition(".")[0] for path in loaded for _, name in ours(path)} <= {"worker"}


def test_no_module_bears_the_name_of_a_public_function() -> None:
    import concompare

    functions = {name for name in concompare.__all__ if name.islower()}
    assert functions
    assert not functions & {room_of(path) for path in MODULES}


def first_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the line of a function's first statement after its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return body[0].lineno


def test_modules_and_functions_keep_their_size() -> None:
    too_long = []
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        if (lines := source.count("\n")) > 600:
            too_long.append(f"{path.name}: {lines} lines, at most 600")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - first_line(node) + 1
                if lines > 40:
                    too_long.append(f"{path.name}: {node.name} has {lines} lines, at most 40")
    assert not too_long
