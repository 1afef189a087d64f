"""A task whose first items say how the others run: the plain loop, looked at now and then, and what promises more.

plain loop ─ look ─ plain loop ─ look ─ … ─> the end, or the rest in what promises most
└ some items on threads, once
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from concompare import backends, engine, formats, machine
from concompare.engine import Outcome
from concompare.errors import BackendUnavailable
from concompare.records import THREADS, Message, Pass, Trial
from concompare.run import auto_history
from concompare.run.fallback import join, joined
from concompare.run.once import counts_for, failing, latest, watched_pass
from concompare.run.request import Request
from concompare.run.witness import words_of_drawing
from concompare.worker import state_watch

if TYPE_CHECKING:
    from concompare.analysis.pick import Choice
    from concompare.backends import Backend
    from concompare.cells.task import Task


MOSTLY, LONG = 0.5, 0.01
"""Share of the time, and seconds, in the notebook from which on it is said that a call stays there."""


class Trying:
    """A task whose first items say how the others run."""

    def __init__(self, task: Task, request: Request, sizes: auto_history.Sizes) -> None:
        self.task, self.request, self.sizes = task, request, sizes
        self.changed: list[int] = []
        self.items = engine.watched(task.items, self.changed)
        self.outcome: Outcome | None = None
        self.record: Pass | None = None
        self.names: dict[str, Any] = {}
        self.latest: Pass | None = None
        self.plainly: list[Message] = []
        self.sizes_shipped: list[int | None] = []
        self.done = 0
        self.two_threads: float | None = None
        self.mean = 0.0
        self.differs = ""

    @property
    def left(self) -> int | None:
        """The number of items left, where it is known."""
        return None if self.task.count is None else self.task.count - self.done

    def run(self) -> tuple[Trial, Any, str]:
        """Run the plain loop for a while, look, and go on with it or with what promises more."""
        plain, size, until, wall = backends.plain(), 1, auto_history.PROBE, 0.0
        choice: Choice | None = None
        trial = self.recorded(plain)
        if trial is None or not self.ended:
            trial = self.first(plain)
        while not self.ended:
            assert self.latest is not None, "some items have run"
            wall += self.latest.wall
            self.plainly += self.latest.messages
            size, mean = self.latest.items, max(1e-9, self.latest.wall / max(1, self.latest.items))
            if wall >= until and not (self.changed or self.differs):
                latest = self.latest.messages
                self.try_threads(wall)
                if self.ended or self.differs:
                    continue
                rise = auto_history.rise(self.plainly, self.left)
                choice = auto_history.choose(self.task, latest, self.left, self.two_threads, rise, self.size_as_shipped)
                if not choice.plain:
                    return self.rest(choice)
            until = auto_history.next_look(wall) if wall >= until else until
            size = max(1, min(auto_history.GROWTH * size, int((until - wall) / mean) + 1))
            trial = self.some(plain, 1, size, until - wall)
        if self.left == 0 and not (self.changed or self.differs):
            self.learn(auto_history.PLAIN, self.record)
        reason = choice.reason if choice else "the plain loop, which was done before anything else could start"
        if (rest := self.share_in_notebook()) > MOSTLY:
            share = f"{formats.percent(rest)} of the time"
            reason = f"the plain loop: {self.task.staying} stays in the notebook and takes {share}"
        if self.changed:
            reason = "the plain loop, since the items are one object with other contents each time: give copies instead"
        if self.differs:
            reason = f"ran as the plain loop: {self.differs}"
        return self.whole(trial), self.finished(), f"auto: {reason}"

    def recorded(self, plain: Backend) -> Trial | None:
        """Take the results of the first items from the file of an earlier run, if it has them."""
        recorder = self.request.recorder
        size = recorder.leading(self.done) if recorder is not None else 0
        return self.some(plain, 1, size, 0.0) if size else None

    def first(self, plain: Backend) -> Trial:
        """Run the first item in the plain loop, and see whether it draws from what all items share."""
        watching = self.request.witnessed and self.request.seed is None
        sources = dict(state_watch.captured(self.task.function)) if watching else {}
        before = state_watch.random_states(sources) if watching else {}
        trial = self.some(plain, 1, 1)
        drawn = [name for name, _ in state_watch.drawn(before, state_watch.random_states(sources))] if before else []
        if drawn:
            self.differs = words_of_drawing(0, drawn)
        return trial

    def size_as_shipped(self, task: Task) -> int | None:
        """Return the bytes of the task's function as it would be sent, which take long to find where it is large."""
        if not self.sizes_shipped:
            self.sizes_shipped.append(auto_history.size_as_shipped(task))
        return self.sizes_shipped[0]

    def share_in_notebook(self) -> float:
        """Return the share of the plain loop's time that the items' own computing did not take."""
        if self.record is None or not self.task.staying:
            return 0.0
        rest = self.record.wall - sum(map(auto_history.taken, self.record.messages))
        return rest / self.record.wall if rest >= LONG else 0.0

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to run."""
        assert self.outcome is not None, "some items have run"
        assert self.latest is not None
        return self.outcome.stopped or self.left == 0 or self.latest.items == 0

    def try_threads(self, wall: float) -> None:
        """Run some items on threads, once, where it may matter how they do."""
        assert self.latest is not None
        self.mean, usable = self.latest.wall / max(1, self.latest.items), machine.usable_cpus()
        left, computing = self.left or 0, self.latest.cpu > 0.5 * self.latest.wall
        may = self.two_threads is None and auto_history.threads_may(self.task)
        if may and computing and usable > 1 and left > 4 * usable and left * self.mean > 4 * wall:
            size = max(usable, int(auto_history.PROBE * usable / self.mean))
            self.some(backends.find(THREADS), usable, min(size, left // 4))
            self.two_threads = self.latest.cpu / max(1e-9, self.latest.wall)  # one GIL lets them have one CPU together

    def rest(self, choice: Choice) -> tuple[Trial, Any, str]:
        """Run all other items as chosen."""
        backend = backends.find(choice.backend)
        workers = counts_for(backend, self.request.workers or (choice.workers,))[0]
        before = latest()
        try:
            trial = self.some(backend, workers, None)
        except BackendUnavailable as problem:
            if latest() is not before:
                raise
            return self.rest_without(backend, problem)
        assert self.record is not None
        if self.differs:
            return self.whole(trial), self.finished(), f"auto: ran as the plain loop: {self.differs}"
        plainly = self.mean
        if backend.isolation == "process":  # their calls take what they take in the plain loop, GIL and all
            plainly = sum(map(auto_history.taken, self.record.messages)) / max(1, self.record.items)
        guesses = {auto_history.PLAIN: plainly}
        if self.two_threads is not None:
            guesses[THREADS, machine.usable_cpus()] = plainly / max(1.0, self.two_threads)
        self.learn((backend.name, workers), self.record, guesses)
        return self.whole(trial), self.finished(), f"auto: {choice.reason}"

    def rest_without(self, backend: Backend, problem: BackendUnavailable) -> tuple[Trial, Any, str]:
        """Run all other items in threads or the plain loop: the workers that were chosen cannot be started."""
        assert self.latest is not None
        messages, choice = self.latest.messages, None
        if backend.isolation != "thread":
            choice = auto_history.choose(self.task, messages, self.left, self.two_threads, shipped=lambda task: None)
        name, workers = (choice.backend, choice.workers) if choice is not None else auto_history.PLAIN
        chosen = backends.find(name)
        trial = self.some(chosen, counts_for(chosen, self.request.workers or (workers,))[0], None)
        ran = "the plain loop" if trial.plain else f"{name} × {trial.workers}"
        return self.whole(trial), self.finished(), f"auto: {ran}, since {problem}"

    def learn(
        self, way: tuple[str, int], record: Pass | None, guesses: Mapping[tuple[str, int], float] | None = None
    ) -> None:
        """Note what a run took, unless its native threads were limited: the next run may have all of them."""
        if self.request.native_threads is None and self.request.recorder is None:
            auto_history.learn(self.task, self.sizes, way, record, guesses)

    def some(self, backend: Backend, workers: int, size: int | None, seconds: float | None = None) -> Trial:
        """Run so many of the items that are left, or all of them.

        Args:
            backend: What runs them.
            workers: How many workers.
            size: How many items, or None for all.
            seconds: Time after which no further items are begun.
        """
        count = self.left if size is None else self.task.count
        task = replace(self.task, items=self.items if size is None else islice(self.items, size), count=count)
        try:
            with failing(self.task, self.names):
                trial, outcome, words = watched_pass(
                    task, backend, workers, self.request, self.task.apply, self.done, cap=seconds
                )
        finally:
            if self.outcome is not None:
                join(self.outcome, engine.last())
        self.names |= outcome.names
        self.differs = self.differs or words
        self.outcome, self.latest = outcome, trial.passes[0]
        if self.latest.stopped is not None:  # its time was up, which is not the end
            self.outcome.stopped, self.latest = False, replace(self.latest, stopped=None)
            self.outcome.record = replace(self.outcome.record or self.latest, stopped=None)
        self.done += self.latest.items
        self.record = self.latest if self.record is None else joined(self.record, self.latest)
        return trial

    def whole(self, trial: Trial) -> Trial:
        """Return the trial with the pass over all items."""
        assert self.record is not None
        return replace(trial, passes=(self.record,))

    def finished(self) -> Any:
        """Bind the names; return the cell's value."""
        return self.task.finish(self.names)
