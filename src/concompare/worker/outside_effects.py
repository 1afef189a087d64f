"""Find out whether code reaches beyond its process: writes or deletes files, starts programs or connects.

The functions that do so are replaced for a moment by ones that note it. An audit hook would see more but can never be
taken out again. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

DOING = (
    *("remove", "unlink", "rmdir", "rename", "replace", "mkdir", "link", "symlink", "truncate", "ftruncate", "chmod"),
    *("chown", "utime", "mkfifo", "kill", "killpg", "system", "posix_spawn", "posix_spawnp", "fork", "forkpty"),
    *("execv", "execve", "write", "writev", "pwrite", "sendfile"),
)
"""Functions of `os` that do something outside."""

COPIES = ("open", "_open", "io_open", "builtin_open", "_builtin_open", "bltn_open")
"""Names under which modules keep `open` for themselves, as IPython does, whose `open` is that of a notebook."""

CONNECTING = ("connect", "connect_ex", "sendto", "sendmsg")
"""Methods of sockets that do."""


class ReachesOut(BaseException):
    """Raised in the place of what would reach beyond this process; no `except Exception` of the user's takes it."""


class Refusing(list[str]):
    """A list of what is called, which refuses what this thread calls before it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def append(self, name: str) -> None:
        """Add a name.

        Raises:
            ReachesOut: It is of this thread.
        """
        if threading.get_ident() == self.thread:
            super().append(name)
            raise ReachesOut(name)


def noticed(wanted: bool = True) -> contextlib.AbstractContextManager[list[str]]:
    """Give a list that gets the names of what is called meanwhile that reaches beyond this process, in any thread."""
    return noticing([]) if wanted else contextlib.nullcontext([])


def refused() -> contextlib.AbstractContextManager[list[str]]:
    """Raise `ReachesOut` for what this thread calls meanwhile that reaches beyond this process; give what it was."""
    return noticing(Refusing())


@contextlib.contextmanager
def noticing(found: list[str]) -> Iterator[list[str]]:
    """Give the list, and fill it."""
    replaced: list[tuple[Any, str, Any]] = []

    def replace(holder: Any, name: str, made: Callable[..., Any]) -> None:
        replaced.append((holder, name, vars(holder).get(name)))
        setattr(holder, name, made)

    try:
        plain, made = io.open, opening(io.open, found)
        for holder, name in copies_of(plain):
            replace(holder, name, made)
        replace(os, "open", opening_descriptor(os.open, found))
        for name in DOING:
            if hasattr(os, name):
                replace(os, name, noting(getattr(os, name), found))
        for module, kind, names in (
            ("subprocess", "Popen", ("__init__",)),
            ("socket", "socket", CONNECTING),
            ("sqlite3", None, ("connect",)),
        ):
            if module in sys.modules:
                holder = sys.modules[module] if kind is None else getattr(sys.modules[module], kind)
                for name in names:
                    if hasattr(holder, name):
                        replace(holder, name, noting(getattr(holder, name), found))
        yield found
    finally:
        for holder, name, original in reversed(replaced):
            if original is None:  # it was inherited
                delattr(holder, name)
            else:
                setattr(holder, name, original)


def copies_of(original: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Return the modules that have `open`, each with the name that it has there."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    return [(module, name) for module in modules for name in COPIES if vars(module).get(name) is original]


def noting(original: Callable[..., Any], found: list[str]) -> Callable[..., Any]:
    """Return a function that notes that it is called."""

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        found.append(getattr(original, "__name__", "a call"))
        return original(*arguments, **options)

    return call


def opening(original: Callable[..., Any], found: list[str]) -> Callable[..., Any]:
    """Return `open`, noting what it opens for writing."""

    @functools.wraps(original)
    def call(file: Any, mode: Any = "r", *arguments: Any, **options: Any) -> Any:
        if isinstance(mode, str) and not {*"wxa+"}.isdisjoint(mode) and file != os.devnull:
            found.append("open")
        return original(file, mode, *arguments, **options)

    return call


def opening_descriptor(original: Callable[..., Any], found: list[str]) -> Callable[..., Any]:
    """Return `os.open`, noting what it opens for writing."""

    @functools.wraps(original)
    def call(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
        if flags & WRITING and path != os.devnull:
            found.append("open")
        return original(path, flags, *arguments, **options)

    return call
