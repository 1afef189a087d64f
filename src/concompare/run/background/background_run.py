"""Background runs as the notebook sees them: started, listed, waited for, cancelled, and their names bound."""

from __future__ import annotations

import ast
import atexit
import contextlib
import linecache
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

from concompare.engine.item_errors import rebuild
from concompare.errors import BadOption, CellRefused, WorkerDied
from concompare.formats import count, one_line
from concompare.interrupts import shielded
from concompare.run.background import exchange
from concompare.run.background.background_child import Order

State = Literal["running", "finished", "bound", "kept", "failed", "cancelled"]
START = "import sys; sys.path[:] = {path!r}; from concompare.run.background.background_child import main; main()"
ENDING = 5.0
"""Seconds that the process of a run may take to end when it has been killed."""
RUNS: list[Background] = []
"""All background runs of this process, the first with number 1."""


class Background:
    """A cell that runs, or ran, in the background.

    Attributes:
        number: By which `concompare.background()` has it.
        title: The first line of the cell.
        state: "running"; "finished": its names are bound before the next cell; "bound"; "kept": they are not, as
            `said` tells; "failed"; "cancelled".
        names: The values that it left, once it has ended.
        error: What it raised, or None; `traceback`: as text.
        text: What it printed; `progress`: how far it is, in words.
        said: What became of its names, in words.
    """

    def __init__(self, order: Order, namespace: dict[str, Any], tell: Callable[[Background], None]) -> None:
        self.title = one_line(next((line for line in order.source.splitlines() if line.strip()), ""), 60)
        self.namespace, self.tell = namespace, tell
        self.seen = exchange.Seen({name: value for name, value in namespace.items() if not name.startswith("__")})
        self.state: State = "running"
        self.names: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.traceback = self.text = self.progress = self.said = ""
        self.returned: exchange.Returned | None = None
        self.ended = threading.Event()
        self.process = started()
        RUNS.append(self)
        self.number = len(RUNS)
        self.tell(self)
        threading.Thread(target=self.follow, args=(order,), name="concompare-background", daemon=True).start()

    def __repr__(self) -> str:
        words = f": {self.said}" if self.said else f": {self.progress.strip()}" if self.progress.strip() else ""
        return f"{self.number}  {self.state}  {self.title}{words}"

    def follow(self, order: Order) -> None:
        """Take in what the process sends, until it ends."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            exchange.send(self.process.stdin, order)  # type: ignore[arg-type]
            while True:
                kind, what = exchange.receive(self.process.stdout)  # type: ignore[arg-type]
                if kind == "end":
                    self.finish(what)
                    break
                if kind == "progress":
                    self.progress = what
                else:
                    self.text += what
                self.tell(self)
        except (EOFError, OSError, ValueError):
            self.lose()
        finally:
            self.ended.set()
            self.tell(self)
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()

    def finish(self, answer: dict[str, Any]) -> None:
        """Note what came of the cell."""
        self.progress = ""
        if self.state == "cancelled":
            return
        self.returned = answer.get("names")
        if "error" in answer:
            self.error, self.traceback = rebuild(answer["error"]), answer["traceback"]
            self.state, self.said = "failed", f"{type(self.error).__name__}: {one_line(str(self.error), 200)}"
        else:
            self.state = "finished"

    def lose(self) -> None:
        """Note that the process has ended before its cell."""
        if self.state == "cancelled":
            return
        status = self.process.wait()
        self.error = WorkerDied(f"the process of the background run ended with exit code {status}")
        self.state, self.said, self.progress = "failed", str(self.error), ""

    def settle(self) -> None:
        """Bind the names of a run that has finished, in one step; where they were changed meanwhile, keep the values.

        To be called where no other code of the notebook runs.
        """
        returned, self.returned = self.returned, None
        if returned is None:
            return
        values = self.seen.load(returned)
        self.names = dict(values)
        if self.state != "finished":
            return
        changed = self.seen.changed(returned, self.namespace)
        here = f"concompare.background()[{self.number}].names"
        if changed:
            self.state = "kept"
            names = ", ".join(f"`{name}`" for name in changed)
            self.said = f"not bound, since {names} changed meanwhile; the values are in {here}"
        else:
            self.state = "bound"
            for name in returned.kept:
                values.pop(name, None)
            exchange.bind(returned, values, self.namespace)
            self.said = f"bound {', '.join((*returned.given, *returned.filled)) or 'nothing'}"
        for name, reason in returned.kept.items():
            where = f"; the copy is in {here}" if name in self.names else ""
            self.said += f". `{name}` {reason}{where}"
        self.seen = exchange.Seen({})
        self.tell(self)

    def wait(self, timeout: float | None = None) -> Background:
        """Wait until the run has ended and bind its names.

        Args:
            timeout: Seconds to wait, at most; None: as long as it takes.

        Raises:
            TimeoutError: It has not ended by then. An interrupt ends the waiting, not the run.
            BaseException: What the cell raised.
        """
        if not self.ended.wait(timeout):
            raise TimeoutError(f"background run {self.number} is still running after {timeout:g} s")
        self.settle()
        if self.error is not None:
            raise self.error
        return self

    def cancel(self) -> None:
        """End the run if it has not ended; none of its names is bound."""
        if self.ended.is_set():
            return
        self.state, self.said = "cancelled", "nothing was bound"
        kill(self.process)
        self.ended.wait()
        with contextlib.suppress(subprocess.TimeoutExpired):  # its output has ended; the process itself, a moment later
            self.process.wait(ENDING)


class Backgrounds:
    """All background runs; `[1]` is the first."""

    def __init__(self, runs: list[Background]) -> None:
        self.runs = runs

    def __iter__(self) -> Iterator[Background]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, number: int) -> Background:
        """Return the run of a number, from 1; negative ones count from the last."""
        place = number - 1 if number > 0 else len(self.runs) + number
        if number == 0 or not 0 <= place < len(self.runs):
            raise IndexError(f"there is no background run {number}: there are {count(len(self.runs), 'run')}")
        return self.runs[place]

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.runs)) or "no background runs"

    def wait(self, timeout: float | None = None) -> Backgrounds:
        """Wait for all of them, one after the other; raises what the first that failed has raised."""
        for run in self.runs:
            if not run.ended.is_set() or run.state == "finished":
                run.wait(timeout)
        return self

    def cancel(self) -> None:
        """End all that run."""
        for run in self.runs:
            run.cancel()


def background() -> Backgrounds:
    """Return the runs of `%%parallel --background`: to list, to wait for, to cancel.

    ::

        concompare.background()             # number, state and first line of each
        concompare.background()[1].wait()   # until it has ended; raises what it raised
        concompare.background().cancel()    # all that still run
    """
    settle_all()
    return Backgrounds(list(RUNS))


def settle_all() -> None:
    """Bind the names of all runs that have finished."""
    for run in RUNS:
        if run.returned is not None and run.ended.is_set():
            run.settle()


def start(order: Order, namespace: dict[str, Any], tell: Callable[[Background], None]) -> Background:
    """Start a cell in the background.

    Args:
        order: What to run.
        namespace: The notebook, which gets its names.
        tell: Called, from another thread, when something is to be shown.
    """
    return Background(order, namespace, tell)


def refuse(tree: ast.Module) -> None:
    """Refuse a cell whose definitions would see the names of another process.

    Raises:
        CellRefused: It has some.
    """
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = next((node for node in tree.body if isinstance(node, kinds)), None)
    if found is not None:
        text = "a cell that defines functions or classes cannot run in the background"
        raise CellRefused(f"{text}. Define them in a cell of their own.", found.lineno)


def lines_of_cells() -> dict[str, list[str]]:
    """Return the lines of the notebook's cells by their file names, without magics at their top."""
    entries = [(name, entry) for name, entry in linecache.cache.items() if not os.path.exists(name)]
    found = {name: list(entry[2]) for name, entry in entries if len(entry) > 2}
    return {name: ["\n", *lines[1:]] if lines and lines[0].startswith("%%") else lines for name, lines in found.items()}


def check_backends(names: tuple[str, ...], namespace: dict[str, Any]) -> None:
    """Refuse executors of the notebook, which another process does not have.

    Raises:
        BadOption: There is one.
    """
    own = [name for name in names if name in namespace]
    if own:
        raise BadOption(f"--background with -b {own[0]}: an executor of the notebook cannot be used in the background")


def started() -> subprocess.Popen[bytes]:
    """Start a process that no interrupt of the notebook reaches, and which ends with it."""
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    path = [entry for entry in sys.path if isinstance(entry, str)]
    words = [sys.executable, "-c", START.format(path=path)]
    with shielded():
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **apart)
    atexit.register(kill, process)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its workers."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
