from __future__ import annotations

import ast
import contextlib
import gc
import glob
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import loky  # noqa: F401 - gives this process's semaphores names that tell whose they are
import psutil
import pytest

from concompare import engine, testing
from concompare.worker.coroutines import is_coroutine_function


def helpers_of_python(process: psutil.Process) -> bool:
    """The fork server and the resource trackers live as long as the interpreter: they are Python's, not ours."""
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return True
    return "forkserver" in words or "resource_tracker" in words or process.status() == psutil.STATUS_ZOMBIE


def workers_alive() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if not helpers_of_python(p)]


def shared_files() -> set[str]:
    mine = f"concompare-{os.getpid()}-*"
    return {*glob.glob(f"/dev/shm/{mine}"), *glob.glob(f"{tempfile.gettempdir()}/{mine}")}


def semaphores() -> set[str]:
    return set(glob.glob(f"/dev/shm/sem.loky-{os.getpid()}-*"))


def busy_threads() -> set[str]:
    """Threads that a pool of ours would leave behind; Python's own queue feeders end by themselves."""
    return {t.name for t in threading.enumerate() if t.name.startswith("concompare")}


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Close all pools at the end; nothing of them is left then: no process, thread, semaphore or shared memory."""
    engine.close_pools()
    gc.collect()
    gc.freeze()  # a look at all that numpy and matplotlib have made takes 0.1 s, several times a test
    before, others = (shared_files(), semaphores()), set(workers_alive())
    yield
    engine.close_pools()
    gc.collect()
    end = time.monotonic() + 120
    while time.monotonic() < end and (set(workers_alive()) - others or busy_threads() or semaphores() - before[1]):
        threading.Event().wait(0.02)
        gc.collect()
    assert set(workers_alive()) - others == set()
    assert busy_threads() == set()
    assert shared_files() - before[0] == set()
    assert semaphores() - before[1] == set()


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """See that nothing of a test's pools is left."""
    with nothing_left():
        yield


def with_async(source: str, name: str) -> str:
    """Return source in which the function of that name is a coroutine function that lets others run first."""
    tree = ast.parse(source)
    pause = ast.parse("async def pause():\n    await __import__('asyncio').sleep(0)").body[0].body  # type: ignore[attr-defined]
    for place, node in enumerate(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            parts = {field: getattr(node, field) for field in node._fields}
            tree.body[place] = ast.AsyncFunctionDef(**{**parts, "body": [*pause, *node.body]})
    return ast.unparse(ast.fix_missing_locations(tree))


def awaited(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function as a coroutine function."""
    if is_coroutine_function(function):
        return function

    async def call(item: Any) -> Any:
        return function(item)

    return call


@pytest.fixture
def coroutines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switches a test to functions written with async def, for a backend that runs no others."""

    def switch() -> None:
        define, run_pass = testing.define, engine.run_pass
        for module in (request.module, testing):
            monkeypatch.setattr(module, "define", lambda source, name="f": define(with_async(source, name), name))
        monkeypatch.setattr(
            engine, "run_pass", lambda function, *rest, **how: run_pass(awaited(function), *rest, **how)
        )

    return switch
