"""Threads and processes as objects: which of them may wait, what stands for one, and what one is that has ended."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
import traceback
import types
import weakref
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from typing import Any

from concompare.errors import CellRefused
from concompare.worker.transfer.caught import Remote

OWN_PARTS = frozenset({"_name", "_initialized"})
"""Attributes of threads and processes that their `run` may read."""
PARTS_OF_PROCESS = frozenset(
    [
        "_identity",
        "_config",
        "_parent_pid",
        "_parent_name",
        "_popen",
        "_sentinel",
        "_closed",
        "_target",
        "_args",
        "_kwargs",
        "_name",
    ]
)
"""Attributes that every process has."""
OTHERS = frozenset(dir(threading.Thread)) | frozenset(dir(BaseProcess)) | PARTS_OF_PROCESS
"""What belongs to threads and processes."""


def is_startable(thing: Any) -> bool:
    """Tell whether an object is a thread or process that starts as usual, and has not."""
    kind = type(thing)
    if isinstance(thing, threading.Thread):
        known = kind is threading.Thread or kind.__module__ != "threading"
        fresh = getattr(thing, "_started", None)
        return known and fresh is not None and not fresh.is_set() and kind.start is threading.Thread.start
    if isinstance(thing, BaseProcess):
        return getattr(thing, "_popen", thing) is None and kind.start is BaseProcess.start
    return False


def name_of(thing: Any) -> str:
    """Return what a thread or process is called in a report."""
    base = BaseProcess if isinstance(thing, BaseProcess) else threading.Thread
    return type(thing).__name__ if type(thing).run is not base.run else ("Process" if base is BaseProcess else "Thread")


def start_method(thing: Any) -> str:
    """Return how a process begins."""
    import multiprocessing

    return getattr(type(thing), "_start_method", None) or multiprocessing.get_start_method()


def check_class(kind: type, base: type) -> None:
    """Refuse a class of threads whose methods use what belongs to threads.

    Raises:
        CellRefused: They do.
    """
    for part in kind.__mro__[: kind.__mro__.index(base)]:
        for name, thing in vars(part).items():
            if name == "__init__" or name == "join" or not isinstance(thing, types.FunctionType):
                continue
            used = set(thing.__code__.co_names) & (OTHERS | vars(plain_thread()).keys()) - {"name", "run", *vars(part)}
            if used or "__class__" in thing.__code__.co_freevars:
                raise CellRefused("its `run` uses what belongs to its thread.")


def bare(thing: Any) -> Any:
    """Return what stands for a thread in its own `run`: an object with what the user's class gave it."""
    kind: Any = type(thing)
    if kind.__new__ is not object.__new__:
        raise CellRefused("what it runs cannot be seen.")
    made = kind.__new__(kind)
    vars(made).update(own_state(thing))
    return made


@functools.cache
def plain_thread() -> threading.Thread:
    """Return a thread that never starts: one without a name would take a number from the next."""
    return threading.Thread(name="plain")


def own_state(thing: Any) -> dict[str, Any]:
    """Return the attributes of a thread or process that the user's class gave it, and its name."""
    plainly = PARTS_OF_PROCESS if isinstance(thing, BaseProcess) else vars(plain_thread()).keys()
    return {name: value for name, value in vars(thing).items() if name not in plainly - OWN_PARTS}


def take_state(thing: Any, state: dict[str, Any]) -> None:
    """Give a thread the attributes that its `run` has left."""
    for name in own_state(thing).keys() - state.keys():
        del vars(thing)[name]
    vars(thing).update(state)


def end_thread(thing: threading.Thread, error: BaseException | None) -> None:
    """Leave a thread as one that has ended."""
    base = type(thing).run is threading.Thread.run

    def run() -> None:
        if base:
            del thing._target, thing._args, thing._kwargs  # type: ignore[attr-defined]

    vars(thing)["run"] = run
    try:
        threading.Thread.start(thing)
        threading.Thread.join(thing)
    finally:
        del vars(thing)["run"]
    if error is not None and isinstance(error.__cause__, Remote) and threading.excepthook is threading.__excepthook__:
        sys.stderr.write(f"Exception in thread {thing.name}:\n{error.__cause__.args[0]}")
    elif error is not None:
        threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thing)))


NOBODY = 2**31 - 1
"""A process id that no process has: who sends a signal to it is told so, as of one that has ended."""


class Ended:
    """What a process has that has ended.

    Args:
        code: Its exit code.
    """

    def __init__(self, code: int) -> None:
        self.returncode, self.pid = code, NOBODY
        self.sentinel, writer = os.pipe()
        os.close(writer)  # who waits for the process sees that it has ended
        self.close = weakref.finalize(self, os.close, self.sentinel)

    def poll(self, flag: int = 0) -> int:
        """Return the exit code."""
        return self.returncode

    wait = poll

    def terminate(self) -> None:
        """Do nothing: it has ended."""

    kill = interrupt = terminate


def end_process(thing: Any, error: BaseException | None) -> None:
    """Leave a process as one that has ended."""
    thing._popen = Ended(0 if error is None else 1)
    thing._sentinel = thing._popen.sentinel
    for name in ("_target", "_args", "_kwargs"):
        vars(thing).pop(name, None)
    if error is not None:
        remote = error.__cause__.args[0] if isinstance(error.__cause__, Remote) else None
        text = remote or "".join(traceback.format_exception(error))
        sys.stderr.write(f"Process {thing.name}:\n{text}")


def flush(things: Iterable[Any]) -> None:
    """Wait until queues have handed on what was put into them."""
    for thing in things:
        buffer, until = getattr(thing, "_buffer", None) if is_queue(thing) else None, time.monotonic() + 1
        while buffer and time.monotonic() < until:
            time.sleep(0)


def is_queue(thing: Any) -> bool:
    """Tell whether an object is a queue of processes."""
    return type(thing).__module__ == "multiprocessing.queues"
