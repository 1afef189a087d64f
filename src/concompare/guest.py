"""What runs in another Python: takes a function as source and plain data, and passes of it on threads.

The text of this file is all that is sent there, to `python -c`; it needs the standard library of Python 3.8 or newer.

    main thread     reads orders: a length of eight bytes and a pickle; ends with the notebook's side
    another thread  carries them out, and writes answers of the same form
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import inspect
import os
import pickle
import platform
import queue
import sys
import sysconfig
import threading
import time
import types
from typing import Any


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
    """Return the function that a recipe describes; see `recipes`."""
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
    """One pass over items: threads take chunks off one queue."""

    def __init__(self, function: Any, order: dict[str, Any]) -> None:
        self.call = plain(function)
        self.items = pickle.loads(order["items"])
        self.workers, self.chunk = order["workers"], order["chunk"]
        self.pairs, self.cap = order["pairs"], order["cap"]
        self.values: list[Any] = [None] * len(self.items)
        self.messages: list[Any] = []
        self.errors: dict[int, BaseException] = {}
        self.stopped = False
        self.lock = threading.Lock()
        self.next = 0

    def take(self) -> Any:
        """Return the first and the last place of the next chunk, or None."""
        with self.lock:
            first, size = self.next, self.chunk
            if not size:
                size = max(1, min(256, (len(self.items) - first) // (4 * self.workers)))
            self.next = first + size
        return (first, min(first + size, len(self.items))) if first < len(self.items) else None

    def work(self, worker: int) -> None:
        """Compute chunks until there are none left."""
        clock = time.perf_counter
        while not self.stopped and not self.errors:
            chunk = self.take()
            if chunk is None:
                return
            start, cpu, waited, seconds = clock(), time.thread_time(), run_queue(), []
            for place in range(*chunk):
                began = clock()
                if self.cap is not None and began > self.end:
                    self.stopped = True
                    break
                try:
                    value = self.call(self.items[place])
                except BaseException as error:
                    self.errors[place] = error
                    break
                self.values[place] = value[0] if self.pairs else value
                seconds.append(clock() - began)
            after = run_queue()
            self.messages.append(
                (chunk[0], len(seconds), worker, start - self.began, clock() - self.began, time.thread_time() - cpu,
                 None if after is None or waited is None else after - waited, tuple(seconds))
            )  # fmt: skip

    def run(self) -> dict[str, Any]:
        """Run the pass and return what it gave."""
        before = gil_state()
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(abs, range(self.workers)))
            self.began = time.perf_counter()
            self.end = self.began + (self.cap or 0.0)
            concurrent.futures.wait([pool.submit(self.work, worker) for worker in range(self.workers)])
            wall = time.perf_counter() - self.began
        answer: dict[str, Any] = {
            "wall": wall,
            "messages": self.messages,
            "gil": (before, gil_state()),
            "stopped": self.stopped,
        }
        if self.errors:
            place = min(self.errors)
            error = self.errors[place]
            answer["error"] = (place, type(error).__name__, str(error))
        else:
            answer["values"] = pickle.dumps(self.values, 4)
        return answer


def run_queue() -> Any:
    """Return the seconds this thread has been ready to run without a CPU, where Linux counts them; else None."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


# ------------------------------------------------------------------------------------------------------ the connection


def carry_out(orders: Any, answers: Any) -> None:
    """Carry out orders one after the other."""
    function = None
    while True:
        order = orders.get()
        try:
            if order["do"] == "load":
                function = load(order["recipe"])
            answer = Pass(function, order).run() if order["do"] == "pass" else facts()
        except BaseException as error:
            answer = {"problem": f"{type(error).__name__}: {error}"}
        data = pickle.dumps(answer, 4)
        answers.write(len(data).to_bytes(8, "little") + data)
        answers.flush()


def serve() -> None:
    """Serve until the notebook's side is gone."""
    coming = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # prints of the user's code are not for the protocol
        os.dup2(silent, descriptor)
    orders: Any = queue.Queue()
    threading.Thread(target=carry_out, args=(orders, answers), daemon=True).start()
    while True:
        head = coming.read(8)
        if len(head) < 8:
            os._exit(0)
        orders.put(pickle.loads(coming.read(int.from_bytes(head, "little"))))


if __name__ == "__main__":
    serve()
