"""The same task on another installed Python, in the same blocks as on this one.

    Runner ─┬─ engine: this Python's backends
            └─ Guest: a process of the other Python ── orders, answers ──> guest.py, sent as text

Nothing of ours has to be installed there. The function goes as source (`function_source`), items and results as
pickles. What is timed there is what a notebook of it would wait for: from the first item to the last, with everything
at hand.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from concompare import engine
from concompare.backends.base import Backend, Start, kill_processes
from concompare.backends.clusters.cluster import ProcessAt
from concompare.backends.traits import Isolation, Traits
from concompare.errors import BackendUnavailable, BadOption, CannotShip
from concompare.pythons import guest
from concompare.pythons.function_source import recipe_of
from concompare.records import PLAIN, PROCESSES, THREADS, Message, Pass

PATIENCE = 20.0
"""Seconds that another Python may take to start, to load the function, or to end a pass that is over its cap."""

EACH = 2.0
"""Seconds that each of its processes may take besides."""

MARK = " @ "
"""Between the kind of workers and the Python in a trial's name."""


KINDS: dict[str, tuple[str, Isolation, str]] = {
    PLAIN: ("plain loop", "none", ""),
    THREADS: ("threads", "thread", "thread"),
    PROCESSES: ("processes", "process", "process"),
}
"""What is run on another Python, what tables call it, what its workers share, and what one of them is called."""


@dataclass(frozen=True, slots=True)
class OtherPython:
    """The plain loop, threads or processes of another Python, as a backend.

    Attributes:
        path: Its executable.
        name: What the trials are called: "threads @ 3.14t".
    """

    path: str
    name: str
    chunk: int | None = None
    ephemeral: bool = True

    @property
    def kind(self) -> str:
        """Return which of them it is."""
        return self.name.partition(MARK)[0]

    @property
    def isolation(self) -> Isolation:
        """Return what its workers share with one another."""
        return KINDS[self.kind][1]

    @property
    def traits(self) -> Traits:
        """Return what its workers are like."""
        python = self.name.partition(MARK)[2]
        return Traits(KINDS[self.kind][2], self.isolation != "none", self.isolation != "none", python=python)

    @property
    def label(self) -> str:
        """Return what tables call it."""
        kind, mark, version = self.name.partition(MARK)
        return KINDS[kind][0] + mark + version

    def unavailable(self) -> str | None:
        """Return None: it was asked what it is already."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Raise BackendUnavailable: passes there are run in a comparison only."""
        raise BackendUnavailable(f"{self.name}: another Python is for comparing; start a kernel with it to run there")

    def processes(self, executor: Executor) -> list[Any]:
        """Return none."""
        return []

    def kill(self, executor: Executor) -> None:
        """Do nothing: there are none."""


def find_all(names: Sequence[str]) -> tuple[OtherPython, ...]:
    """Return what is run on the Pythons of these paths, or names such as `3.14t`, each named by its version.

    Raises:
        BadOption: There is no such interpreter, or it does not start.
    """
    found: list[OtherPython] = []
    for name in dict.fromkeys(names):
        path = executable(name)
        version = version_of(path)
        taken = {other.name.partition(MARK)[2] for other in found}
        label = next(v for v in (short(version), version, path) if v not in taken)
        found += [OtherPython(path, f"{kind}{MARK}{label}") for kind in KINDS]
    return tuple(found)


def short(version: str) -> str:
    """Return a version without its last number: `3.14.2t` is `3.14t`."""
    number, free = version.rstrip("t"), version.endswith("t")
    return ".".join(number.split(".")[:2]) + "t" * free


def executable(name: str) -> str:
    """Return the path of an interpreter.

    Raises:
        BadOption: It is not there.
    """
    if os.sep in name or name.startswith("~"):
        path = Path(name).expanduser()
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
        raise BadOption(f"--python {name}: there is no such program")
    for candidate in (f"python{name}", name):
        if found := shutil.which(candidate):
            return found
    raise BadOption(f"--python {name}: no python{name} on the PATH; give the path of the interpreter")


@cache
def version_of(path: str) -> str:
    """Return an interpreter's version, with a `t` where it is a free-threaded build.

    Raises:
        BadOption: It does not start, or is too old.
    """
    script = (
        "import sys, sysconfig; t = 't' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''; "
        "print('concompare', '.'.join(map(str, sys.version_info[:3])) + t)"
    )
    try:
        ran = subprocess.run([path, "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadOption(f"--python {path}: it does not start: {error}") from None
    words = ran.stdout.split()
    if ran.returncode or len(words) != 2 or words[0] != "concompare":
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BadOption(f"--python {path}: it does not start: {last}")
    if tuple(map(int, words[1].rstrip("t").split("."))) < (3, 8, 0):
        raise BadOption(f"--python {path} is Python {words[1]}: the code that runs there needs 3.8 or newer")
    return words[1]


# ------------------------------------------------------------------------------------------------------------- a guest


class Guest:
    """A process of another Python that runs passes.

    Attributes:
        start_up: Seconds until it and its processes were ready.
        got: Its workers.
        python: What it is, as it says.
    """

    def __init__(self, backend: OtherPython, workers: int) -> None:
        self.backend, self.got = backend, workers
        self.start_up = 0.0
        self.loaded: Callable[[Any], Any] | None = None
        self.python: dict[str, Any] = {}
        began = time.perf_counter()
        self.pids: list[int] = []
        text = Path(guest.__file__).read_text(encoding="utf-8")
        self.process = subprocess.Popen(
            [backend.path, "-c", f"text = __import__('sys').argv[1]\n{guest.MAKE}module.serve(text)", text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the notebook's process group is not for it
        )
        try:
            self.python = self.ask({"do": "facts"}, PATIENCE)
            if backend.isolation == "process":
                self.pids = self.ask({"do": "open", "workers": workers}, PATIENCE + EACH * workers)["pids"]
        except BaseException:
            self.close()
            raise
        self.start_up = time.perf_counter() - began

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and those that it started."""
        kill_processes([ProcessAt(pid) for pid in self.pids])
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def ask(self, order: dict[str, Any], patience: float | None) -> dict[str, Any]:
        """Send an order and return its answer.

        Args:
            order: What to do.
            patience: Seconds to wait, or None for as long as it takes.

        Raises:
            BackendUnavailable: It cannot be done there, or the process has ended.
        """
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        data = pickle.dumps(order, 4)
        try:
            stdin.write(len(data).to_bytes(8, "little") + data)
            stdin.flush()
        except OSError:
            raise self.ended() from None
        late = threading.Timer(patience, self.process.kill) if patience is not None else None
        if late is not None:
            late.daemon = True
            late.start()
        try:
            head = stdout.read(8)
            data = stdout.read(int.from_bytes(head, "little"))
        finally:
            if late is not None:
                late.cancel()
        if len(head) < 8:
            raise self.ended()
        answer: dict[str, Any] = pickle.loads(data)
        if "problem" in answer:
            raise BackendUnavailable(f"not possible there: {answer['problem']}")
        return answer

    def ended(self) -> BackendUnavailable:
        """Return that the process is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        return BackendUnavailable(f"{self.backend.name}: its process ended (exit code {self.process.returncode})")

    def load(self, function: Callable[[Any], Any]) -> None:
        """Have it make the function, unless it has."""
        if self.loaded is function:
            return
        self.ask({"do": "load", "recipe": recipe_of(function)}, None)
        self.loaded = function

    def run_pass(
        self, function: Callable[[Any], Any], items: Sequence[Any], options: engine.PassOptions
    ) -> engine.Outcome:
        """Run a pass there; see `engine.run_pass`.

        Raises:
            BackendUnavailable: It cannot run there, or an item raised there what it does not raise here.
        """
        if options.seed is not None or options.timeout is not None:
            raise BackendUnavailable("another Python takes neither a seed nor a time limit per item")
        self.load(function)
        order = {
            "do": "pass",
            "kind": self.backend.kind,
            "items": pickled(items),
            "workers": self.got,
            "chunk": options.chunk,
            "pairs": bool(options.temporaries),
            "cap": options.cap,
        }
        answer = self.ask(order, None if options.cap is None else options.cap + PATIENCE)
        if "error" in answer:
            place, kind, text = answer["error"]
            raise BackendUnavailable(f"item {options.place(place + options.first)} raised {kind} there: {text}")
        outcome = engine.Outcome(values=pickle.loads(answer["values"]), stopped=answer["stopped"])
        outcome.record = record_of(answer, len(items), options)
        return outcome


def pickled(items: Sequence[Any]) -> bytes:
    """Return the items as a pickle that another Python can load.

    Raises:
        CannotShip: It could not.
    """
    try:
        data = pickle.dumps(list(items), 4)
    except Exception as error:
        raise CannotShip(f"the items cannot be sent to another Python: {type(error).__name__}: {error}") from None
    if b"__main__" in data:
        raise CannotShip("the items are of a class that is defined in the notebook: put it into a module")
    return data


def record_of(answer: dict[str, Any], count: int, options: engine.PassOptions) -> Pass:
    """Return the record of a pass from what the other Python said of it."""
    messages = tuple(
        Message(first, ran, worker, sent, start, start, end, end, done, cpu=cpu, waited=waited, seconds=seconds)
        for first, ran, worker, (sent, start, end, done), cpu, waited, seconds in sorted(answer["messages"])
    )
    return Pass(
        items=sum(message.count for message in messages) if answer["stopped"] else count,
        wall=answer["wall"],
        cpu=sum(message.cpu for message in messages),
        stopped=f"stopped after {options.cap:.3g} s" if answer["stopped"] and options.cap is not None else None,
        messages=messages,
        gil=tuple(answer["gil"]),
    )


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs passes where they belong: other Pythons in guests, everything else in the engine."""

    PassOptions: Callable[..., Any] = field(default=engine.PassOptions)

    def lease(self, backend: Backend, workers: int, **options: Any) -> Any:
        """Return open workers; see `engine.lease`."""
        if isinstance(backend, OtherPython):
            if options.get("native_threads"):
                raise BackendUnavailable(
                    f"native threads cannot be limited in {backend.label}: leave --native-threads out"
                )
            return Guest(backend, workers)
        return engine.lease(backend, workers, **options)

    def run_pass(self, function: Callable[[Any], Any], items: Any, pool: Any, options: Any, **how: Any) -> Any:
        """Run a pass; see `engine.run_pass`."""
        if isinstance(pool, Guest):
            return pool.run_pass(function, items, options)
        return engine.run_pass(function, items, pool, options, **how)
