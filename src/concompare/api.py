"""`map` and `compare` for scripts, and the steps that the magics share with them.

A task comes in, its results go into the notebook, and a record of what was measured comes out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from concompare import backends, engine, machine
from concompare.cells.task import Task, task_of
from concompare.engine.failures import user_part
from concompare.errors import BackendUnavailable, BadOption, CannotShip, ConcompareError
from concompare.records import Comparison, Subject, Trial

if TYPE_CHECKING:
    from concompare.advise import Choice
    from concompare.backends import Backend
    from concompare.measure import Kept, Progress
    from concompare.report import Report

Item = TypeVar("Item")
Value = TypeVar("Value")

COMPARED = ("serial", "threads", "processes")
"""The backends that are compared when none is named."""
BUDGET = 30.0
"""Seconds that a comparison takes at most, when nothing is said."""


@dataclass(frozen=True, slots=True)
class Request:
    """How a task is to be run, or compared.

    Attributes:
        backends: The backends, found and in the order they were named.
        workers: The worker counts, or None for the usual ones.
        on_error: "stop": the first failing item raises. "keep": failures become values.
        chunk: Items per message, or None: from the measured time of an item.
        budget: Seconds for a whole comparison.
        seed: Seed of the order of a comparison's blocks, or None for a new one.
        progress: Whether runs longer than a second show how far they are.
    """

    backends: tuple[Backend, ...]
    workers: tuple[int, ...] | None = None
    on_error: Literal["stop", "keep"] = "stop"
    chunk: int | None = None
    budget: float = BUDGET
    seed: int | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """A task that ran: the value of its cell, what was measured on the way, and what was chosen for it."""

    value: Any
    comparison: Comparison
    note: str = ""


# ---- scripts ---------------------------------------------------------------------------------------------------------


def map(
    function: Callable[[Item], Value],
    items: Iterable[Item],
    /,
    *,
    backend: str | Executor = "auto",
    workers: int | str | None = None,
    on_error: str = "stop",
    chunk: int | None = None,
    progress: bool = False,
) -> list[Value]:
    """Return `[function(item) for item in items]`, computed by several workers.

    Args:
        function: Called once per item. It may be defined in a notebook or be a lambda.
        items: Any iterable; it is consumed as workers become free.
        backend: The name of a backend, an executor of yours, or "auto".
        workers: How many, "max" for all usable CPUs (the default), or "2x" for twice that.
        on_error: "stop" raises the exception of the first failing item, with its index and repr as a note; "keep"
            leaves a `Failure` in its place.
        chunk: Items per message to a worker; by default from the measured time of an item.
        progress: Whether to show a progress bar on runs longer than a second.

    Raises:
        ConcompareError: An option, a backend or the function cannot be used.
    """
    task = task_of(function, items)
    request = request_of([backend], workers, on_error=on_error, chunk=chunk, progress=progress)
    try:
        values: list[Value] = run(task, request).value
    except ConcompareError:
        raise
    except Exception as error:
        raise error.with_traceback(user_part(error.__traceback__))  # noqa: B904 (itself, without our frames)
    return values


def compare(
    function: Callable[[Item], object],
    items: Iterable[Item],
    /,
    *,
    backends: Sequence[str | Executor] | None = None,
    workers: int | str | Sequence[int] | None = None,
    budget: float = BUDGET,
    seed: int | None = None,
) -> Report:
    """Measure in which kind of workers, and in how many, `[function(item) for item in items]` is fastest, and why.

    Args:
        function: Called once per item. Its results must not depend on other items.
        items: The items; an iterator is read to its end first.
        backends: Names of backends, or executors of yours; by default the plain loop, threads and processes.
        workers: Worker counts to try ([1, 2, 4], "1-8", "max"); by default 1, 2, 4, … up to the usable CPUs.
        budget: Seconds for the whole comparison.
        seed: Seed of the randomised order; the same seed gives the same order.

    Raises:
        ConcompareError: An option or a backend cannot be used.
    """
    task = task_of(function, list(items))
    report, _ = measure_task(task, request_of(backends or COMPARED, workers, budget=budget, seed=seed))
    return report


def load(path: str | PathLike[str]) -> Report:
    """Return a report that was saved as JSON; nothing in the file is executed.

    Raises:
        ReportDamaged: The file is not a report, is damaged, or was written by a newer version.
    """
    from concompare.report import load as read

    return read(Path(path))


def last() -> Any:
    """Return what the last pass left: values, failures and record; incomplete after an error or an interrupt."""
    return engine.last()


# ---- what was asked for ----------------------------------------------------------------------------------------------


def request_of(
    names: Sequence[str | Executor],
    workers: int | str | Sequence[int] | None,
    *,
    namespace: Mapping[str, Any] | None = None,
    **options: Any,
) -> Request:
    """Return the request for these backends and worker counts, everything found and checked before anything runs.

    Raises:
        BadOption: A value that cannot be used.
        UnknownBackend: No backend of that name, and no executor.
        BackendNotInstalled: The backend needs a package that is missing.
    """
    if options.get("on_error", "stop") not in ("stop", "keep"):
        raise BadOption(f"on_error is {options['on_error']!r}: use 'stop' or 'keep'")
    if (chunk := options.get("chunk")) is not None and chunk < 1:
        raise BadOption(f"chunk is {chunk}: use 1 or more items per message")
    if options.get("budget", BUDGET) <= 0:
        raise BadOption(f"budget is {options['budget']:g}: use a number of seconds above 0")
    found = tuple(find(name, namespace or {}) for name in dict.fromkeys(names))
    return Request(found, worker_counts(workers), **options)


def find(name: str | Executor, namespace: Mapping[str, Any]) -> Backend:
    """Return the backend of that name, or the one around an executor."""
    if not isinstance(name, str):
        return backends.find("executor", {"executor": name})
    return AUTO if name == "auto" else backends.find(name, namespace)


class Auto:
    """Stands for the backend that is chosen when the task is known."""

    name = label = "auto"
    isolation = "unknown"
    chunk = None
    ephemeral = False


AUTO: Any = Auto()


def worker_counts(asked: int | str | Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the worker counts that are meant by `4`, `1,2,4`, `1-8`, `max` (usable CPUs) or `2x` (twice that).

    Raises:
        BadOption: It is none of these.
    """
    if asked is None:
        return None
    parts = asked.split(",") if isinstance(asked, str) else [asked] if isinstance(asked, int) else list(asked)
    counts = [count for part in parts for count in counts_of(str(part).strip())]
    return tuple(dict.fromkeys(counts))


def counts_of(text: str) -> Iterable[int]:
    """Return the counts that one part of the option means."""
    first, dash, final = text.partition("-")
    if text == "max":
        return [machine.usable_cpus()]
    if text.endswith("x") and text[:-1].isdecimal() and int(text[:-1]) > 0:
        return [int(text[:-1]) * machine.usable_cpus()]
    if text.isdecimal() and int(text) > 0:
        return [int(text)]
    if dash and first.isdecimal() and final.isdecimal() and 0 < int(first) <= int(final):
        return range(int(first), int(final) + 1)
    raise BadOption(f"{text!r} is not a number of workers: write 4, 1,2,4, 1-8, max or 2x")


# ---- running ---------------------------------------------------------------------------------------------------------


def run(task: Task, request: Request) -> Ran:
    """Run a task once on each backend and worker count asked for, and bind its results once."""
    began = time.perf_counter()
    request, note = settle(task, request)
    plan = [(backend, count) for backend in request.backends for count in counts_for(backend, request.workers)]
    if len(plan) == 1:
        trial, value = run_once(task, *plan[0], request)
        trials = [trial]
    else:
        trials, value = run_each(task, plan, request)
    comparison = Comparison(
        subject=subject_of(task, blob=False),
        environment=machine.environment(),
        trials=tuple(trials),
        seconds=time.perf_counter() - began,
        created=now(),
    )
    return Ran(value, comparison, note)


def settle(task: Task, request: Request) -> tuple[Request, str]:
    """Return the request with `auto` replaced by a choice, and in one line what was chosen and why."""
    if AUTO not in request.backends:
        return request, ""
    choice = choose(task, request)
    chosen = backends.find(choice.backend, {})
    named = tuple(chosen if backend is AUTO else backend for backend in request.backends)
    workers = request.workers or ((choice.workers,) if len(named) == 1 else None)
    return replace(request, backends=tuple(dict.fromkeys(named)), workers=workers), f"auto: {choice.reason}"


def choose(task: Task, request: Request) -> Choice:
    """Return the backend and worker count that `auto` stands for, and why."""
    from concompare import advise

    cpus = machine.usable_cpus()
    before = COMPARISONS.get(key_of(task))
    if before is not None and before.pick in backends.names():
        return advise.choose(advise.Known((), (), task.count, cpus), before.comparison)
    if task.count is not None and task.count < 2:
        return advise.Choice("serial", 1, "the plain loop, for there is one item")
    if cpus == 1 and request.workers is None:
        return advise.Choice("serial", 1, "the plain loop, for one CPU is usable")
    return advise.Choice("processes", cpus, "processes, which run Python code on every CPU; %%concompare measures it")


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of this session, and the backend that it recommends."""

    comparison: Comparison
    pick: str


COMPARISONS: dict[tuple[str, str], Compared] = {}
"""The last comparison of each task of this session, by name and source; `auto` goes by them."""
REMEMBERED = 64
"""How many are kept."""


def key_of(task: Task) -> tuple[str, str]:
    """Return what tells one cell's task from another's."""
    return task.name, task.source


def remember(task: Task, comparison: Comparison) -> None:
    """Keep a comparison for `auto`; the oldest is given up."""
    from concompare import advise

    COMPARISONS.pop(key_of(task), None)
    COMPARISONS[key_of(task)] = Compared(comparison, advise.pick(comparison).backend)
    for oldest in list(COMPARISONS)[:-REMEMBERED]:
        del COMPARISONS[oldest]


def counts_for(backend: Backend, asked: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the worker counts to run a backend with; the plain loop has one."""
    return (1,) if backend.name == "serial" else asked or (machine.usable_cpus(),)


def run_once(task: Task, backend: Backend, workers: int, request: Request) -> tuple[Trial, Any]:
    """Run a task in one way, its tail replayed as results arrive; an error leaves what the plain loop would leave."""
    if (reason := backend.unavailable()) is not None:
        raise BackendUnavailable(reason)
    try:
        trial, outcome = one_pass(task, backend, workers, request, "show", task.apply)
    except ConcompareError:
        raise
    except BaseException:
        task.fail(names_left())
        raise
    return trial, task.finish(outcome.names)


def run_each(task: Task, plan: list[tuple[Backend, int]], request: Request) -> tuple[list[Trial], Any]:
    """Run a task in several ways; the first that works gives the cell its results, at the end.

    The tail is replayed only after the last run, so that no run sees what another left.
    """
    task = replace(task, items=task.items if isinstance(task.items, Sequence) else list(task.items))
    trials: list[Trial] = []
    kept: list[tuple[int, Any]] | None = None
    names: Mapping[str, Any] = {}
    problems: list[ConcompareError] = []
    for backend, workers in plan:
        values: list[tuple[int, Any]] = []
        try:
            if (reason := backend.unavailable()) is not None:
                raise BackendUnavailable(reason)
            shown: Literal["show", "drop"] = "show" if kept is None else "drop"
            trial, outcome = one_pass(task, backend, workers, request, shown, collector(values))
        except ConcompareError as problem:
            problems.append(problem)
            trial = Trial(backend.name, workers, label=backend.label, problem=str(problem))
        except BaseException:
            if replay(task, values if kept is None else kept):
                return trials, task.finish(names_left())
            task.fail(names_left())
            raise
        else:
            if kept is None:
                kept, names = values, outcome.names
        trials.append(trial)
    if kept is None:
        raise problems[0]
    replay(task, kept)
    return trials, task.finish(names)


def one_pass(
    task: Task,
    backend: Backend,
    workers: int,
    request: Request,
    output: Literal["show", "drop"],
    on_value: Callable[[int, Any], bool],
) -> tuple[Trial, engine.Outcome]:
    """Run all items once and return the trial of this one pass."""
    with engine.lease(backend, workers) as pool, progress_bar(request.progress, task.name) as progress:
        options = engine.PassOptions(
            on_error=request.on_error,
            chunk=request.chunk,
            temporaries=task.temporaries,
            output=output,
            progress=progress,
        )
        outcome = engine.run_pass(task.function, task.items, pool, options, count=task.count, on_value=on_value)
        record = outcome.record
        assert record is not None, "a pass that has ended has its record"
        trial = Trial(backend.name, workers, label=backend.label, passes=(record,), got=pool.got)
        if pool.fresh_now:
            trial = replace(trial, start_up=pool.start_up, cold=pool.start_up + record.wall)
        return trial, outcome


@contextmanager
def progress_bar(wanted: bool, name: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """Give a receiver of (items finished, items) that shows a bar after a second; the bar is gone at the end."""
    if not wanted:
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=name, unit="item", leave=False, delay=1.0, mininterval=0.25, dynamic_ncols=True) as bar:

        def show(finished: int, total: int | None) -> None:
            bar.total = total
            bar.update(finished - bar.n)

        yield show


def collector(values: list[tuple[int, Any]]) -> Callable[[int, Any], bool]:
    """Return a receiver that keeps every result and stops at none."""

    def collect(position: int, value: Any) -> bool:
        values.append((position, value))
        return False

    return collect


def replay(task: Task, values: Iterable[tuple[int, Any]]) -> bool:
    """Replay the tail for these results, in item order; return whether the loop stopped at one of them."""
    return any(task.apply(position, value) for position, value in values)


def names_left() -> Mapping[str, Any]:
    """Return the temporaries of the pass that was cut short."""
    try:
        return engine.last().names
    except LookupError:
        return {}


# ---- comparing -------------------------------------------------------------------------------------------------------


def measure_task(task: Task, request: Request, show: Callable[[Progress], None] | None = None) -> tuple[Report, Kept]:
    """Compare the ways to run a task, bind its results once, and return the report and what was kept for the user."""
    from concompare import measure
    from concompare.report import Report

    items = task.items if isinstance(task.items, list) else list(task.items)
    task = replace(task, items=items, count=len(items))
    comparison, kept = measure.compare(
        task.function,
        items,
        backends=request.backends,
        workers=request.workers,
        budget=request.budget,
        subject=subject_of(task),
        scaling="weak" if task.kind == "call" else "strong",  # one call is one call for every worker
        seed=request.seed,
        show=show,
        temporaries=task.temporaries,
        chunk=request.chunk,
    )
    remember(task, comparison)
    stopped = replay(task, with_output(kept))
    if kept.error is not None and not stopped:
        task.fail(kept.names)
        raise kept.error
    task.finish(kept.names)
    return Report(comparison, results=kept.values), kept


def with_output(kept: Kept) -> Iterator[tuple[int, Any]]:
    """Yield the kept results in item order, each after what its item printed."""
    printed: dict[int, list[tuple[str, str]]] = {}
    for position, stream, text in kept.output:
        printed.setdefault(position, []).append((stream, text))
    for position, value in enumerate(kept.values):
        for stream, text in printed.get(position, ()):
            (sys.stderr if stream == "stderr" else sys.stdout).write(text)
        yield position, value


def subject_of(task: Task, *, blob: bool = True) -> Subject:
    """Return the task as data; with `blob`, its size as shipped too, where it can be shipped."""
    items = task.count if task.count is not None else 0
    subject = Subject(task.name, task.kind, task.source, task.head_source, task.tail_source, items)
    if not blob:
        return subject
    try:
        shipment = engine.ship(task.function)
    except CannotShip:
        return subject
    return replace(subject, blob=len(shipment.blob), captured=shipment.captured)


def now() -> str:
    """Return the time of day as it is saved."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
