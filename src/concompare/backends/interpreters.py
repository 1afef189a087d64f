"""Sub-interpreters with a GIL each, in threads of this process: bytes in, bytes out, through the same worker.

    call_in() ── bytes ──> answer() in the interpreter ──> worker.run
    arrive()  once per interpreter: module search path, display, and a thread that waits for the order to stop

Many extension modules cannot be loaded there. What a function needs is tried once in a scratch interpreter.
"""

from __future__ import annotations

import builtins
import concurrent.futures.thread
import contextlib
import importlib
import math
import os
import pickle
import platform
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar, cast

from concompare.backends.base import Start
from concompare.backends.traits import Isolation, Traits
from concompare.errors import BackendUnavailable
from concompare.libraries import searched
from concompare.worker.bootstrap import RUNNING, stop
from concompare.worker.capture import display
from concompare.worker.chunk import Answer, Request
from concompare.worker.coroutines import wake
from concompare.worker.surroundings import STARTED
from concompare.worker.transfer import nans
from concompare.worker.transfer.pickling import functions_behind, pack

REFUSED = re.compile(r"module (\S+) does not support loading in subinterpreters")

STOP = b"s"
"""What the notebook's interpreter writes to end the items that are computed."""

PAUSE = 0.01
"""Seconds between two looks at whether what was told to stop has stopped."""

REFUSALS: dict[str, str] = {}
"""The package that keeps a function from running there, or nothing, by what workers remember the function by."""


# ------------------------------------------------------------------------------------------------- in the interpreter


def arrive(path: list[str], pipes: Any) -> None:
    """Make this interpreter a worker.

    Args:
        path: The notebook's module search path.
        pipes: A queue that holds for each interpreter a pipe to read from: `STOP` ends the items that are computed, the
            end of the pipe ends the reading.
    """
    sys.path[:] = path
    STARTED.note()
    builtins.display = display  # type: ignore[attr-defined]
    threading.Thread(target=obey, args=(pipes.get(),), name="concompare-orders").start()


AT_WORK: list[bytes] = []
"""The call that this interpreter makes now."""

ENDED: list[bool] = []
"""Not empty once this interpreter is to end."""


def obey(orders: int) -> None:
    """Wait for an order, or for the end of the pipe; when told to stop, end items until none is at work."""
    try:
        if os.read(orders, 1) != STOP:
            return
        ENDED.append(True)
        while AT_WORK:  # it may be on its way to its next item, or load what that needs
            for thread, turn in list(RUNNING.items()):
                stop(turn)
                wake(thread)
            time.sleep(PAUSE)
    finally:
        os.close(orders)


def answer(data: bytes) -> bytes:
    """Make the call that the bytes hold."""
    AT_WORK.append(data)
    try:
        if ENDED:
            raise RuntimeError("this interpreter has been told to end")
        function, arguments, options = pickle.loads(data)
        return pickle.dumps(function(*arguments, **options), 5)
    finally:
        AT_WORK.clear()


def refusal_of(path: list[str], blob: bytes) -> str:
    """Load a function and import what its code imports; return the module that refuses sub-interpreters, or nothing."""
    sys.path[:] = path
    try:
        function = nans.read(blob)
    except ImportError as error:
        return culprit(error)
    except Exception:
        return ""
    for name in sorted(set(imported(function))):
        try:
            importlib.import_module(name)
        except ImportError as error:
            if found := culprit(error):
                return found
        except Exception:  # whatever it is, the item will tell
            continue
    return ""


def culprit(error: BaseException | None) -> str:
    """Return the package that refused to be loaded in a sub-interpreter, or nothing where that is not the reason."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    for cause in causes:
        if found := REFUSED.search(str(cause)):
            return first_imported(causes) or found[1].partition(".")[0]
    return ""


def first_imported(causes: list[BaseException]) -> str:
    """Return the first package whose code was running when an import failed."""
    for cause in causes:
        entry = cause.__traceback__
        while entry is not None:
            name = str(entry.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
            if name not in ("importlib", "concompare", "pickle", "cloudpickle", "__main__", ""):
                return name
            entry = entry.tb_next
    return ""


def imported(function: Any) -> Iterator[str]:
    """Yield the modules that the code of a function, and of the functions it carries, imports."""
    for one in functions_behind(function, math.inf):
        yield from imported_by(one.__code__)


def imported_by(code: CodeType) -> Iterator[str]:
    """Yield the modules that a code object, and those inside it, import."""
    import dis

    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME" and step.argval:
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from imported_by(constant)


# ---------------------------------------------------------------------------------------- in the notebook's interpreter


OPEN: weakref.WeakSet[InterpreterExecutor] = weakref.WeakSet()
"""Executors whose interpreters have threads that read; they must end before Python waits for all threads."""


class InterpreterExecutor(Executor):
    """`InterpreterPoolExecutor` behind bytes, whose items can be stopped."""

    def __init__(self, workers: int) -> None:
        self.queue = interpreters().create_queue()
        self.orders: list[int] = []
        for _ in range(workers):
            reading, writing = os.pipe()
            self.orders.append(writing)
            self.queue.put(reading)
        start = f"import sys; sys.path[:] = {searched()!r}; from {__name__} import arrive; arrive(sys.path, pipes)"
        pool: Any = getattr(concurrent.futures, "InterpreterPoolExecutor")  # noqa: B009 - Python 3.14
        self.pool = pool(workers, "concompare-interpreter", exec, (start, {"pipes": self.queue}))
        self.pending: set[Future[bytes]] = set()
        OPEN.add(self)

    @property
    def threads(self) -> set[threading.Thread]:
        """Return the threads in which the interpreters run."""
        return set(self.pool._threads)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a call to an interpreter.

        Raises:
            BackendUnavailable: The call needs a module that cannot be loaded there.
        """
        if args and isinstance(args[0], Request):
            refuse_what_cannot_be_loaded(args[0])
        future: Future[Any] = Future()
        inner = self.pool.submit(answer, pickle.dumps((fn, args, kwargs), 5))
        self.pending.add(inner)
        inner.add_done_callback(self.pending.discard)
        inner.add_done_callback(lambda done: settle(future, done))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the interpreters: after what has been submitted, or at once if that is to be dropped."""
        if wait and not cancel_futures:
            self.pool.shutdown(wait=False)
            concurrent.futures.wait(self.pending)
        for order in self.orders:
            if cancel_futures:
                os.write(order, STOP)
            os.close(order)
        self.orders.clear()
        with contextlib.suppress(Exception):  # an interpreter that never started has left its pipe
            while True:
                os.close(self.queue.get_nowait())
        self.pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def settle(future: Future[Any], done: Future[bytes]) -> None:
    """Hand on what an interpreter sent."""
    if done.cancelled():
        future.cancel()
        return
    error = done.exception()
    if error is not None:
        future.set_exception(error)
        return
    result = pickle.loads(done.result())
    problem = result.problem if isinstance(result, Answer) else None
    if problem is not None and problem[1] and (found := REFUSED.search(problem[1]["text"])):
        future.set_exception(BackendUnavailable(in_words(found[1].partition(".")[0])))
    else:
        future.set_result(result)


def refuse_what_cannot_be_loaded(request: Request) -> None:
    """Raise BackendUnavailable for a function that needs a module that refuses sub-interpreters; tried once each."""
    if not isinstance(request.blob, bytes):
        return
    if request.key not in REFUSALS:
        REFUSALS[request.key] = tried(request.blob)
    package = REFUSALS[request.key]
    if package:
        raise BackendUnavailable(in_words(package))


def tried(blob: bytes) -> str:
    """Return the package that keeps a function from being loaded in a scratch interpreter, or nothing."""
    scratch = interpreters().create()
    try:
        scratch.exec(f"import sys; sys.path[:] = {searched()!r}")
        return cast(str, scratch.call(refusal_of, searched(), blob))
    finally:
        scratch.close()


def in_words(package: str) -> str:
    """Return why a package keeps a function from running in sub-interpreters."""
    import importlib.metadata

    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = str(getattr(sys.modules.get(package), "__version__", ""))
    return f"not possible here: {' '.join((package, version)).strip()} does not support sub-interpreters"


def interpreters() -> Any:
    """Return Python's module of sub-interpreters."""
    return importlib.import_module("concurrent.interpreters")


def close_all() -> None:
    """Close what is open at the end of Python: it waits for threads before it calls what atexit knows."""
    for executor in list(OPEN):
        executor.shutdown(wait=False, cancel_futures=True)


# Called in reverse order of registration, so before that of `concurrent.futures.thread`, which waits for the threads.
threading._register_atexit(close_all)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Interpreters:
    """`concurrent.futures.InterpreterPoolExecutor`."""

    name: str = "interpreters"
    label: str = "interpreters"
    isolation: Isolation = "interpreter"
    chunk: int | None = None
    ephemeral: bool = False
    traits: ClassVar[Traits] = Traits("interpreter", cost=50, script="InterpreterPoolExecutor")

    def unavailable(self) -> str | None:
        """Say where this Python has none."""
        if hasattr(concurrent.futures, "InterpreterPoolExecutor"):
            return None
        return f"sub-interpreters need Python 3.14 or newer, and this is {platform.python_version()}"

    def can_run(self, function: Callable[[Any], Any]) -> bool:
        """Return whether a function can be loaded there, with what it imports."""
        try:
            return not tried(pack(function))
        except Exception:
            return False

    def open(self, workers: int, start: Start) -> Executor:
        """Return an executor of interpreters."""
        return InterpreterExecutor(workers)

    def processes(self, executor: Executor) -> list[Any]:
        """Return none."""
        return []

    def kill(self, executor: Executor) -> None:
        """Drop what is queued and end items at their next line of Python."""
        executor.shutdown(wait=False, cancel_futures=True)


BACKENDS = (Interpreters(),)
