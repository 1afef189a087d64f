"""A task whose own items say how the others run: each way is measured on items that count, and left where it is slower.

plain loop ─ look ─ plain loop ─ look ─ … ─> the end
               │ ├ some items on threads, once
               │ └ processes start meanwhile
               └ what promises most ─ look ─ … ─> the end, or back to what is faster

A stretch is a pass over some of the items. It ends with the last item that it has begun, so that none runs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from concompare import backends, engine, formats, machine
from concompare.analysis import pick
from concompare.engine import Outcome
from concompare.engine.growth import Growth
from concompare.engine.serial_pass import Rest
from concompare.errors import BackendUnavailable
from concompare.records import PLAIN, THREADS, Message, Pass, Trial
from concompare.run import auto_history
from concompare.run.fallback import join, joined
from concompare.run.judging import Judge
from concompare.run.once import counts_for, failing, latest, watched_pass
from concompare.run.request import Request
from concompare.run.witness import words_of_drawing
from concompare.worker import state_watch

if TYPE_CHECKING:
    from concompare.analysis.pick import Choice
    from concompare.cells.task import Task

Enough = Callable[[Sequence[Message], float], bool]

MOSTLY, LONG = 0.5, 0.01
"""Share of the time, and seconds, in the notebook from which on it is said that a call stays there."""

LATE = 2.0
"""How many times as long as in earlier runs the plain loop takes before it is looked at whether something is faster."""

ENDING = 3
"""How many times as much the time in the way that ran last counts, when it is said in which one the task ran."""

FIRST_THREADS, MOST_THREADS = 4, 256
"""Threads for each CPU that items which wait begin with, and the most that are tried."""

SLICED = (list, tuple, range, str, bytes)
"""Types of items of which those that are left can be had as one slice."""


class Trying:
    """A task whose own items say how the others run.

    Args:
        task: The task.
        request: How it is to be run.
        sizes: Of its items.
        start: What earlier runs recommend to begin with; None: the plain loop.

    Attributes:
        done: How many items ran; `over`: whether that is all.
        trials: Of each way the trial of its last stretch, and the seconds of all.
        latest: What the last stretch took.
        agreed: The backends that gave what the notebook gives.
        differs: Why workers are not trusted, in words.
    """

    def __init__(self, task: Task, request: Request, sizes: auto_history.Sizes, start: Choice | None = None) -> None:
        self.task, self.request, self.sizes, self.start = task, request, sizes, start
        self.changed: list[int] = []
        self.sliced = type(task.items) in SLICED
        self.items: Any = task.items if self.sliced else engine.watched(task.items, self.changed)
        self.judge = Judge(task, request, auto_history.plain_before(task, sizes) if start is not None else 0.0)
        self.outcome: Outcome | None = None
        self.record: Pass | None = None
        self.names: dict[str, Any] = {}
        self.trials: dict[tuple[str, int], tuple[Trial, float]] = {}
        self.latest: Pass | None = None
        self.agreed: set[str] = set()
        self.done, self.over, self.differs = 0, False, ""

    @property
    def left(self) -> int | None:
        """The number of items left, where it is known."""
        return None if self.task.count is None else self.task.count - self.done

    def run(self) -> tuple[Trial, Any, str]:
        """Run all items, each stretch in what promises most then."""
        way = self.begin()
        while not self.over:
            if way is None or way.plain:
                self.stretch(PLAIN, 1, self.enough_plainly)
            elif self.judge.tasting is not None:
                self.taste(way)
            else:
                self.on_workers(way)
            way = self.judge.next
        assert self.record is not None
        final = next(reversed(self.trials))  # what it came to, unless that was little
        most = max(self.trials, key=lambda way: self.trials[way][1] * (ENDING if way == final else 1))
        trial = replace(self.trials[most][0], passes=(self.record,))
        self.learn(trial)
        return trial, self.task.finish(self.names), f"auto: {self.reason(trial)}"

    # ---------------------------------------------------------------------------------------------------- stretches

    def begin(self) -> Choice | None:
        """Run what comes before anything can be chosen; return what is next."""
        start = self.start
        if start is None:
            self.first()
            if self.over or self.differs:
                return None
            self.judge.open_early(self.left)
            return self.judge.next
        self.judge.say(start)
        if not start.plain:
            return start
        late = max(auto_history.PROBE, LATE * (start.seconds or 0.0))
        self.stretch(PLAIN, 1, lambda messages, passed: passed > late, expected=self.judge.paces.plain)
        return None

    def first(self) -> None:
        """Run the first item in the plain loop, and see whether it draws from what all items share."""
        watching = self.request.witnessed and self.request.seed is None
        sources = dict(state_watch.captured(self.task.function)) if watching else {}
        before = state_watch.random_states(sources) if watching else {}

        def enough(messages: Sequence[Message], passed: float) -> bool:
            self.enough_plainly(messages, passed)  # which chooses where it was a long one
            return True

        self.stretch(PLAIN, 1, enough, size=1 if self.request.recorder is None else None)
        drawn = [name for name, _ in state_watch.drawn(before, state_watch.random_states(sources))] if before else []
        if drawn:
            self.differs = words_of_drawing(0, drawn)

    def enough_plainly(self, messages: Sequence[Message], passed: float) -> bool:
        """Say whether the plain loop is to be left; never where workers would see other items, or other numbers."""
        return not (self.changed or self.differs) and self.judge.enough_plainly(messages, passed)

    def taste(self, way: Choice) -> None:
        """Run some items on threads, to see how they do."""
        assert self.judge.tasting is not None
        size = self.judge.tasting
        self.stretch(way.backend, way.workers, self.judge.enough_of_a_taste, size=size)
        assert self.latest is not None
        self.judge.tasted(self.latest.cpu, self.latest.wall, self.latest.items)
        self.judge.next = self.judge.decide((), self.judge.plainly) if not self.over else None

    def on_workers(self, way: Choice) -> None:
        """Run items on workers until that is enough; where these cannot start, on what can."""
        backend = backends.find(way.backend)
        workers = counts_for(backend, self.request.workers or (way.workers,))[0]
        growth = self.growth_from(way) if backend.isolation == "thread" else None
        way = replace(way, workers=workers if growth is None else growth.now)
        before = latest()
        try:
            workers = workers if growth is None else growth.most
            self.stretch(way.backend, workers, partial(self.judge.enough, way), growth=growth)
            if growth is not None:
                self.judge.found(way, growth.now)
        except BackendUnavailable as problem:
            if latest() is not before:
                raise
            choice = self.judge.without_processes(problem) if backend.isolation != "thread" else None
            self.judge.next = choice
            if choice is None:
                self.judge.problem = problem
                self.stretch(PLAIN, 1, None)

    def growth_from(self, way: Choice) -> Growth | None:
        """Return the number of threads as it grows, for items that wait; None where they compute, or it is given."""
        usable = machine.usable_cpus()
        if self.request.workers is not None or way.workers <= usable:
            return None
        known = way if way is self.start else self.judge.hinted
        first = FIRST_THREADS * usable
        if known is not None and known.backend == way.backend:
            first = max(usable, known.workers)
        most = MOST_THREADS if self.left is None else min(MOST_THREADS, self.left)
        return Growth(min(first, most), most)

    def stretch(
        self,
        name: str,
        workers: int,
        enough: Enough | None,
        *,
        size: int | None = None,
        expected: float = 0.0,
        growth: Growth | None = None,
    ) -> None:
        """Run items in one way until that is enough, or all that are left.

        Args:
            name: Of the backend.
            workers: How many.
            enough: As in `PassOptions`.
            size: How many items; None: until it is enough.
            expected: Seconds that an item took in an earlier plain loop.
            growth: The number of threads as it grows, where it does.
        """
        self.judge.begin(self.done, self.left)
        task = replace(self.task, items=self.next_items(size, plainly=name == PLAIN), count=self.left)
        witnessed = self.request.witnessed and name not in self.agreed
        try:
            with failing(self.task, self.names):
                trial, outcome, words = watched_pass(
                    task, backends.find(name), workers, replace(self.request, witnessed=witnessed), self.task.apply,
                    self.done, enough=enough, expected=expected, growth=growth,
                )  # fmt: skip
        finally:
            if self.outcome is not None:
                join(self.outcome, engine.last())
        self.names |= outcome.names
        self.outcome, self.latest, self.differs = outcome, trial.passes[0], self.differs or words
        self.agreed.add(name)
        self.take(trial, size)

    def next_items(self, size: int | None, *, plainly: bool) -> Any:
        """Return the next items, so many or all that are left; the plain loop walks them where they are."""
        if self.sliced and not self.done and size is None:
            return self.items
        if self.sliced and plainly and size is None:
            return Rest(self.items, self.done)
        if self.sliced:
            return self.items[self.done : None if size is None else self.done + size]
        return self.items if size is None else islice(self.items, size)

    def take(self, trial: Trial, size: int | None) -> None:
        """Take in what a stretch took, of so many items or of as many as there are."""
        outcome, record = self.outcome, self.latest
        assert outcome is not None
        assert record is not None
        self.done += record.items
        self.record = record if self.record is None else joined(self.record, record)
        if trial.plain:
            self.judge.ran_plainly(record.messages, record.wall)
        way = trial.backend, trial.workers
        took = sum(map(auto_history.taken, record.messages)) or record.wall  # without what started workers meanwhile
        self.trials[way] = trial, took + self.trials.pop(way, (trial, 0.0))[1]
        if outcome.left and not self.sliced:
            self.items = chain(outcome.left, self.items)
        all_ran = not outcome.paused and (size is None or record.items < size)
        self.over = outcome.stopped or self.left == 0 or all_ran

    # ----------------------------------------------------------------------------------------------- what came of it

    def learn(self, trial: Trial) -> None:
        """Note what the run took, unless its native threads were limited: the next run may have all of them."""
        record, judge = self.record, self.judge
        alone = self.request.native_threads is None and self.request.recorder is None  # nobody else's limits or results
        if not alone or self.differs or self.changed or record is None:
            return
        each = record.wall / max(1, record.items)
        guesses = {(name, machine.usable_cpus()): each * ratio for name, ratio in judge.paces.ratios.items()}
        if trial.plain:
            if self.left == 0:
                auto_history.learn(self.task, self.sizes, auto_history.PLAIN, record, guesses)
            return
        plainly = judge.paces.plain
        if trial.isolation == "process":  # their calls take what they take in the plain loop, GIL and all
            plainly = sum(map(auto_history.taken, record.messages)) / max(1, record.items)
        guesses = {auto_history.PLAIN: plainly}
        if judge.two_threads is not None:
            guesses[THREADS, machine.usable_cpus()] = plainly / max(1.0, judge.two_threads)
        auto_history.learn(self.task, self.sizes, (trial.backend, trial.workers), record, guesses)

    def reason(self, trial: Trial) -> str:
        """Return why it ran as it did."""
        ran = "the plain loop" if trial.plain else f"{trial.backend} × {trial.workers}"
        if self.differs:
            return f"ran as the plain loop: {self.differs}"
        if self.changed:
            return "the plain loop, since the items are one object with other contents each time: give copies instead"
        if self.judge.problem is not None:
            return f"{ran}, since {self.judge.problem}"
        if trial.plain and (share := self.share_in_notebook()) > MOSTLY:
            took = f"{formats.percent(share)} of the time"
            return f"the plain loop: {self.task.staying} stays in the notebook and takes {took}"
        said = self.judge.reasons.get(trial.backend)
        if said is None:
            said = pick.DONE if trial.plain else ran
        backend, words = self.judge.left_behind
        return f"{said}; {words}" if words and backend != trial.backend and words not in said else said

    def share_in_notebook(self) -> float:
        """Return the share of the plain loop's time that the items' own computing did not take."""
        if self.record is None or not self.task.staying:
            return 0.0
        rest = self.record.wall - sum(map(auto_history.taken, self.record.messages))
        return rest / self.record.wall if rest >= LONG else 0.0
