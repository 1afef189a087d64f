"""Why workers do not start, in words, and what their first calls answer."""

from __future__ import annotations

import errno
import os
import shutil
import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from concompare.engine.pools.directory import MEMORY
from concompare.errors import BackendUnavailable

PATIENCE = 60.0
"""Seconds that workers may take to start."""

SCARCE = (errno.EMFILE, errno.ENFILE)
"""Errors that say that there are as many open files as there may be."""


def not_started(error: BaseException) -> str:
    """Return why the system starts no workers, and what to do."""
    if isinstance(error, (OSError, TypeError, ValueError)) and (python := no_interpreter()) is not None:
        return (
            f"the workers cannot be started: the interpreter to start them with is {python}, which is no program. Name "
            "one, as in multiprocessing.set_executable('/usr/bin/python3'), or use -b threads."
        )
    error = scarcity_behind(error) or error
    number, text = getattr(error, "errno", None), f"the workers cannot be started: {error}"
    if isinstance(error, EOFError):  # what it said itself is on the terminal of the notebook's server
        text = "the workers cannot be started: the first of them ended at once"
    elif not isinstance(error, OSError):
        text = f"the workers cannot be started: {type(error).__name__}: {error}"
    if number in (errno.ENOSPC, errno.EROFS) and Path(MEMORY).exists():
        return f"{text}. Python's locks between processes lie in {MEMORY}: make room there, or use -b threads."
    if number in SCARCE:
        return f"{text}. Close files, take fewer workers (-w 2) or raise the limit (ulimit -n); or use -b threads."
    return f"{text}. Use -b threads, whose workers are in this process."


def no_interpreter() -> str | None:
    """Return the interpreter that new processes are to run, as text, where it is no program."""
    from multiprocessing import spawn

    found = spawn.get_executable()
    if found and shutil.which(os.fsdecode(found)) is not None:
        return None
    return repr(found if found is None else os.fsdecode(found))


def scarcity_behind(error: BaseException) -> BaseException | None:
    """Return the error that says that there are too many open files, behind one of who did not expect it, or None."""
    found: BaseException | None = error
    while found is not None and getattr(found, "errno", None) not in SCARCE:
        found = found.__cause__ or found.__context__
    return found


def answers_of(calls: list[Future[Any]], check: Any) -> list[tuple[int, int, float, int]]:
    """Return the results of the rendezvous calls, looking for an interrupt between short waits."""
    end = time.monotonic() + PATIENCE
    while True:
        done, waiting = wait(calls, timeout=0.05)
        check()
        if not waiting or any(call.exception() for call in done):
            break
        if time.monotonic() > end:
            raise BackendUnavailable(f"the workers did not start within {PATIENCE:.0f} s")
    for call in done:
        error = call.exception()
        if error is not None:
            raise BackendUnavailable(
                f"the workers did not start: {type(error).__name__}: {error} Use -b threads, whose workers are in this "
                "process."
            ) from error
    return [call.result() for call in calls]
