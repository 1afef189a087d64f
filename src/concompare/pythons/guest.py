"""Run passes in another Python: load a function from source, then the plain loop, threads or processes.

The text of this file is all that is sent there; it needs the standard library of Python 3.8 or newer.

    main thread     reads orders: a length of eight bytes and a pickle; ends with the notebook's side
    another thread  carries them out, and writes answers of the same form
    processes       each makes this module of the same text, and the function of the same recipe, once
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import inspect
import multiprocessing
import os
import pickle
import platform
import queue
import signal
import sys
import sysconfig
import threading
import time
import types
from typing import Any

PATIENCE = 20.0
"""Seconds that all processes may take to come, or to make the function."""

MAKE = """
import sys, types
module = sys.modules["concompare_guest"] = types.ModuleType("concompare_guest")
exec(compile(text, "<concompare/guest.py>", "exec"), vars(module))
"""
"""Makes this module of its `text`, where no file of it is."""


def gil_state() -> str:
    """Return "on", "off", or "re-enabled" where an import of a free-threaded Python switched it back on."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "off"
    return "re-enabled" if sysconfig.get_config_var("Py_GIL_DISABLED") else "on"


def facts() -> dict[str, Any]:
    """Return what this Python is."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": gil_state(),
        "executable": sys.executable,
    }


# ------------------------------------------------------------------------------------------------------- the function


def load(recipe: dict[str, Any]) -> Any:
    """Return the function that a recipe describes; see `function_source`."""
    sys.path.extend(path for path in recipe["path"] if path not in sys.path)
    data = pickle.loads(recipe["data"])
    spaces = [{"__name__": "__main__", "__builtins__": __builtins__} for _ in recipe["spaces"]]
    made: list[Any] = [None] * len(recipe["functions"])

    def value_of(entry: Any) -> Any:
        kind, what = entry[0], entry[1]
        if kind == "data":
            return data[what]
        if kind == "function":
            if made[what] is None:
                part = recipe["functions"][what]
                made[what], cells = function_of(part, spaces)
                for name, cell in cells.items():  # one of them may hold the function itself
                    cell.cell_contents = value_of(part["free"][name])
                made[what].__defaults__ = value_of(part["defaults"])
                made[what].__kwdefaults__ = value_of(part["kwdefaults"])
            return made[what]
        found = importlib.import_module(what)
        for part in entry[2].split(".") if len(entry) > 2 else ():
            found = getattr(found, part)
        return found

    for space, names in zip(spaces, recipe["spaces"]):  # noqa: B905 - Python 3.8
        space.update((name, value_of(entry)) for name, entry in names.items())
    return value_of(recipe["main"])


def function_of(part: dict[str, Any], spaces: list[Any]) -> tuple[Any, dict[str, Any]]:
    """Return one function, its code compiled from its source, and its cells by name, which are empty."""
    outer = next(c for c in compile(part["source"], part["filename"], "exec").co_consts if inspect.iscode(c))
    code = next(c for c in outer.co_consts if inspect.iscode(c) and c.co_name == part["name"])
    cells = {name: types.CellType() for name in code.co_freevars}
    return types.FunctionType(code, spaces[part["space"]], part["name"], None, tuple(cells.values())), cells


def plain(function: Any) -> Any:
    """Return a function that may be called: a coroutine function through an event loop."""
    return (lambda item: asyncio.run(function(item))) if inspect.iscoroutinefunction(function) else function


# ------------------------------------------------------------------------------------------------------------ a pass


class Pass:
    """One pass over items: workers take chunks off one queue.

    The plain loop is one worker in the thread that asks. A thread takes chunks until there are none left; for every
    process there is a thread that sends it chunks, so that each has one to compute and the next one on its way.
    """

    def __init__(self, function: Any, order: dict[str, Any], pool: Any) -> None:
        self.function, self.pool = function, pool
        self.items = pickle.loads(order["items"])
        self.kind, self.workers, self.chunk = order["kind"], order["workers"], order["chunk"]
        self.pairs, self.cap = order["pairs"], order["cap"]
        self.values: list[Any] = [None] * len(self.items)
        self.messages: list[Any] = []
        self.errors: dict[int, tuple[str, str]] = {}
        self.stopped = False
        self.lock = threading.Lock()
        self.idents: dict[Any, int] = {}
        self.next = 0

    def take(self) -> Any:
        """Return the first and the last place of the next chunk, or None."""
        with self.lock:
            first, size = self.next, self.chunk
            if not size:
                size = max(1, min(256, (len(self.items) - first) // (4 * self.workers)))
            self.next = first + size
        return (first, min(first + size, len(self.items))) if first < len(self.items) else None

    def work(self) -> None:
        """Have chunks computed until there are none left."""
        while not self.stopped and not self.errors:
            chunk = self.take()
            if chunk is None:
                return
            sent, items = time.perf_counter(), self.items[slice(*chunk)]
            if self.pool is None:
                self.settle(chunk[0], sent, compute(self.function, items, self.pairs, self.end))
            else:
                self.settle(chunk[0], sent, self.pool.submit(compute_there, items, self.pairs, self.end).result())

    def settle(self, first: int, sent: float, done: Any) -> None:
        """Take in what became of a chunk."""
        ident, values, error, stopped, moments, cpu, waited, seconds = done
        self.values[first : first + len(values)] = values
        if error is not None:
            self.errors[first + len(values)] = error
        if stopped:
            self.stopped = True
        with self.lock:
            worker = self.idents.setdefault(ident, len(self.idents))
            times = [moment - self.began for moment in (sent, *moments, time.perf_counter())]
            self.messages.append((first, len(values), worker, times, cpu, waited, seconds))

    def run(self) -> dict[str, Any]:
        """Run the pass and return what it gave."""
        before = gil_state()
        hands = {"serial": 0, "threads": self.workers, "processes": 2 * self.workers}[self.kind]
        with concurrent.futures.ThreadPoolExecutor(max(1, hands)) as threads:
            list(threads.map(abs, range(hands)))
            self.began = time.perf_counter()
            self.end = None if self.cap is None else self.began + self.cap
            if hands:
                for future in [threads.submit(self.work) for _ in range(hands)]:
                    future.result()
            else:
                self.work()
            wall = time.perf_counter() - self.began
        answer: dict[str, Any] = {
            "wall": wall,
            "messages": self.messages,
            "gil": (before, gil_state()),
            "stopped": self.stopped,
        }
        if self.errors:
            place = min(self.errors)
            answer["error"] = (place, *self.errors[place])
        else:
            answer["values"] = pickle.dumps(self.values, 4)
        return answer


def compute(function: Any, items: Any, pairs: bool, end: Any) -> Any:
    """Compute one chunk until its end or the moment `end`, and say what it took."""
    clock = time.perf_counter
    values: list[Any] = []
    seconds: list[float] = []
    error, stopped = None, False
    start, cpu, waited = clock(), time.thread_time(), run_queue()
    for item in items:
        began = clock()
        if end is not None and began > end:
            stopped = True
            break
        try:
            value = function(item)
        except BaseException as raised:
            error = type(raised).__name__, str(raised)
            break
        values.append(value[0] if pairs else value)
        seconds.append(clock() - began)
    after, ended = run_queue(), clock()
    waited = None if after is None or waited is None else after - waited
    ident = os.getpid(), threading.get_ident()
    return ident, values, error, stopped, (start, ended), time.thread_time() - cpu, waited, tuple(seconds)


def run_queue() -> Any:
    """Return the seconds this thread has been ready to run without a CPU, where Linux counts them; else None."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


# --------------------------------------------------------------------------------------------------- its own processes

THERE: dict[str, Any] = {}
"""State of a process: the gate at which all of them meet, and the function."""


def arrive(gate: Any) -> None:
    """Make this process ready for calls; it ends with the one that started it."""
    THERE["gate"] = gate
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End this process when the one that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)


def meet(recipe: Any) -> int:
    """Make the function, and wait until every process is as far: so each of them gets one of these calls."""
    try:
        if recipe is not None:
            THERE["function"] = plain(load(recipe))
    except BaseException:
        THERE["gate"].abort()
        raise
    THERE["gate"].wait(PATIENCE)
    return os.getpid()


def compute_there(items: Any, pairs: bool, end: Any) -> Any:
    """Compute one chunk in a process."""
    return compute(THERE["function"], items, pairs, end)


class Pool:
    """Processes of this Python, by its own executor, started as is safe where threads run."""

    def __init__(self, text: str, workers: int) -> None:
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self.workers = workers
        enter = MAKE + "module.arrive(gate)"
        self.executor = concurrent.futures.ProcessPoolExecutor(
            workers, context, exec, (enter, {"text": text, "gate": context.Barrier(workers)})
        )
        self.pids = self.all_meet(None)

    def all_meet(self, recipe: Any) -> list[int]:
        """Have every process come and make the function; return their ids."""
        futures = [self.executor.submit(meet, recipe) for _ in range(self.workers)]
        errors = [future.exception() for future in futures]
        for error in sorted(filter(None, errors), key=lambda e: isinstance(e, threading.BrokenBarrierError)):
            raise error
        return [future.result() for future in futures]

    def submit(self, *call: Any) -> Any:
        """Submit a call."""
        return self.executor.submit(*call)


# ------------------------------------------------------------------------------------------------------ the connection


class Host:
    """Carry out orders one after the other, with the function, and the processes where there are some."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.function: Any = None
        self.pool: Any = None

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order."""
        if order["do"] == "pass":
            return Pass(self.function, order, self.pool).run()
        if order["do"] == "open":
            self.pool = Pool(self.text, order["workers"])
            return {"pids": self.pool.pids}
        if order["do"] == "load":
            self.function = plain(load(order["recipe"]))
            if self.pool is not None:
                self.pool.all_meet(order["recipe"])
        return facts()

    def carry_out(self, orders: Any, answers: Any) -> None:
        """Carry out what comes, and answer."""
        while True:
            order = orders.get()
            try:
                answer = self.obey(order)
            except BaseException as error:
                answer = {"problem": f"{type(error).__name__}: {error}"}
            data = pickle.dumps(answer, 4)
            answers.write(len(data).to_bytes(8, "little") + data)
            answers.flush()


def serve(text: str) -> None:
    """Serve until the notebook's side is gone; `text` is that of this module."""
    coming = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # prints of the user's code are not for the protocol
        os.dup2(silent, descriptor)
    orders: Any = queue.Queue()
    threading.Thread(target=Host(text).carry_out, args=(orders, answers), daemon=True).start()
    while True:
        head = coming.read(8)
        if len(head) < 8:
            os._exit(0)
        orders.put(pickle.loads(coming.read(int.from_bytes(head, "little"))))
