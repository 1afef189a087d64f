"""Have modules from where Python and packages are installed, whatever files of the user's lie beside the notebook.

    queue.py, csv.py    named like a module of Python's: all of ours is loaded at once with the libraries first, and the
                        name is left to the user's file
    numpy.py, rich.py   named like a package that concompare needs: one line says which file to rename, before anything
                        runs; a package that the kernel has loaded already stays what it is, and nothing is wrong

A package's parts are imported by its name when they are needed, so it cannot be had beside a file of that name. The
same holds for Python's own packages, and the few modules of Python's that functions of the core import when called.
This module itself needs next to nothing that such a file could stand in for.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from importlib import import_module, invalidate_caches
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType, ModuleType

PACKAGES = (
    *("cloudpickle", "jinja2", "loky", "matplotlib", "numpy", "psutil", "rich", "threadpoolctl", "tqdm"),
    *(
        "PIL",
        "contourpy",
        "cycler",
        "dateutil",
        "fontTools",
        "kiwisolver",
        "markdown_it",
        "markupsafe",
        "mdurl",
        "packaging",
    ),
    *("pygments", "pyparsing", "six"),
)
"""Installed packages that concompare loads besides IPython's, which come before it: its dependencies, and theirs."""

CORE = ("concompare", "multiprocessing", "concurrent.futures", "asyncio", "loky")
"""Packages whose modules import others inside functions: all of them are loaded ahead."""

LATE = ("numpy.random", "rich.console", "rich.table", "tqdm")
"""What else is loaded inside functions."""

NOT_AHEAD = ("concompare.__main__", "concompare.testing", "concompare.ipython", "concompare.executors.joblib_backend")
"""Modules of ours that need more than our dependencies, or what only a shell has."""

LOADED: set[str] = set()
"""Names of which ours has Python's modules already, whatever the user's files are."""

FUNCTION = 0x1
"""Flag of code objects that are functions."""


def libraries() -> tuple[str, ...]:
    """Return the folders of the standard library and of installed modules."""
    paths = sysconfig.get_paths()
    found = {paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    found.update(getattr(site, "getsitepackages", list)())
    if site.ENABLE_USER_SITE and site.USER_SITE:
        found.add(site.USER_SITE)
    return tuple(found)


def is_library(entry: str, folders: tuple[str, ...]) -> bool:
    """Return whether an entry of a search path is the standard library's or that of installed modules."""
    return entry.startswith(folders) or (entry.endswith(".zip") and os.path.basename(entry).startswith("python"))


def searched() -> list[str]:
    """Return the notebook's search path without what Python passes over: only strings count."""
    return [str(entry) for entry in sys.path if isinstance(entry, str)]


def here() -> str:
    """Return the current folder, or nothing where it has been deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def libraries_first(path: Iterable[str]) -> list[str]:
    """Return a search path with the entries of the libraries before the user's."""
    folders = libraries()
    return sorted((entry or here() or "." for entry in path), key=lambda entry: not is_library(entry, folders))


def names_in(folder: str) -> set[str]:
    """Return the names of the modules that lie in a folder."""
    try:
        with os.scandir(folder or ".") as entries:
            return {name for entry in entries if (name := name_of(entry))}
    except OSError:
        return set()


def name_of(entry: os.DirEntry[str]) -> str:
    """Return the name of the module that a file or folder is, or nothing."""
    name, dot, kind = entry.name.partition(".")
    if dot:
        return name if kind in ("py", "pyc") or kind.endswith((".so", ".pyd")) or kind in ("so", "pyd") else ""
    return name if os.path.isfile(os.path.join(entry.path, "__init__.py")) else ""


def lies_in(file: str, folder: str) -> bool:
    """Return whether a module's file lies in a folder, or in a package there."""
    return bool(folder) and os.path.abspath(file).startswith(os.path.join(folder, ""))


# ----------------------------------------------------------------------------------------- files of the user's in front


def load_from_libraries() -> None:
    """Load what concompare needs from the libraries where the user's files would be found first.

    Where no such file lies there, which is nearly always, nothing is loaded.

    Raises:
        HiddenModule: A file has the name of a module that is needed and is not loaded yet.
    """
    found = dict(in_front())
    names = {name for name in found if name in sys.stdlib_module_names} - LOADED
    hidden = next((name for name in PACKAGES if name in found), None)
    if hidden is not None:
        load_ahead(names, ["concompare.errors"])
    elif names:
        packages = load_ahead(names, [*core(), *PACKAGES, *LATE])
        late = imported_later()
        packages += load_ahead(names, late)
        hidden = min((names & late).union(packages), default=None)
        LOADED.update(names if hidden is None else ())
    if hidden is not None:
        from concompare.errors import HiddenModule

        what = f"Python's own {hidden}" if hidden in names else f"the package {hidden}"
        loaded = " and start Python anew" if hidden in sys.modules else ""
        raise HiddenModule(
            f"{found[hidden]} is found where {what} is looked for, which concompare needs: rename that file{loaded}"
        )


def in_front() -> Iterator[tuple[str, str]]:
    """Yield the names that concompare needs, or may need, and a file of the user's has, each with that file.

    A name of which the library's module has been loaded is none of them.
    """
    folders = libraries()
    path = searched()
    first = [entry for entry in path if is_library(entry, folders)]
    taken = (sys.stdlib_module_names | {*PACKAGES}) - {*sys.builtin_module_names}
    for entry in path:
        if is_library(entry, folders) or (entry and has_packages(entry)):
            continue
        folder = os.path.abspath(entry) if entry else here()
        for name in sorted(taken & names_in(entry)):
            spec, loaded = PathFinder.find_spec(name, [folder]), sys.modules.get(name)
            if spec is None or spec.origin is None or not is_found(name, spec.origin, loaded):
                continue
            module = name in sys.stdlib_module_names or spec.submodule_search_locations is None  # no checkout of it
            if module and PathFinder.find_spec(name, first) is not None:
                yield name, spec.origin


def is_found(name: str, file: str, loaded: ModuleType | None) -> bool:
    """Return whether a name is that file for the notebook: as it has been loaded, else as it would be."""
    if loaded is not None:
        return getattr(loaded, "__file__", None) == file
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.origin is not None and os.path.abspath(spec.origin) == file


def has_packages(folder: str) -> bool:
    """Return whether packages were installed into a folder, as by `pip install --target`."""
    try:
        return any(name.endswith((".dist-info", ".egg-info")) for name in os.listdir(folder))
    except OSError:
        return False


def load_ahead(names: set[str], modules: Iterable[str]) -> list[str]:
    """Load modules while these names are those of Python's own; leave the names to the user afterwards.

    Returns:
        Those of the names that are packages, and were needed.
    """
    users = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in names}
    path = sys.path[:]
    sys.path[:] = libraries_first(searched())
    invalidate_caches()
    try:
        for name in modules:
            try:  # noqa: SIM105 - without one module more
                import_module(name)
            except Exception:  # not installed, or not for this system: whoever needs it says so
                pass
    finally:
        sys.path[:] = path
        packages = sorted(name for name in names if hasattr(sys.modules.get(name), "__path__"))
        for name in [name for name in sys.modules if name.partition(".")[0] in names]:
            del sys.modules[name]
        sys.modules.update(users)
        invalidate_caches()
    return packages


def core() -> list[str]:
    """Return the names of the modules of the core."""
    found = []
    for package in CORE:
        spec = PathFinder.find_spec(package.partition(".")[0], libraries_first(searched()))
        for top in spec.submodule_search_locations or () if spec is not None else ():
            top = os.path.join(top, *package.split(".")[1:])
            for folder, _, files in os.walk(top):
                inner = [] if folder == top else os.path.relpath(folder, top).split(os.sep)
                name = ".".join([package, *inner])
                found += [name, *(f"{name}.{file[:-3]}" for file in files if file.endswith(".py") and file[0] != "_")]
    return [name for name in found if not name.startswith(NOT_AHEAD)]


def imported_later() -> set[str]:
    """Return the modules of Python's that functions of the core import when they are called."""
    found: set[str] = set()
    for module in core():
        spec = getattr(sys.modules.get(module), "__spec__", None)
        code = spec.loader.get_code(module) if spec is not None and hasattr(spec.loader, "get_code") else None
        found.update(imports_of(code) if code is not None else ())
    return found


def imports_of(code: CodeType) -> Iterator[str]:
    """Yield which modules of Python's the functions in some code import."""
    from dis import get_instructions

    for part in code.co_consts:
        if hasattr(part, "co_consts"):
            yield from imports_of(part)
    names = {name.partition(".")[0] for name in code.co_names}
    if code.co_flags & FUNCTION and (names := names & sys.stdlib_module_names):
        for step in get_instructions(code):
            if step.opname == "IMPORT_NAME" and step.argval.partition(".")[0] in names:
                yield step.argval.partition(".")[0]
