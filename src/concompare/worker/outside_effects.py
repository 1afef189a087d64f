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
    with REPLACED.lock:
        REPLACED.lists.insert(0 if isinstance(found, Refusing) else len(REPLACED.lists), found)
        REPLACED.install()
    try:
        yield found
    finally:
        with REPLACED.lock:
            REPLACED.lists[:] = [other for other in REPLACED.lists if other is not found]
            if not REPLACED.lists:
                REPLACED.put_back()


class Replaced:
    """The functions that are replaced while anybody wants to know: once for all, as threads may end in any order.

    Attributes:
        lists: What is to be told; those that refuse first.
        originals: What was replaced, with its holder and name; None: it was inherited.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.lists: list[list[str]] = []
        self.originals: list[tuple[Any, str, Any]] = []
        self.open: Callable[..., Any] | None = None

    def tell(self, name: str) -> None:
        """Tell all that want to know of a call."""
        for found in tuple(self.lists):
            found.append(name)

    def replace(self, holder: Any, name: str, made: Callable[..., Any]) -> None:
        """Replace one function."""
        self.originals.append((holder, name, vars(holder).get(name)))
        setattr(holder, name, made)

    def install(self) -> None:
        """Replace the functions, or those of modules that came later."""
        if self.open is None:
            self.open = io.open
            self.replace(os, "open", opening_descriptor(os.open))
            for name in DOING:
                if hasattr(os, name):
                    self.replace(os, name, noting(getattr(os, name)))
        made = opening(self.open)
        for holder, name in copies_of(self.open):
            self.replace(holder, name, made)
        there = {(id(holder), name) for holder, name, _ in self.originals}
        for module, kind, names in (
            ("subprocess", "Popen", ("__init__",)),
            ("socket", "socket", CONNECTING),
            ("sqlite3", None, ("connect",)),
        ):
            if module in sys.modules:
                holder = sys.modules[module] if kind is None else getattr(sys.modules[module], kind)
                for name in names:
                    if hasattr(holder, name) and (id(holder), name) not in there:
                        self.replace(holder, name, noting(getattr(holder, name)))

    def put_back(self) -> None:
        """Let everything be as it was."""
        for holder, name, original in reversed(self.originals):
            if original is None:
                delattr(holder, name)
            else:
                setattr(holder, name, original)
        self.originals.clear()
        self.open = None

    def forget(self) -> None:
        """Begin anew in a forked process: those who wanted to know are in the other one."""
        self.lock = threading.RLock()
        self.lists.clear()
        self.put_back()


REPLACED = Replaced()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=REPLACED.forget)


def copies_of(original: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Return the modules that have `open`, each with the name that it has there."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    some = [module for module in modules if not vars(module).keys().isdisjoint(COPIES)]  # few of a thousand and more
    return [(module, name) for module in some for name in COPIES if vars(module).get(name) is original]


def noting(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that notes that it is called."""

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        REPLACED.tell(getattr(original, "__name__", "a call"))
        return original(*arguments, **options)

    return call


def opening(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `open`, noting what it opens for writing."""

    @functools.wraps(original)
    def call(file: Any, mode: Any = "r", *arguments: Any, **options: Any) -> Any:
        if isinstance(mode, str) and not {*"wxa+"}.isdisjoint(mode) and file != os.devnull:
            REPLACED.tell("open")
        return original(file, mode, *arguments, **options)

    return call


def opening_descriptor(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return `os.open`, noting what it opens for writing."""

    @functools.wraps(original)
    def call(path: Any, flags: int, *arguments: Any, **options: Any) -> Any:
        if flags & WRITING and path != os.devnull:
            REPLACED.tell("open")
        return original(path, flags, *arguments, **options)

    return call
