"""Runners of a cell's loops, one after the other: in parallel, or comparing the ways to run them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from concompare import backends
from concompare.backends.traits import is_plain
from concompare.records import AS_WRITTEN, Pass, Trial
from concompare.run import preflight, short_loops
from concompare.run.auto_history import AUTO
from concompare.run.once import latest

if TYPE_CHECKING:
    from concompare.cells.ir import Loop
    from concompare.cells.program import Cell
    from concompare.cells.replay.binding import Lifted
    from concompare.cells.task import Task
    from concompare.errors import CellRefused
    from concompare.measure.compare import Progress
    from concompare.report.report import Report
    from concompare.run.dispatch import Ran
    from concompare.run.request import Request


@dataclass
class Telling:
    """Say each sentence about a cell once.

    Attributes:
        say: Shows one sentence.
        waiting: Sentences that are worth saying only where nothing else is said of the cell.
        because: A reason was said.
    """

    say: Callable[[str], None]
    said: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    because: bool = False

    def __call__(self, *sentences: str) -> None:
        """Say what was not said yet."""
        for sentence in sentences:
            if sentence not in self.said:
                self.said.add(sentence)
                self.say(sentence)

    def plainly(self, refusal: CellRefused, kind: str = "loop") -> None:
        """Say why work of some kind runs as it is; later, if at all, of a loop whose body only moves data."""
        sentence = f"ran as {'it is' if kind == 'call' else 'the plain loop'}: {refusal}"
        self.because = self.because or not refusal.idle
        if refusal.idle:
            self.waiting.append(sentence)
        else:
            self(sentence)


def looked_at(
    task: Task, lifted: Lifted, request: Request, tell: Telling, *, repeated: bool, assume_pure: bool, repeat_ok: bool
) -> Request:
    """Say what the user should know before a loop runs; returns how it is to run.

    Raises:
        CellRefused: The items would do several times what should be done once, or depend on their order.
    """
    if repeated:
        preflight.refuse_repeats(lifted, repeat_ok=repeat_ok)
    tell(*lifted.notes, *lifted.hazards)
    kinds = {backend.isolation for backend in request.backends if backend is not AUTO}
    notes = preflight.check(
        task,
        lifted,
        repeated=repeated,
        seeded=request.seed is not None,
        started=bool(kinds - {"none", "thread"}),
        assume_pure=assume_pure,
        repeat_ok=repeat_ok,
    )
    tell(*notes, *backends.hazards(request.backends))
    outside = bool(lifted.outside)
    witnessed = request.witnessed and not outside
    return replace(request, outside=outside, witnessed=witnessed, draws=lifted.draws, caches=lifted.caches)


@dataclass
class Running:
    """Runs the loops of a cell in parallel.

    Attributes:
        source: The cell.
        ran: What ran, in order.
    """

    request: Request
    tell: Telling
    assume_pure: bool = False
    source: str = ""
    ran: list[Ran] = field(default_factory=list)

    def run(self, task: Task, lifted: Lifted) -> float:
        """Run a loop in parallel; returns what its items took."""
        from concompare.run import dispatch

        request = looked_at(
            task, lifted, self.request, self.tell, repeated=False, assume_pure=self.assume_pure, repeat_ok=True
        )
        self.ran.append(dispatch.run(task, replace(request, say=self.tell)))
        outcome = latest()
        self.tell(*(outcome.remade if outcome is not None else ()))
        short_loops.note(self.source, lifted.loop.begins, self.ran[-1].work, self.ran[-1].seconds)
        return self.ran[-1].work

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop as the plain loop, and say why."""
        self.tell.plainly(refusal, loop.kind)
        if self.request.resume is not None:
            self.tell(f"{self.request.resume.path} has nothing of a loop that runs as it is")
        return short_loops.played(self.source, loop.begins, play)

    def by_loop(self) -> list[tuple[Ran, int, float]]:
        """Return of each loop its longest run, how often it ran and the seconds of all of them; the longest first."""
        loops: dict[tuple[int, str], list[Ran]] = {}
        for ran in self.ran:
            loops.setdefault((ran.task.line, ran.task.name), []).append(ran)
        found = [(max(runs, key=seconds_of), len(runs), sum(map(seconds_of, runs))) for runs in loops.values()]
        return sorted(found, key=lambda each: -each[2])


def seconds_of(ran: Ran) -> float:
    """Return the seconds of a run."""
    return ran.seconds


@dataclass
class Comparing:
    """Compares for each loop of a cell the ways to run it, once; loops that come round again just run.

    Attributes:
        share: The part of the budget that each loop gets.
        reports: Of the loops that were compared, in order; `plain`: of those that cannot run in parallel.
    """

    cell: Cell
    request: Request
    tell: Telling
    show: Callable[[Progress], None] | None = None
    assume_pure: bool = False
    repeat_ok: bool = False
    share: float = 1.0
    reports: list[Report] = field(default_factory=list)
    plain: list[Report] = field(default_factory=list)
    compared: set[int] = field(default_factory=set)

    def run(self, task: Task, lifted: Lifted) -> None:
        """Compare the ways to run a loop."""
        from concompare.run import dispatch

        request = looked_at(
            task,
            lifted,
            self.request,
            self.tell,
            repeated=id(lifted.loop) not in self.compared,
            assume_pure=self.assume_pure,
            repeat_ok=self.repeat_ok,
        )
        if id(lifted.loop) in self.compared:
            dispatch.run(task, replace(request, backends=(backends.plain(),), workers=None))
            return
        self.compared.add(id(lifted.loop))
        self.tell(*dispatch.remade(task))
        since = request.since if self.share == 1.0 else None  # of several loops each has a part of its own
        request = replace(request, budget=request.budget * self.share, since=since)
        head, tail = lifted.sources
        task = replace(task, head_source=head, tail_source=tail)
        written = as_written(task, lifted) if lifted.as_written is not None and not task.changing else None
        report = dispatch.measure(task, request, self.show)
        self.reports.append(with_trial(report, written) if written is not None else report)

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop as the plain loop, and note how long it took and why there are no other ways."""
        self.tell.plainly(refusal, loop.kind)
        items, inside = self.cell.refused[-1].count, len(self.reports)
        wall, cpu = time.perf_counter(), cpu_seconds()
        value = play()
        record = Pass(items, time.perf_counter() - wall, cpu_seconds() - cpu)
        if id(loop) not in self.compared and len(self.reports) == inside:  # else its time is that of comparisons
            self.compared.add(id(loop))
            self.plain.append(plain_report(self.cell, loop, refusal, record, self.request))
        return value

    @property
    def longest(self) -> Report | None:
        """The report of the loop that takes longest plainly, or of the plain loop where none could be compared."""
        found = self.reports or self.plain
        return max(found, key=plain_seconds, default=None)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended, where the system tells of those."""
    return sum(os.times()[:4])


def as_written(task: Task, lifted: Lifted) -> Trial:
    """Return the trial of the parallel code that the cell has itself."""
    assert lifted.as_written is not None
    trial = Trial(AS_WRITTEN, lifted.own_workers, label=f"as written: {lifted.loop.own}")
    try:
        if lifted.prepare is not None:
            lifted.prepare()
        wall, cpu = time.perf_counter(), cpu_seconds()
        lifted.as_written()
    except Exception as error:
        return replace(trial, problem=f"{type(error).__name__}: {error}")
    record = Pass(task.count or 0, time.perf_counter() - wall, cpu_seconds() - cpu)
    return replace(trial, passes=(record,))


def with_trial(report: Report, trial: Trial) -> Report:
    """Return a report with one more row."""
    from concompare.report.report import Report

    comparison = replace(report.comparison, trials=(*report.comparison.trials, trial))
    return Report(comparison, report.findings, report.results, plots=report.plots)


def plain_report(cell: Cell, loop: Loop, refusal: CellRefused, record: Pass, request: Request) -> Report:
    """Return the report on a loop that cannot run in parallel: the plain loop's time, and the reason in other rows."""
    from concompare import machine
    from concompare.records import Comparison, Subject
    from concompare.report.report import Report
    from concompare.run.dispatch import now
    from concompare.run.once import counts_for, trial_of

    serial = backends.plain()
    others = [backend for backend in request.backends if not is_plain(backend)]
    rows = [trial_of(backend, counts_for(backend, request.workers)[0], str(refusal)) for backend in others]
    subject = Subject(loop.caption, loop.kind, cell.source, items=record.items)
    trials = (replace(trial_of(serial, 1), passes=(record,), same=True), *rows)
    comparison = Comparison(subject, machine.environment(), trials, seconds=record.wall, created=now())
    return Report(comparison, findings=())


def plain_seconds(report: Report) -> float:
    """Return the seconds of the plain loop of a report, as far as they were measured."""
    serial = [trial for trial in report.comparison.trials if trial.plain]
    return max((part.wall for trial in serial for part in trial.passes), default=0.0)
