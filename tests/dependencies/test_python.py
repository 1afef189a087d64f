"""What we rely on of Python's own library that it does not document."""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import io
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from concurrent import futures
from multiprocessing import forkserver, spawn, util
from multiprocessing import pool as pools
from typing import Any

import pytest

POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork server there")


def test_picklers_and_unpicklers_number_their_objects_alike() -> None:
    """`object_refs`: without `memo`, parts of items in results come back as copies, no more the notebook's own."""
    part = [1, 2]
    sent = {"a": part, "b": (part, "text")}
    with io.BytesIO() as file:
        pickler = pickle.Pickler(file, 5)
        pickler.dump(sent)
        written: Any = pickler.memo.copy()
        reader: Any = pickle.Unpickler(io.BytesIO(file.getvalue()))
    there = reader.load()
    numbers = {number: thing for number, thing in written.values()}  # noqa: C416 - the claim
    assert written[id(part)] == (next(n for n, thing in numbers.items() if thing is part), part)
    assert {n: type(thing) for n, thing in numbers.items()} == {n: type(t) for n, t in reader.memo.copy().items()}
    assert reader.memo.copy()[written[id(part)][0]] is there["a"]


def test_picklers_and_unpicklers_may_begin_with_objects_that_both_have() -> None:
    """`object_refs.load_with`: without it every object of a result would be looked at by itself."""
    here, there = [["a"], {"b": 1}], [["a"], {"b": 1}]
    with io.BytesIO() as file:
        pickler = pickle.Pickler(file, 5)
        pickler.memo = {id(thing): (number, thing) for number, thing in enumerate(there)}
        pickler.dump([there[1], there[0], new := [there[0]], new])
        data = file.getvalue()
    loaded = pickle.loads(b"\x80\x05" + b"\x97\x94\x30" * 2 + data, buffers=here)
    assert loaded[0] is here[1]
    assert loaded[1] is loaded[2][0] is here[0]
    assert loaded[2] is loaded[3]


def test_pickles_hold_the_names_of_modules_as_they_are_written() -> None:
    """`pickling.pack` and `chunk.record_displays` look for `__main__` and IPython's `display` in the bytes."""
    assert b"functools" in pickle.dumps(functools.partial(len, "x"), 5)
    assert b"concompare.errors" in pickle.dumps(sys.modules["concompare.errors"].WorkerDied, 5)


def test_a_pool_of_processes_holds_its_processes_by_id() -> None:
    """`backends.processes.worker_processes`: pools could not be ended at once, nor their memory be measured."""
    with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        pid = executor.submit(os.getpid).result()
        processes: Any = executor._processes
        assert list(processes) == [pid]
        assert processes[pid].pid == pid
        assert processes[pid].exitcode is None


def test_a_pool_of_threads_holds_its_threads() -> None:
    """`stop_threads.threads_of`: a cell could not say which calls go on after an interrupt."""
    with futures.ThreadPoolExecutor(1) as executor:
        ident = executor.submit(threading.get_ident).result()
        assert {thread.ident for thread in executor._threads} == {ident}
    with pools.ThreadPool(1) as pool:
        ident = pool.apply(threading.get_ident)
        assert {thread.ident for thread in pool._pool} == {ident}  # type: ignore[attr-defined]


def test_multiprocessings_pool_holds_its_processes() -> None:
    """`per_item`: the pool could not be ended while its items compute."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pid = pool.apply(os.getpid)
        assert [process.pid for process in pool._pool] == [pid]  # type: ignore[attr-defined]


def test_what_a_new_process_is_told_is_asked_of_a_function_that_can_be_replaced() -> None:
    """`backends.processes.without_main`: every worker would run the user's script, or import its `__main__`."""
    told = spawn.get_preparation_data("name")
    assert {"sys_path", "dir"} <= told.keys()
    starter: Any = importlib.import_module(f"multiprocessing.popen_spawn_{'win32' if os.name == 'nt' else 'posix'}")
    assert starter.spawn is spawn  # it calls `spawn.get_preparation_data`, not a copy of that
    start = starter.Popen.__init__ if os.name == "nt" else starter.Popen._launch
    assert "get_preparation_data" in start.__code__.co_names


@POSIX
def test_multiprocessing_starts_programs_by_a_function_that_can_be_replaced() -> None:
    """`backends.processes.spawn_aside`: an interrupt or restart of the kernel would hit the workers' helpers."""
    assert callable(vars(util)["spawnv_passfds"])
    for name in ("resource_tracker", "forkserver", "popen_spawn_posix"):
        assert vars(importlib.import_module(f"multiprocessing.{name}"))["util"] is util


@POSIX
def test_the_fork_server_tells_whether_it_runs_and_what_it_imports_first() -> None:
    """`processes.preload`, `processes.forget_server`, `preflight.is_warm`: a late start, or a worker that hangs."""
    server: Any = forkserver.ForkServer()
    assert server._forkserver_pid is None
    assert server._forkserver_address is None
    assert server._forkserver_alive_fd is None
    assert server._preload_modules == ["__main__"]
    assert hasattr(server._lock, "acquire")
    assert isinstance(forkserver._forkserver, forkserver.ForkServer)


def test_processes_of_a_context_know_their_start_method() -> None:
    """`processes.WorkerMixin.start`: a fork would not be refused while native threads compute."""
    for method in multiprocessing.get_all_start_methods():
        context: Any = multiprocessing.get_context(method)
        assert context.Process._start_method == method


ENDING = """
import concurrent.futures.thread, os, threading
reading, writing = os.pipe()
threading._register_atexit(os.close, writing)
threading.Thread(target=os.read, args=(reading, 1)).start()
print("over")
"""


def test_what_is_registered_last_is_called_before_threads_are_waited_for() -> None:
    """`backends.interpreters.close_all`: Python would wait at its end for threads that read, for ever."""
    ran = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=50, check=True)
    assert ran.stdout == "over\n"


def test_the_functions_of_random_are_methods_of_one_source() -> None:
    """`thread_seeding`: threads would draw from each other's streams, and `--seed` give other numbers each time."""
    assert random._inst is random.random.__self__  # type: ignore[attr-defined]
    assert random._inst is random.shuffle.__self__  # type: ignore[attr-defined]


def test_a_task_can_be_told_not_to_complain_when_it_is_dropped() -> None:
    """`coroutines.serve`: an interrupted cell would print "Task was destroyed but it is pending!"."""

    async def nothing() -> None:
        return

    async def look() -> bool:
        task = asyncio.ensure_future(nothing())
        await task
        return bool(task._log_destroy_pending)  # type: ignore[attr-defined]

    assert asyncio.run(look()) is True


def test_an_argument_parser_lists_its_options() -> None:
    """`command_line.split_options`: code after a magic's options could not be told from their values."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--backend")
    (found,) = [action for action in parser._actions if "-b" in action.option_strings]
    assert found.option_strings == ["-b", "--backend"]
    assert found.nargs is None


def test_the_frames_of_other_threads_can_be_seen() -> None:
    """`stop_threads.is_busy`: an interrupted cell would not say what still runs."""
    inside, over = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        over.wait(30)

    thread = threading.Thread(target=wait)
    thread.start()
    inside.wait(30)
    frame: Any = sys._current_frames()[thread.ident or 0]
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    over.set()
    thread.join()
    assert "wait" in names


def test_the_import_machinery_can_be_told_by_its_file_name() -> None:
    """`interrupts.is_machinery`: an interrupt in an import could leave the lock of all imports taken."""
    bootstrap = importlib.import_module("importlib._bootstrap")
    assert vars(bootstrap)["_find_and_load"].__code__.co_filename.startswith("<frozen importlib")


def test_line_tables_are_written_as_they_are_read() -> None:
    """`error_traces.table_of`: tracebacks of workers' errors would show other lines than the user's."""
    from concompare.worker.transfer.error_traces import traceback_through

    entry = traceback_through([("<a>", 7, "f", "A.f", 5), ("<a>", 5, "g", "g", 5), ("<a>", 9000, "h", "h", 1)])
    seen = []
    while entry is not None:
        code = entry.tb_frame.f_code
        seen.append((code.co_filename, entry.tb_frame.f_lineno, entry.tb_lineno, code.co_qualname, code.co_firstlineno))
        assert {line for _, _, line in code.co_lines()} == {entry.tb_lineno}
        entry = entry.tb_next
    assert seen == [("<a>", 7, 7, "A.f", 5), ("<a>", 5, 5, "g", 5), ("<a>", 9000, 9000, "h", 1)]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks there")
def test_starting_multiprocessings_tracker_lifts_no_block_that_is_set_after() -> None:
    """`processes.WorkerMixin.start`: Ctrl-C could hit a worker before it ignores that."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        resource_tracker.ensure_running()
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_the_environment_is_kept_in_one_dictionary() -> None:
    """`surroundings.undecoded` reads it so; without it, as `environ` itself, ten times as slowly."""
    assert len(getattr(os.environ, "_data")) == len(os.environ)  # noqa: B009
