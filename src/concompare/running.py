"""A task comes in, its results go into the notebook, and a record of what was measured comes out.

run ─ one way ─────── run_once: the tail is replayed as results arrive
    ├ several ways ── run_each: every way runs, then the tail is replayed once
    └ auto ────────── run_auto: the first items in the plain loop, the others in what they promise
measure ───────────── a comparison; the tail is replayed once, with what the measuring kept
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO
from weakref import ref

from concompare import auto, backends, engine, machine
from concompare.auto import AUTO
from concompare.awaiting import is_coroutine_function
from concompare.engine import Outcome
from concompare.errors import BackendUnavailable, CannotShip, ConcompareError, Interrupted
from concompare.records import Comparison, Subject, Trial

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.cells.task import Task
    from concompare.elsewhere import OtherPython
    from concompare.measure import Kept, Progress
    from concompare.report import Report

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
        seed: Seed of one random stream for each item, and of the order of a comparison's blocks; None for none.
        timeout: Seconds that an item may take where its worker can be ended, or None.
        timeline: Whether to record when each worker was on a CPU.
        scaling: "strong" or "weak" for a comparison, or None for what suits the task.
        progress: Where runs longer than a second show how far they are, or None for nowhere.
        pythons: Other Pythons to compare with.
        usual: Whether no backend was named, so that those which suit the task are compared as well.
        native_threads: Threads of each BLAS or OpenMP pool in each worker, or None for the usual ones.
    """

    backends: tuple[Backend, ...]
    workers: tuple[int, ...] | None = None
    on_error: Literal["stop", "keep"] = "stop"
    chunk: int | None = None
    budget: float = BUDGET
    seed: int | None = None
    progress: TextIO | None = None
    timeout: float | None = None
    timeline: bool = False
    scaling: Literal["strong", "weak"] | None = None
    pythons: tuple[OtherPython, ...] = ()
    usual: bool = False
    native_threads: int | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """A task that ran: the value of its cell, what was measured on the way, and what was chosen for it.

    Attributes:
        value: Of the cell.
        task: What ran.
        trials: What was measured.
        seconds: From the beginning to the end.
        note: What `auto` chose, and why.
    """

    value: Any
    task: Task
    trials: tuple[Trial, ...]
    seconds: float
    note: str = ""

    @property
    def comparison(self) -> Comparison:
        """The trials with the environment, which takes longer to look at than many a task to run."""
        return Comparison(
            subject=subject_of(self.task, blob=False),
            environment=machine.environment(),
            trials=self.trials,
            seconds=self.seconds,
            created=now(),
        )


def run(task: Task, request: Request) -> Ran:
    """Run a task once on each backend and worker count asked for, and bind its results once."""
    began = time.perf_counter()
    note = ""
    if request.timeout is not None and request.backends == (AUTO,):
        request = replace(request, backends=(backends.find("processes"),))
        note = "auto: processes, since only there a time limit per item can be kept"
    if request.backends == (AUTO,) and len(request.workers or (1,)) == 1:
        trial, value, note = run_auto(task, request)
        return Ran(value, task, (trial,), time.perf_counter() - began, note)
    plan = [(backend, count) for backend in request.backends for count in counts_for(backend, request.workers)]
    if len(plan) == 1:
        trial, value = run_once(task, *plan[0], request)
        trials = [trial]
    else:
        trials, value = run_each(task, plan, request)
    return Ran(value, task, tuple(trials), time.perf_counter() - began, note)


def counts_for(backend: Backend, asked: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the worker counts to run a backend with; the plain loop has one, a cluster all of its own."""
    return (1,) if backend.name == "serial" else asked or (getattr(backend, "capacity", machine.usable_cpus)(),)


def run_once(task: Task, backend: Backend, workers: int, request: Request, expected: float = 0.0) -> tuple[Trial, Any]:
    """Run a task in one way, its tail replayed as results arrive; an error leaves what the plain loop would leave."""
    with failing(task):
        trial, outcome = one_pass(task, backend, workers, request, task.apply, expected=expected)
    return trial, task.finish(outcome.names)


def run_auto(task: Task, request: Request) -> tuple[Trial, Any, str]:
    """Run items in the plain loop until it is clear what promises most, and the others in that; no item runs twice."""
    sizes = auto.sizes_of(task)
    choice = auto.chosen_before(task) or auto.learned(task, sizes)
    if choice is not None:
        expected = auto.plain_before(task, sizes) if choice.backend == "serial" else 0.0
        backend = backends.find(choice.backend)
        request = replace(request, native_threads=request.native_threads or choice.native_threads)
        workers = counts_for(backend, request.workers or (choice.workers,))[0]
        trial, value = run_once(task, backend, workers, request, expected)
        if request.native_threads is None:
            auto.learn(task, sizes, (choice.backend, trial.workers), trial.passes[0])
        return trial, value, f"auto: {choice.reason}"
    from concompare.trying import Trying

    return Trying(task, request, sizes).run()


def run_each(task: Task, plan: list[tuple[Backend, int]], request: Request) -> tuple[list[Trial], Any]:
    """Run a task in several ways; the first that works gives the cell its results, at the end.

    What is wrong with another way, an item that fails only there included, is said in its row.

    The tail is replayed only after the last run, so that no run sees what another left.
    """
    task = replace(task, items=task.items if isinstance(task.items, Sequence) else engine.listed(task.items))
    trials: list[Trial] = []
    kept: list[tuple[int, Any]] | None = None
    names: Mapping[str, Any] = {}
    problems: list[ConcompareError] = []
    for backend, workers in plan:
        values: list[tuple[int, Any]] = []
        try:
            shown: Literal["show", "drop"] = "show" if kept is None else "drop"
            trial, outcome = one_pass(task, backend, workers, request, collector(values), output=shown)
        except ConcompareError as problem:
            problems.append(problem)
            trial = Trial(backend.name, workers, label=backend.label, problem=str(problem))
        except BaseException as error:
            if kept is None or not isinstance(error, Exception):
                left = engine.last().names
                if replay(task, values if kept is None else kept):
                    return trials, task.finish(left)
                task.fail(left)
                raise
            trial = Trial(backend.name, workers, label=backend.label, problem=f"{type(error).__name__}: {error}")
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
    on_value: Callable[[int, Any], bool],
    first: int = 0,
    *,
    output: Literal["show", "drop"] = "show",
    cap: float | None = None,
    expected: float = 0.0,
) -> tuple[Trial, Outcome]:
    """Run all items once, the first of them at that position, and return the trial of this one pass.

    With a `cap` no item is begun after so many seconds; `expected` are those of an item in an earlier plain loop.

    Raises:
        BackendUnavailable: The backend cannot run here.
    """
    if (reason := backend.unavailable()) is not None:
        raise BackendUnavailable(reason)
    native = request.native_threads
    leased = engine.lease(backend, workers, native_threads=native)
    with leased as pool, progress_bar(request.progress, task.name) as progress:
        options = engine.PassOptions(
            on_error=request.on_error,
            chunk=request.chunk,
            temporaries=task.temporaries,
            output=output,
            progress=progress,
            first=first,
            seed=request.seed,
            timeout=request.timeout,
            timeline=request.timeline,
            cap=cap,
            step=auto.STEP if cap is not None else None,
            expected=expected,
            # The tail had them; of an endless iterator there may be more than there is memory for.
            keep_values=task.count is not None or task.kind != "loop",
        )
        outcome = engine.run_pass(task.function, task.items, pool, options, count=task.count, on_value=on_value)
        record = outcome.record
        assert record is not None, "a pass that has ended has its record"
        trial = Trial(backend.name, workers, label=backend.label, passes=(record,), got=pool.got, native_threads=native)
        if pool.fresh_now:
            trial = replace(trial, start_up=pool.start_up, cold=pool.start_up + record.wall)
        return trial, outcome


@contextmanager
def failing(task: Task, names: Mapping[str, Any] | None = None) -> Iterator[None]:
    """When a pass ends with an error, bind what the plain loop would have left; `names` are from before it."""
    before = [ref(outcome) for outcome in (latest(),) if outcome is not None]  # its values may go when others come
    try:
        yield
    except BaseException:
        after = latest()
        ran = after is not None and not any(outcome() is after for outcome in before)
        if after is not None and ran:  # else it was refused before any item
            task.fail({**(names or {}), **after.names})
        raise


def latest() -> Outcome | None:
    """Return the outcome of the last pass, if there was one."""
    try:
        return engine.last()
    except LookupError:
        return None


@contextmanager
def progress_bar(stream: TextIO | None, name: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """Give a receiver of (items finished, items) that shows a bar after a second; the bar is gone at the end."""
    if stream is None:
        yield None
        return
    from tqdm import tqdm

    width = None if stream.isatty() else 80
    with tqdm(desc=name, unit="item", leave=False, delay=1.0, mininterval=0.25, file=stream, ncols=width) as bar:

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


def measure(task: Task, request: Request, show: Callable[[Progress], None] | None = None) -> Report:
    """Compare the ways to run a task, bind its results once, and return the report."""
    from concompare import elsewhere
    from concompare.measure import compare
    from concompare.report import Report

    items = task.items if isinstance(task.items, list) else engine.listed(task.items)
    task = replace(task, items=items, count=len(items))
    try:
        comparison, kept = compare(
            task.function,
            items,
            backends=(*request.backends, *(suiting(task) if request.usual else ()), *request.pythons),
            runner=elsewhere.Runner() if request.pythons else None,
            workers=request.workers,
            budget=request.budget,
            subject=subject_of(task),
            scaling=request.scaling or ("weak" if task.kind == "call" else "strong"),  # one call for every worker
            seed=request.seed,
            streams=request.seed,
            timeout=request.timeout,
            timeline=request.timeline,
            show=show,
            temporaries=task.temporaries,
            chunk=request.chunk,
            native_threads=request.native_threads,
        )
    except KeyboardInterrupt as error:
        when = str(error) if isinstance(error, Interrupted) else "interrupted between two passes"
        raise Interrupted(f"the comparison is not finished: {when}") from None
    auto.remember(task, comparison)
    stopped = replay(task, with_output(kept))
    if kept.error is not None and not stopped:
        task.fail(kept.names)
        raise kept.error
    task.finish(kept.names)
    return Report(comparison, results=kept.values)


def suiting(task: Task) -> Iterator[Backend]:
    """Yield the backends that are compared besides the usual ones where they can run the task."""
    if is_coroutine_function(task.function):
        yield backends.find("asyncio")
    interpreters = backends.find("interpreters")
    if interpreters.unavailable() is None and interpreters.can_run(task.function):  # type: ignore[attr-defined]
        yield interpreters


def with_output(kept: Kept) -> Iterator[tuple[int, Any]]:
    """Yield the kept results in item order, each after what its item printed."""
    printed: dict[int, list[tuple[str, str]]] = {}
    for position, stream, text in kept.output:
        printed.setdefault(position, []).append((stream, text))
    for position, value in enumerate(kept.values):
        for stream, text in printed.get(position, ()):
            engine.show(stream, text)
        yield position, value


def subject_of(task: Task, *, blob: bool = True) -> Subject:
    """Return the task as data; with `blob`, its size as shipped too, where it can be shipped."""
    items = task.count if task.count is not None else 0
    sources = (task.source, task.head_source, task.tail_source)
    subject = Subject(task.name, task.kind, *sources, items, statement=task.statement)
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
