"""Settings of this process for new ones, so that they start wherever the notebook is.

A worker first loads what it needs with Python's own and the installed modules before the user's: a `random.py` beside
the notebook is not for it. Then it takes the notebook's search path as it is, and for every name that both have the
module that the notebook has (`bootstrap.take_path`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from multiprocessing import process, util
from types import ModuleType
from typing import Any

from concompare.errors import BackendUnavailable
from concompare.libraries import here, is_library, libraries, libraries_first, lies_in, names_in, searched
from concompare.worker.bootstrap import Modules, Settings

LONGEST_ADDRESS = 100
"""Bytes of a socket's path that every system takes; Linux takes 107, others 103."""

NAMES = len("/pymp-12345678/listener-12345678")
"""Bytes that multiprocessing adds to the folder for temporary files."""

SHORT = ("/tmp", "/var/tmp", "/dev/shm")
"""Folders whose names are short."""

OWN_NEEDS = ("cloudpickle", "concompare", "loky")
"""Packages that workers import beside the standard library."""


def modules_seen() -> Modules:
    """Return the notebook's search path, and which module it has of each name that the user and a library have."""
    path = searched()
    kept, dropped = [], []
    for name, folder in sorted(shadowed(path)):
        file = getattr(sys.modules.get(name), "__file__", None)
        if name in sys.modules and not (isinstance(file, str) and lies_in(file, folder)):
            kept.append(name)
        elif name != "concompare":
            dropped.append((name, folder))
    libraries = tuple(libraries_first(path))
    return Modules(tuple(path), libraries, tuple(kept), tuple(dropped), settings_now(), tuple(namespaces_hidden()))


def namespaces_hidden() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the loaded packages without an `__init__` for which a module has come to the search path since then.

    That module is found first wherever it stands on the path.
    """
    for name, module in sorted(sys.modules.items()):
        folders = vars(module).get("__path__") if "." not in name and isinstance(module, ModuleType) else None
        if folders is None or getattr(module, "__file__", None) is not None:
            continue
        found = PathFinder.find_spec(name)
        if found is not None and found.origin is not None:
            yield name, tuple(map(os.path.abspath, folders))


def shadowed(path: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the names in folders of the user's that a library has too, and which would be found first."""
    folders = libraries()
    taken = (sys.stdlib_module_names | {*OWN_NEEDS}) - {*sys.builtin_module_names}
    taken |= {name for name in sys.modules if "." not in name} - {*sys.builtin_module_names}
    seen: set[str] = set()
    for entry in path:
        if is_library(entry, folders):
            continue
        for name in taken & names_in(entry) - seen:
            seen.add(name)
            yield name, os.path.abspath(entry) if entry else here()


def folder_searched() -> str:
    """Return the current folder where the search path has relative entries, else nothing.

    A worker from another folder may have other modules by the same names, and keeps those that it has loaded.
    """
    return here() if any(not os.path.isabs(entry) for entry in searched()) else ""


def settings_now() -> Settings:
    """Return what the notebook has set for its thread or process."""
    decimal: Any = sys.modules.get("decimal")
    if decimal is None:
        return Settings(sys.getrecursionlimit())
    now, usual = parts_of_context(decimal.getcontext()), parts_of_context(decimal.Context())
    return Settings(sys.getrecursionlimit(), now if now != usual else ())


def parts_of_context(context: Any) -> tuple[Any, ...]:
    """Return the arguments of a context of decimal's, with the names of what it traps and without its flags."""
    traps = tuple(sorted(signal.__name__ for signal, on in context.traps.items() if on))
    return context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps


# ----------------------------------------------------------------------------------------------------- where it starts


class WhileStarting:
    """Changes something of this process while workers start, in whatever threads; the last start undoes it."""

    def __init__(self, change: Callable[[], Callable[[], object] | None]) -> None:
        self.change = change
        self.lock = threading.Lock()
        self.inside = 0
        self.undo: Callable[[], object] | None = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Keep the change inside the block."""
        with self.lock:
            if not self.inside:
                self.undo = self.change()
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside and self.undo is not None:
                    self.undo()
                    self.undo = None


def name_the_folder() -> Callable[[], object] | None:
    """Let new processes be told the current folder even where it has been deleted.

    Raises:
        BackendUnavailable: It has been, and the system gives no other way into it.
    """
    if here():
        return None
    link, original = way_here(), os.getcwd
    vars(os)["getcwd"] = lambda: link
    return lambda: vars(os).update(getcwd=original)


def way_here() -> str:
    """Return a path to the current folder, which has been deleted.

    Raises:
        BackendUnavailable: There is none.
    """
    link = f"/proc/{os.getpid()}/cwd"
    if not os.path.isdir(link):
        raise BackendUnavailable(
            "the current folder has been deleted, and workers cannot start in it: change to another (%cd ~)"
        )
    return link


def renew_folder() -> None:
    """Let multiprocessing make its folder anew where it has been tidied away, as `/tmp` is in long runs."""
    told: dict[str, Any] = process.current_process()._config  # type: ignore[attr-defined]
    folder = told.get("tempdir")
    if folder is not None and not os.path.isdir(folder):
        told["tempdir"] = None


def shorten_addresses() -> Callable[[], object] | None:
    """Let multiprocessing make its sockets in a folder whose name is short enough for them."""
    told: dict[str, Any] = process.current_process()._config  # type: ignore[attr-defined]
    usual = told.get("tempdir")
    length = len(os.fsencode(usual or tempfile.gettempdir())) + NAMES
    if length <= LONGEST_ADDRESS:
        return None
    told["tempdir"] = short_folder() or usual
    return lambda: told.update(tempdir=usual)


def grow_up() -> Callable[[], object] | None:
    """Let a daemonic process start workers, which multiprocessing forbids: ours end with it, however it ends."""
    told: dict[str, Any] = process.current_process()._config  # type: ignore[attr-defined]
    if not told.get("daemon"):
        return None
    told["daemon"] = False
    return lambda: told.update(daemon=True)


def have_streams() -> Callable[[], object] | None:
    """Let this process have streams where its terminal has none: loky flushes them."""
    names = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
    if not names:
        return None
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed below
    vars(sys).update(dict.fromkeys(names, nowhere))

    def undo() -> None:
        vars(sys).update(dict.fromkeys(names))
        nowhere.close()

    return undo


somewhere, short_addresses = WhileStarting(name_the_folder), WhileStarting(shorten_addresses)
grown_up, with_streams = WhileStarting(grow_up), WhileStarting(have_streams)


MADE: dict[int, str] = {}
"""The folder with a short name that a process has made, by the process."""


def short_folder() -> str | None:
    """Return a folder of this process's own whose name is short; None where there is no room for one."""
    made = MADE.get(os.getpid())
    if made is not None and os.path.isdir(made):
        return made
    for base in SHORT:
        with contextlib.suppress(OSError):
            MADE[os.getpid()] = folder = tempfile.mkdtemp(prefix="pymp-", dir=base)
            util.Finalize(None, shutil.rmtree, (folder, True), exitpriority=-100)
            return folder
    return None


def prepared(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a new process is told, its search path with the libraries first and nothing but strings in it."""
    if "sys_path" in told:
        told["sys_path"] = libraries_first(searched())
    return told
