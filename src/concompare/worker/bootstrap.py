"""Set up a process as a worker of a pool: signals, environment, a place on the board, a guard against being orphaned.

begin()   once per worker process
meet()    rendezvous, so that N workers means N
stop()    ends the items of a pass, where the process must live on
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import importlib
import importlib.machinery
import importlib.util
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from concompare.worker.capture import display
from concompare.worker.surroundings import STARTED

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Environment variables by which native libraries size their thread pools, read when they are loaded."""

BOARD = struct.Struct("<qqdq")
"""A worker's line on the board: process id, the item it computes (from 0, −1: none), since when, its peak in bytes."""


ITEM = struct.Struct("<qd")
"""The part of it that changes with each item, from the second number on."""


class Place:
    """This worker's place on its pool's board; `used` tells for how many chunks the user's code has run here."""

    def __init__(self, folder: str, slot: int) -> None:
        with open(Path(folder, "board"), "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.offset = slot * BOARD.size
        self.folder = folder
        self.used = 0
        self.mark(-1)

    def begin(self, item: int, now: float) -> None:
        """Say that an item is computed from now on."""
        ITEM.pack_into(self.map, self.offset + 8, item, now)

    def mark(self, item: int) -> None:
        """Say which item is being computed now (−1: none); between items also how much memory it took so far."""
        if item < 0:
            self.peak = peak_memory()
        BOARD.pack_into(self.map, self.offset, os.getpid(), item, time.perf_counter(), self.peak)


def peak_memory() -> int:
    """Return the most bytes that this process had in memory so far; 0 where the system does not tell."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


PLACE: list[Place] = []
"""This process's place, if it is a worker."""


class Settings(NamedTuple):
    """Ambient state of the notebook: settings of its thread or process that code sees without being given them.

    Attributes:
        depth: How deep calls may go.
        decimal: The arguments of decimal's context, where it is not the usual one; else nothing.
    """

    depth: int
    decimal: tuple[Any, ...] = ()


class Modules(NamedTuple):
    """What a worker is to find when it imports a module, and what else it is to have of the notebook's.

    Attributes:
        path: The notebook's search path; `libraries`: the same with Python's own and installed modules first.
        kept: Names that lie in a folder of the user's and of which the notebook has the library's module.
        dropped: Those of which the notebook has the user's module, or none yet, each with that folder.
        settings: The notebook's settings.
        namespaces: Packages without an `__init__` that the notebook has loaded, each with its folders, where the search
            path leads to another module by now.
    """

    path: tuple[str, ...]
    libraries: tuple[str, ...]
    kept: tuple[str, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    settings: Settings | None = None
    namespaces: tuple[tuple[str, tuple[str, ...]], ...] = ()


def take_path(modules: Modules) -> None:
    """Search for modules where the notebook does, and have of each name the module that the notebook has.

    What this worker has loaded for itself keeps what it has.
    """
    sys.path[:] = modules.libraries
    for name in modules.kept:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for name, folder in modules.dropped:
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        if name in sys.modules and not file.startswith(os.path.join(folder, "")):
            for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == name]:
                del sys.modules[loaded]
    sys.path[:] = modules.path
    importlib.invalidate_caches()
    for name, folders in modules.namespaces:
        for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == name]:
            del sys.modules[loaded]
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = list(folders)
        sys.modules[name] = importlib.util.module_from_spec(spec)


def take_settings(settings: Settings) -> None:
    """Have the notebook's settings."""
    sys.setrecursionlimit(settings.depth)
    if settings.decimal:
        decimal = importlib.import_module("decimal")
        *numbers, traps = settings.decimal
        decimal.setcontext(decimal.Context(*numbers, [], [getattr(decimal, name) for name in traps]))


INHERITED: dict[str, Any] = {}
"""Objects that only the start of a process can give it, such as locks of multiprocessing, by their keys."""


def begin(
    folder: str,
    parent: int,
    environment: dict[str, str],
    variables: dict[str, str],
    modules: Modules | None = None,
    inherited: dict[str, Any] | None = None,
) -> None:
    """Make this process a worker of the pool whose files are in `folder`.

    Args:
        folder: The pool's files.
        parent: Process id of the notebook.
        environment: The notebook's environment variables; a fork server still has those of its own start.
        variables: Set besides, where the environment does not have them.
        modules: What it is to find when it imports a module, and the notebook's settings; None leaves that as it is.
        inherited: Objects for it that no message can carry.
    """
    INHERITED.update(inherited or {})
    if modules is not None:
        take_path(modules)
    if modules is not None and modules.settings is not None:
        take_settings(modules.settings)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    with contextlib.suppress(ValueError):  # not the main thread of its process
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    STARTED.note()
    builtins.display = display  # type: ignore[attr-defined]
    try:
        PLACE[:] = [Place(folder, claim(folder))]
    except FileNotFoundError:  # the pool was closed, or its kernel killed, while this worker started
        import shutil

        shutil.rmtree(folder, ignore_errors=True)  # the file of its slot may have come after all others had gone
        os._exit(1)
    threading.Thread(target=watch, args=(folder, parent), name="concompare-watch", daemon=True).start()


SPENT = 75
"""Exit code of a worker that has ended for want of memory or open files; "try again" among Unix's codes."""


def take_into_use() -> None:
    """Note that from now on the user's code has run in this worker, for one chunk more."""
    for place in PLACE:
        place.used += 1


NO_ITEM = 2**62
"""On the board: a worker has ended, and for no item that it had."""


def end_if_spent(error: BaseException, item: int = NO_ITEM) -> None:
    """End this worker if it gets no more memory or open files between the user's calls: a new one gets them.

    The user's code may have used them up, or have limited them. What this worker has not answered runs again.

    Args:
        error: What went wrong.
        item: The item that may have caused it, for the board; none where one of an earlier chunk may have.
    """
    scarce = isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EMFILE, errno.ENFILE)
    if (scarce or isinstance(error, MemoryError)) and PLACE and PLACE[0].used:
        PLACE[0].mark(item)
        os._exit(SPENT)


def claim(folder: str) -> int:
    """Take the first free slot of the board; creating its file exclusively is atomic everywhere."""
    slot = 0
    while True:
        try:
            os.close(os.open(Path(folder, f"slot-{slot}"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            slot += 1
        else:
            if (slot + 1) * BOARD.size <= os.path.getsize(Path(folder, "board")):
                return slot
            return 0  # more workers were ever started than there is room for; shares the first line


def watch(folder: str, parent: int) -> None:
    """Wait until the parent process has ended, however it ended, then end this one."""
    import shutil

    wait_for_the_end_of(folder, parent)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def wait_for_the_end_of(folder: str, parent: int) -> None:
    """Return when the parent is gone: its record lock on the pool's `alive` file falls with it."""
    try:
        import fcntl
    except ImportError:
        from multiprocessing import connection, parent_process

        process = parent_process()
        if process is None:  # nobody tells of its end
            threading.Event().wait()
        else:
            connection.wait([process.sentinel])
        return
    try:
        file = open(Path(folder, "alive"), "r+b")  # noqa: SIM115 - closed below
    except FileNotFoundError:  # another worker has noticed it before, and removed the folder
        return
    with file:
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX)
            except InterruptedError:
                continue
            except OSError:  # a file system without locks: look now and then
                while is_running(parent):
                    time.sleep(0.5)
            return


def is_running(process: int) -> bool:
    """Return whether a process of that id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def meet(folder: str, count: int, patience: float) -> tuple[int, int, float, int]:
    """Wait until `count` workers are here or `patience` seconds have passed.

    Returns:
        Process id, thread id, this worker's clock, and how many had come.
    """
    Path(folder, f"here-{os.getpid()}-{threading.get_native_id()}").touch()
    end = time.perf_counter() + patience
    pause = 0.0002
    while True:
        come = sum(name.startswith("here-") for name in os.listdir(folder))
        if come >= count or time.perf_counter() > end:
            return os.getpid(), threading.get_native_id(), time.perf_counter(), come
        time.sleep(pause)
        pause = min(pause * 1.5, 0.005)


def linger(seconds: float) -> tuple[int, int, float, int]:
    """Stay busy for a while, so that as many workers as there are take one each; the rendezvous without a folder."""
    time.sleep(seconds)
    return os.getpid(), threading.get_native_id(), time.perf_counter(), 0


# ------------------------------------------------------------------------------------------------------------ stopping


class StopItem(BaseException):
    """Raised inside an item of a pass that has been given up; `except Exception` lets it through."""


RUNNING: dict[int, str] = {}
"""The threads of this process that compute items, and for which pass."""

STOPPED: deque[str] = deque(maxlen=64)
"""The passes that have been stopped last: what arrives of them later is not computed."""

STOPPING = threading.Lock()


@contextlib.contextmanager
def stoppable(turn: str) -> Iterator[None]:
    """Let `stop()` end what runs inside, and never anything after it."""
    ident = threading.get_ident()
    RUNNING[ident] = turn
    try:
        try:
            with interruptible(turn):
                yield
        finally:
            with STOPPING:
                RUNNING.pop(ident, None)
        for _ in range(2):  # a stop that was on its way arrives here
            pass
    except StopItem:
        return


def stop(turn: str) -> int:
    """End the items of a pass at their next line of Python, and return in how many threads."""
    with STOPPING:
        STOPPED.append(turn)
        idents = [ident for ident, running in RUNNING.items() if running == turn]
        for ident in idents:
            stop_thread(ident)
    return len(idents)


def stop_thread(ident: int) -> None:
    """End the item that a thread computes at its next line of Python, and the rest of its chunk with it."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(StopItem))


INTERRUPTIBLE: list[bool] = []
"""True once an interrupt of this process is to stop the pass that it computes."""


@contextlib.contextmanager
def interruptible(turn: str) -> Iterator[None]:
    """Let SIGINT stop the pass, in the main thread of a worker that was made so."""
    if not INTERRUPTIBLE or threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        STOPPED.append(turn)
        raise StopItem

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
