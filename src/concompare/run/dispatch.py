"""A task comes in, its results go into the notebook, and a record of what was measured comes out.

run ─ one way ─────── run_once: the tail is replayed as results arrive
    ├ several ways ── run_each: every way runs, then the tail is replayed once
    └ auto ────────── run_auto: the first items in the plain loop, the others in what they promise
measure ───────────── a comparison; the tail is replayed once, with what the measuring kept
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from concompare import backends, engine, machine
from concompare.errors import BackendUnavailable, CannotShip, ConcompareError, Interrupted
from concompare.records import PROCESSES, Comparison, Environment, Subject, Trial
from concompare.run import auto_history
from concompare.run.auto_history import AUTO
from concompare.run.copied_items import for_each_run, why_not
from concompare.run.once import counts_for, latest, one_pass, run_once, trial_of
from concompare.run.request import Request
from concompare.run.witness import Again, Differs, States
from concompare.worker.compute import OWN
from concompare.worker.state_watch import captured

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.cells.task import Task
    from concompare.engine.transport.functions import Shipment
    from concompare.measure.compare import Kept, Progress
    from concompare.measure.tails import Tails
    from concompare.report.report import Report
    from concompare.run.resuming import Resume


@dataclass(frozen=True, slots=True)
class Ran:
    """A task that ran: the value of its cell, what was measured on the way, and what was chosen for it.

    Attributes:
        value: Of the cell.
        task: What ran.
        trials: What was measured.
        seconds: From the beginning to the end.
        usable: CPUs that it might use.
        note: What `auto` chose, and why.
    """

    value: Any
    task: Task
    trials: tuple[Trial, ...]
    seconds: float
    usable: int
    note: str = ""

    @property
    def work(self) -> float:
        """The seconds that items took in the last way, without those that they waited for a CPU."""
        return sum(auto_history.taken(part) for found in self.trials[-1].passes for part in found.messages)

    @property
    def comparison(self) -> Comparison:
        """The trials with the environment, which takes longer to look at than many a task to run."""
        return self.compared_in(machine.environment())

    @property
    def outline(self) -> Comparison:
        """The trials with as much of the environment as their summary needs."""
        return self.compared_in(machine.outline(self.usable), brief=True)

    def compared_in(self, environment: Environment, *, brief: bool = False) -> Comparison:
        """Return the trials with this environment; in brief: without the code for a script."""
        return Comparison(
            subject=subject_of(self.task, blob=False, short=not brief),
            environment=environment,
            trials=self.trials,
            seconds=self.seconds,
            created=now(),
        )


def run(task: Task, request: Request) -> Ran:
    """Run a task once on each backend and worker count asked for, and bind its results once."""
    ran = run_as_asked(task, request) if request.resume is None else run_on(request.resume, task, request)
    let_go(request)
    return ran


def run_on(resume: Resume, task: Task, request: Request) -> Ran:
    """Run what a file has no results of yet, and keep in it what comes."""
    recorder = resume.begin(task, request.seed)
    try:
        ran = run_as_asked(task, replace(request, recorder=recorder))
    finally:
        resume.end(recorder)
    items = sum(part.items for trial in ran.trials for part in trial.passes)
    return replace(ran, note=". ".join(filter(None, (resume.note(recorder, items), ran.note))))


def let_go(request: Request) -> None:
    """Keep the values of the last pass no longer than is asked for."""
    outcome = latest()
    if outcome is not None and request.kept is not None:
        outcome.let_go(request.kept)


def run_as_asked(task: Task, request: Request) -> Ran:
    """Run a task and keep everything that the last pass gave."""
    began = time.perf_counter()
    note, usable = "", machine.usable_cpus()
    if request.timeout is not None and request.backends == (AUTO,):
        request = replace(request, backends=(backends.find(PROCESSES),))
        note = "auto: processes, since only there a time limit per item can be kept"
    if request.backends == (AUTO,) and len(request.workers or (1,)) == 1:
        trial, value, note = run_auto(task, request)
        return Ran(value, task, (trial,), time.perf_counter() - began, usable, note)
    plan = [(backend, count) for backend in request.backends for count in counts_for(backend, request.workers, usable)]
    if len(plan) == 1:
        trial, value, said = run_once(task, *plan[0], request)
        trials, note = [trial], ". ".join(filter(None, (note, said)))
    else:
        trials, value = run_each(task, plan, request)
    return Ran(value, task, tuple(trials), time.perf_counter() - began, usable, note)


def run_auto(task: Task, request: Request) -> tuple[Trial, Any, str]:
    """Run items in the plain loop until it is clear what promises most, and the others in that."""
    sizes = auto_history.sizes_of(task)
    choice = auto_history.chosen_before(task)
    if choice is not None:
        backend = backends.find(choice.backend)
        request = replace(request, native_threads=request.native_threads or choice.native_threads)
        workers = counts_for(backend, request.workers or (choice.workers,))[0]
        before = latest()
        try:
            trial, value, words = run_once(task, backend, workers, request)
        except BackendUnavailable as problem:
            if latest() is not before:
                raise
            trial, value, _ = run_once(task, backends.plain(), 1, request)
            return trial, value, f"auto: the plain loop, since {problem}"
        if request.native_threads is None and request.recorder is None and not words:
            auto_history.learn(task, sizes, (choice.backend, trial.workers), trial.passes[0])
        return trial, value, f"auto: {words or choice.reason}"
    from concompare.run.adaptive import Trying

    return Trying(task, request, sizes, auto_history.learned(task, sizes)).run()


def run_each(task: Task, plan: list[tuple[Backend, int]], request: Request) -> tuple[list[Trial], Any]:
    """Run a task in several ways; the first that works gives the cell its results, at the end.

    What is wrong with another way, an item that fails only there included, is said in its row.

    The tail is replayed only after the last run, so that no run sees what another left.
    """
    from concompare.measure.tails import Tails, with_notebook

    began = time.perf_counter()
    items = task.items if isinstance(task.items, Sequence) else listed(task, request)
    task, taking = replace(task, items=items, count=len(items)), time.perf_counter() - began
    if unable := why_not(task):
        return once(task, plan, request, f"not run: {unable}")
    ways = Ways(replace(task, items=for_each_run(task, items)), request)
    if (stopped := ways.run(plan)) is not None:
        return ways.trials, task.finish(stopped)
    if ways.kept is None and ways.problems:
        raise ways.problems[0]
    if ways.kept is None:
        trial, value, _ = run_once(task, backends.plain(), 1, request)
        return [*ways.trials, trial], value
    tails = Tails(task.apply, engine.show, time.perf_counter, taking)
    tails.replay(dict(ways.kept))
    subject, environment = subject_of(task, blob=False), machine.environment()
    found = with_notebook(Comparison(subject, environment, tuple(ways.trials)), tails.record(subject.items))
    return list(found.trials), task.finish(ways.names)


def once(task: Task, plan: list[tuple[Backend, int]], request: Request, why: str) -> tuple[list[Trial], Any]:
    """Run a task in the first of several ways, and say of the others why they did not run."""
    trial, value, _ = run_once(task, *plan[0], request)
    return [trial, *(trial_of(backend, workers, why) for backend, workers in plan[1:])], value


@dataclass
class Ways:
    """Several ways to run a task, one after the other.

    Attributes:
        trials: Of the ways that ran, in order; `problems`: why others could not.
        kept: Positions and results of the first way that worked; `names`: what its items assigned.
        states: Of the random sources, as they were before.
    """

    task: Task
    request: Request
    trials: list[Trial] = field(default_factory=list)
    problems: list[ConcompareError] = field(default_factory=list)
    kept: list[tuple[int, Any]] | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    states: States = field(default_factory=States)

    def run(self, plan: Iterable[tuple[Backend, int]]) -> Mapping[str, Any] | None:
        """Run all of them; where an item fails in the first, its tail stops before, return the names that are left."""
        for backend, workers in plan:
            values: list[tuple[int, Any]] = []
            try:
                self.trials.append(self.trial(backend, workers, values))
            except BaseException as error:
                if self.kept is None or not isinstance(error, Exception):
                    left = engine.last().names
                    if replay(self.task, values if self.kept is None else self.kept):
                        return left
                    self.task.fail(left)
                    raise
                self.trials.append(trial_of(backend, workers, f"{type(error).__name__}: {error}"))
        return None

    def trial(self, backend: Backend, workers: int, values: list[tuple[int, Any]]) -> Trial:
        """Run the task in one way, its results into `values`; return its trial, or the reason why it has none."""
        shown: Literal["show", "drop"] = "show" if self.kept is None else "drop"
        again = Again(self.task.items, 0)
        try:
            collect = collector(values)
            trial, outcome = one_pass(self.task, backend, workers, self.request, collect, output=shown, kept=again)
        except Differs as differs:
            if differs.states is not None or self.kept is None:
                self.states.restore()
            return trial_of(backend, workers, f"not used: {differs}")
        except ConcompareError as problem:
            self.problems.append(problem)
            return trial_of(backend, workers, str(problem))
        if self.kept is None:
            self.kept, self.names = values, outcome.names
        return trial


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
    from concompare.measure.tails import Tails, with_notebook
    from concompare.report.report import Report

    began = time.perf_counter()
    items = task.items if isinstance(task.items, list) else listed(task, request)
    task = replace(task, items=items, count=len(items))
    tails = Tails(task.apply, engine.show, time.perf_counter, time.perf_counter() - began)
    try:
        comparison, kept = compared(task, for_each_run(task, items), request, tails, show)
    except KeyboardInterrupt as error:
        if tails.done:
            task.fail({})
        when = str(error) if isinstance(error, Interrupted) else "interrupted between two passes"
        raise Interrupted(f"the comparison is not finished: {when}") from None
    except Exception:
        if tails.done:
            task.fail({})
        raise
    stopped = tails.replay(dict(enumerate(kept.values)), kept.output)
    comparison = with_notebook(comparison, tails.record(len(items)))
    auto_history.remember(task, comparison)
    if kept.error is not None and not stopped:
        end_with(kept.error, task, kept)
    task.finish(kept.names)
    let_go(request)
    return Report(comparison, results=kept.values)


def listed(task: Task, request: Request) -> list[Any]:
    """Return all items; where taking one fails, the plain loop of those before it runs, and ends with that error."""
    taken, error = engine.taken_of(task.items)
    if error is not None:
        run_once(replace(task, items=engine.failing_after(taken, error), count=None), backends.plain(), 1, request)
    return taken


def end_with(error: BaseException, task: Task, kept: Kept) -> NoReturn:
    """End as the plain loop does at the item that failed: with what it printed and did before that."""
    for position, stream, text in kept.output:
        if position == kept.failed:
            engine.show(stream, text)
    try:
        raise error  # what puts the names back looks at what is being raised
    except BaseException:
        task.fail({**kept.names, OWN: kept.own})
        raise


def compared(
    task: Task, items: Sequence[Any], request: Request, tails: Tails, show: Callable[[Progress], None] | None
) -> tuple[Comparison, Kept]:
    """Compare the ways to run a task, as a request asks for; return what was measured, and what is kept of it."""
    from concompare.measure.compare import compare
    from concompare.pythons import host

    return compare(
        task.function,
        items,
        backends=(*request.backends, *(backends.suiting(task.function) if request.usual else ()), *request.pythons),
        runner=host.Runner() if request.pythons else None,
        workers=request.workers,
        budget=request.budget,
        asked=request.asked,
        since=request.since,
        drawing=drawing_seconds() if request.since is not None else 0.0,
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
        tails=tails,
        enough=request.enough,
        places=request.places,
    )


def drawing_seconds() -> float:
    """Return about how long a report takes to be drawn here: longer where what draws it is not loaded yet."""
    return 0.5 if "matplotlib.figure" in sys.modules else 1.0


def subject_of(task: Task, *, blob: bool = True, short: bool = True) -> Subject:
    """Return the task as data; with `blob`, its size as shipped too, where it can be; with `short`, as a script."""
    items = task.count if task.count is not None else 0
    sources = (task.source, task.head_source, task.tail_source)
    subject = Subject(task.name, task.kind, *sources, items, statement=task.statement, staying=task.staying)
    if short and task.short is not None:
        subject = replace(subject, short=task.short())
    if not blob:
        return subject
    shipment = shipped(task)
    return subject if shipment is None else replace(subject, blob=len(shipment.blob), captured=shipment.captured)


def shipped(task: Task) -> Shipment | None:
    """Return a task's function as worker processes are sent it; None where it cannot be sent."""
    from concompare.engine.transport.functions import ship

    try:
        return ship(task.function)
    except CannotShip:
        return None


def remade(task: Task) -> tuple[str, ...]:
    """Return a sentence on each object that worker processes make again, where a task captures one by its name."""
    from concompare.cells.recipes.recipe import kind_of

    if all(kind_of(type(thing)) is None for _, thing in captured(task.function)):
        return ()
    shipment = shipped(task)
    return () if shipment is None else shipment.remade


def now() -> str:
    """Return the time of day as it is saved."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
