"""Scripts and notebooks as they are named on the command line."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import json
import re
import sys
import tokenize
import types
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from concompare.cells.syntax.own_code import is_installed_file
from concompare.cells.whole_files import sketched
from concompare.errors import BadOption

NOT_IMPORTED = frozenset({"__main__", "antigravity", "this"})
"""Modules that do something when they are imported, or are the script itself."""
PLACE = re.compile(r"\b([Tt]he) (?:notebook|cell)\b")
"""What a cell and its notebook are called; for a script both are the script."""


def script_at(place: str) -> tuple[Path, int | None]:
    """Return the file and the line that `FILE` or `FILE:LINE` means.

    Raises:
        BadOption: There is no such file, or it is no script.
    """
    name, colon, line = place.rpartition(":")
    path, number = (Path(name), int(line)) if colon and line.isdecimal() and name else (Path(place), None)
    if number is not None and not path.exists() and Path(place).exists():  # a colon in its name
        path, number = Path(place), None
    check_file(path)
    if path.suffix == ".ipynb":
        raise BadOption(f"{path} is a notebook: put %%concompare above its cell, or name a script (.py)")
    return path, number


def of_a_script(text: str) -> str:
    """Return what is said of a cell and its notebook as it is said of a script; code, which is indented, stays."""
    return re.sub(r"(?m)^(?! ).*$", lambda line: PLACE.sub(r"\1 script", line[0]), text)


def check_file(path: Path) -> None:
    """Refuse what is no file that can be read.

    Raises:
        BadOption: It is none.
    """
    if not path.is_file():
        raise BadOption(f"{path}: {'that is a folder' if path.is_dir() else 'there is no such file'}")


def source_of(path: Path) -> str:
    """Return the text of a script, in the encoding that it says.

    Raises:
        BadOption: It cannot be read.
    """
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise BadOption(f"{path} cannot be read: {error}") from None


def as_json(data: dict[str, Any]) -> str:
    """Return data as JSON in a form that people can read too."""
    return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


@contextlib.contextmanager
def modules_of(sources: list[str], folder: Path) -> Iterator[None]:
    """Have the modules that a file imports at hand while it is looked at: installed ones, and sketches of local ones.

    Of a local module only the names are there that are known without running it. What installed modules print while
    they are imported goes to stderr.
    """
    before = set(sys.modules)
    made: list[str] = []
    waiting = list(sources)
    while waiting:
        for name in imported_by(waiting.pop()):
            if name in sys.modules or name.partition(".")[0] in NOT_IMPORTED:
                continue
            path = local_file(name, folder)
            if path is None:
                with contextlib.suppress(BaseException), contextlib.redirect_stdout(sys.stderr):
                    importlib.import_module(name)
            else:
                made.append(name)
                waiting += sketch(name, path)
    try:
        yield
    finally:
        for name in made:
            if name not in before:
                sys.modules.pop(name, None)


def imported_by(source: str) -> Iterator[str]:
    """Yield the names of the modules that code may import, packages before what is in them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [part.name for part in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *[f"{node.module}.{part.name}" for part in node.names]]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def local_file(name: str, folder: Path) -> Path | None:
    """Return the file of a module that is the user's own; None where it is installed, or not there."""
    top, *rest = name.split(".")
    try:
        spec = PathFinder.find_spec(top, [str(folder)]) or importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    origin = spec.origin if spec is not None else "built-in"
    if origin is not None and (origin == "built-in" or is_installed_file(origin)):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    where = Path(origin or (folders[0] if folders else ""))
    for part in rest:
        inner = where.parent if where.name == "__init__.py" else where
        choices = (inner / f"{part}.py", inner / part / "__init__.py")
        where = next((path for path in choices if path.is_file()), inner / part)
    return where


def sketch(name: str, path: Path) -> list[str]:
    """Put a module into `sys.modules` that has the names of a file; return its source, or nothing where it has none."""
    module = types.ModuleType(name)
    module.__file__ = str(path)
    if not path.is_file():
        if not path.is_dir():
            return []
        module.__path__ = [str(path)]
        sys.modules[name] = module
        return []
    sys.modules[name] = module
    try:
        source = source_of(path)
        sketched(source, name, str(path), module)
    except (BadOption, SyntaxError, ValueError):
        return []
    return [source]
