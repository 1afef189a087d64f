"""In which way the next items of a task run: by what those before took, in every way that was tried."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from concompare import backends, engine, machine
from concompare.analysis.pick import NATIVE, Choice
from concompare.errors import BackendUnavailable
from concompare.records import PLAIN, PROCESSES, THREADS
from concompare.run import auto_history
from concompare.run.once import counts_for, latest

if TYPE_CHECKING:
    from concompare.cells.task import Task
    from concompare.records import Message
    from concompare.run.request import Request

TRIAL, TURNS = 0.05, 2
"""Seconds, and messages of each worker after its first, by which workers are judged."""

TOGETHER = 1.2
"""CPUs that threads have together, against what the plain loop has, from which they are not taken to share one GIL."""

DEAR = 0.1
"""Seconds of computing that a taste of threads may take where processes can run the items too."""

WORSE, STRIKES, HOPELESS = 1.05, 3, 1.5
"""How many times as long as in the plain loop items take on workers that are left again: when they are judged for so
many times in a row, since items may be longer just then; at once where it is much and the workers hardly compute."""

SHORTEST = 2e-6
"""Seconds of an item below which threads cannot help: to give the GIL away and to get it back takes as long."""

SPOILT = 2.0
"""How many times as long as in the plain loop a taste of threads may take."""

PATIENT, WORTH_WAITING = 0.5, 0.05
"""Part of an item for which is waited for workers that start, and the least seconds of that: to begin one more item
here would take longer."""


class Paces:
    """What an item takes in each way, against the plain loop at about that time.

    Attributes:
        plain: Seconds of an item in the plain loop with its tail; 0 where nothing is known.
        ratios: Of each backend how many times as long an item takes there.
        doubtful: A backend that was left and the seconds of an item there, until the plain loop is measured again: it
            may be the machine that got slower, or the items longer.
    """

    def __init__(self, plain: float) -> None:
        self.plain = plain
        self.ratios: dict[str, float] = {}
        self.doubtful: tuple[str, float] | None = None

    def note_plain(self, seconds: float) -> None:
        """Take in what an item takes in the plain loop now."""
        self.plain = max(seconds, 1e-9)
        if self.doubtful is not None:
            name, pace = self.doubtful
            self.ratios[name], self.doubtful = pace / self.plain, None

    def note(self, name: str, seconds: float) -> float | None:
        """Take in what an item takes on a backend; return its ratio, or None where there is none."""
        if not self.plain:
            return None
        self.ratios[name] = seconds / self.plain
        return self.ratios[name]


class Judge:
    """Look at the items of a task as they run, and say what the next ones run in.

    Attributes:
        next: What promises most now.
        reasons: For each backend why it was chosen last.
        tasting: How many items show how threads do, when that is what is next.
        paces: What items take in each way.
        two_threads: CPUs that items on as many threads as CPUs had together, against what the plain loop had of one.
        opening: Workers that start meanwhile; `problem`: why workers could not.
        hinted: What was fastest in earlier runs, where this one does not begin with it.
        left_behind: The backend that was tried and left last, and how it did in words.
    """

    def __init__(self, task: Task, request: Request, plain: float) -> None:
        self.task, self.request = task, request
        self.paces = Paces(plain)
        self.next: Choice | None = None
        self.reasons: dict[str, str] = {}
        self.tasting: int | None = None
        self.two_threads: float | None = None
        self.opening: engine.Opening | None = None
        self.opened = False
        self.hinted: Choice | None = None
        self.problem: BackendUnavailable | None = None
        self.left_behind = ("", "")
        self.plainly: list[Message] = []
        self.recent: tuple[Message, ...] = ()
        self.wall, self.until, self.patience = 0.0, auto_history.PROBE, TRIAL
        self.left: int | None = None
        self.first = self.seen = self.strikes = 0
        self.shipped: list[int | None] = []
        self.moving: list[float] = []

    def begin(self, first: int, left: int | None) -> None:
        """Take note that a stretch begins with the item at a position, with so many left."""
        self.first, self.left, self.seen, self.strikes, self.next = first, left, 0, 0, None

    def say(self, choice: Choice) -> Choice:
        """Keep why something is chosen, of the plain loop why it was at first; return it."""
        if choice.plain and PLAIN in self.reasons:
            return choice
        self.reasons[choice.backend] = choice.reason
        return choice

    def found(self, way: Choice, workers: int) -> None:
        """Take note of how many workers helped, where that was found by growing."""
        _, colon, why = self.reasons.get(way.backend, "").partition(": ")
        if colon:
            self.reasons[way.backend] = f"{way.backend} × {workers}: {why}"

    def open_early(self, left: int | None) -> None:
        """Start processes at once where they were fastest in earlier runs: it seems that they are needed soon."""
        self.hinted = choice = auto_history.hint(self.task)
        if choice is not None and are_processes(choice) and not (self.opened or self.request.outside or left == 0):
            self.opened = True
            self.opening = None if self.is_warm(choice) else self.open(choice)

    # ------------------------------------------------------------------------------------------------- the plain loop

    def enough_plainly(self, messages: Sequence[Message], passed: float) -> bool:
        """Say whether the plain loop is to be left: something promises more."""
        if self.opening is not None and (self.recent or self.hinted is not None):
            return self.enough_while_opening(messages, passed)
        fresh = messages[self.seen :]
        if not fresh or self.wall + passed < self.until:
            return False
        since = messages[self.seen - 1].done if self.seen else 0.0
        self.paces.note_plain((passed - since) / sum(message.count for message in fresh))
        self.recent, self.seen = tuple(fresh), len(messages)
        self.until = auto_history.next_look(self.wall + passed)
        self.next = self.taste_of_threads(messages) or self.decide(messages, (*self.plainly, *messages))
        return not self.next.plain

    def enough_while_opening(self, messages: Sequence[Message], passed: float) -> bool:
        """Say whether the plain loop is to be left for workers that started meanwhile.

        What items take beside that start, which needs the GIL and a CPU, says nothing of them.
        """
        assert self.opening is not None
        self.seen = len(messages)
        if not self.opening.over:
            return False
        if not self.recent:  # nothing ran before that start
            self.note_opening()
            self.until = self.wall + passed + auto_history.PROBE
            return False
        self.next = self.decide(messages, (*self.plainly, *messages))
        return not self.next.plain

    def ran_plainly(self, messages: Sequence[Message], wall: float) -> None:
        """Take note of a stretch in the plain loop, which is over."""
        self.plainly += messages
        self.wall += wall

    def taste_of_threads(self, messages: Sequence[Message]) -> Choice | None:
        """Return some items on threads, once, where it may matter how they do."""
        usable, left = machine.usable_cpus(), self.left_after(messages) or 0
        mean, busy = self.paces.plain, sum(m.cpu for m in self.recent) > 0.5 * sum(map(auto_history.taken, self.recent))
        if self.two_threads is not None or not busy or usable < 2 or left <= 4 * usable or self.uses_native_threads():
            return None
        if self.request.recorder is not None:  # what a file has of them may be more than a taste
            return None
        if mean < SHORTEST or left * mean <= 4 * self.until or not auto_history.threads_may(self.task):
            return None
        if usable * mean > DEAR and self.paces.ratios.get(PROCESSES, 0.0) < 1 and self.may_ship():
            return None
        self.tasting = min(max(usable, int(auto_history.PROBE * usable / mean)), left // 4)
        return Choice(THREADS, usable, "threads run together here")

    def uses_native_threads(self) -> bool:
        """Return whether items use threads of native libraries, and with them more than one CPU each."""
        cpu = sum(message.cpu + message.native_cpu for message in self.recent)
        return cpu > NATIVE * sum(map(auto_history.taken, self.recent))

    def enough_of_a_taste(self, messages: Sequence[Message], passed: float) -> bool:
        """Say whether it is clear already that threads are slower."""
        return passed > SPOILT * self.paces.plain * max(self.tasting or 0, 1)

    def tasted(self, cpu: float, wall: float, items: int) -> None:
        """Take in how threads did."""
        self.tasting = None
        self.two_threads = cpu / max(1e-9, wall) / self.usual_cpus()  # a busy machine gives less to both
        ratio = self.paces.note(THREADS, wall / max(1, items))
        if ratio is not None and self.two_threads < TOGETHER:  # one GIL lets them have one CPU: what is more is chance
            self.paces.ratios[THREADS] = max(1.0, ratio)

    def usual_cpus(self) -> float:
        """Return the share of a CPU that the plain loop had, or what it would use if that is more."""
        usual = sum(m.cpu for m in self.recent) / max(1e-9, sum(m.end - m.start for m in self.recent))
        return min(1.0, max(usual, 0.1))

    # ---------------------------------------------------------------------------------------------------- on workers

    def enough(self, way: Choice, messages: Sequence[Message], passed: float) -> bool:
        """Say whether workers are to be left: something else promises more, or they are slower than the plain loop."""
        turn = TURNS * way.workers
        if self.opening is not None and self.opening.over and self.better_than(way, messages):
            return True
        self.seen = self.seen or way.workers  # the first messages have them load what they need
        if len(messages) < self.seen + turn:
            return False
        window = messages[-1].done - messages[self.seen - 1].done
        if window < self.patience:
            return False
        fresh, self.seen = messages[self.seen :], len(messages)
        pace = window / sum(message.count for message in fresh)
        ratio = self.paces.note(way.backend, pace)
        if ratio is None or ratio <= WORSE:
            self.strikes = 0
            return self.better_than(way, messages)
        self.strikes += 1
        together = sum(message.cpu for message in fresh) / window / self.usual_cpus()
        if self.strikes < STRIKES and not (ratio > HOPELESS and together < TOGETHER):
            return False
        self.leave(way, pace, ratio)
        return True

    def leave(self, way: Choice, pace: float, ratio: float) -> None:
        """Turn back to the plain loop, which is measured again before anything else is chosen."""
        self.paces.doubtful = way.backend, pace
        self.patience *= 2
        self.until = self.wall + auto_history.PROBE
        words = f"{way.backend} × {way.workers} took {ratio:.2g} times as long"
        self.left_behind, self.reasons[PLAIN] = (way.backend, words), f"the plain loop: {words}"
        self.next = Choice(PLAIN, 1, self.reasons[PLAIN])

    def better_than(self, way: Choice, messages: Sequence[Message]) -> bool:
        """Say whether other workers promise so much more that they are tried."""
        self.note_opening()
        mine, left = self.paces.ratios.get(way.backend), self.left_after(messages)
        if mine is None or left is None or not self.recent:
            return False
        other = self.decide(messages, self.plainly)
        if other.plain or other.backend == way.backend or other.seconds is None:
            return False
        if other.seconds * auto_history.TRYING > left * self.paces.plain * mine:
            return False
        self.next = other
        return True

    # ------------------------------------------------------------------------------------------------------ the choice

    def left_after(self, messages: Sequence[Message]) -> int | None:
        """Return how many items are left after those of these messages, where it is known."""
        return None if self.left is None else self.left - sum(message.count for message in messages)

    def decide(self, messages: Sequence[Message], plainly: Sequence[Message]) -> Choice:
        """Return what promises most for the items that are left; processes start, and are chosen when they are there.

        Args:
            messages: Of this stretch.
            plainly: All of the plain loop.
        """
        self.note_opening()
        left = self.left_after(messages)
        choice = self.chosen(left, plainly, self.size_as_shipped)
        if not are_processes(choice) or self.request.outside or self.is_warm(choice):
            return choice
        if not self.opened:
            self.opened = True
            self.opening = self.open(choice)
        if self.opening is None:
            return choice
        meanwhile = self.chosen(left, plainly, lambda task: None)
        if (
            meanwhile.plain
            and PATIENT * self.paces.plain > WORTH_WAITING
            and self.opening.wait(PATIENT * self.paces.plain)
        ):
            return self.decide(messages, plainly)
        self.reasons[PLAIN] = "the plain loop, which was done before the processes had started"
        return meanwhile

    def note_opening(self) -> None:
        """Take note that workers are there, or cannot be started, if that is known by now."""
        if self.opening is not None and self.opening.over:
            self.problem, self.opening = self.opening.problem, None
            self.shipped = [None] if self.problem is not None else self.shipped

    def chosen(self, left: int | None, plainly: Sequence[Message], shipped: Callable[[Task], int | None]) -> Choice:
        """Return what promises most, processes only where the function can be sent as `shipped` says."""
        rising = auto_history.rise(plainly, left)
        seen = auto_history.Seen(self.two_threads, self.paces.ratios, self.seconds_to_move(), self.opening is not None)
        return self.say(auto_history.choose(self.task, self.recent, left, seen, rising, shipped))

    def open(self, choice: Choice) -> engine.Opening:
        """Start workers while items go on."""
        backend = backends.find(choice.backend)
        workers = counts_for(backend, self.request.workers or (choice.workers,))[0]
        return engine.Opening(backend, workers, self.request.native_threads)

    def is_warm(self, choice: Choice) -> bool:
        """Return whether such workers are there."""
        return any(pool.backend.name == choice.backend for pool in engine.pools())

    def without_processes(self, problem: BackendUnavailable) -> Choice:
        """Return what promises most where processes cannot be started."""
        self.problem, self.shipped = problem, [None]
        return self.chosen(self.left, self.plainly, self.size_as_shipped)

    def may_ship(self) -> bool:
        """Return whether processes can run the task."""
        return self.size_as_shipped(self.task) is not None

    def size_as_shipped(self, task: Task) -> int | None:
        """Return the bytes of the task's function as it would be sent, which take long to find where it is large."""
        if not self.shipped:
            self.shipped.append(auto_history.size_as_shipped(task))
        return self.shipped[0]

    def seconds_to_move(self) -> float:
        """Return the seconds that it takes to pickle an item and its result, of the last one that ran."""
        if not self.moving:
            self.moving.append(sum(map(seconds_to_pickle, self.last_item())))
        return self.moving[0]

    def last_item(self) -> list[Any]:
        """Return the item that ran last and its result, as far as they are there."""
        outcome, items = latest(), self.task.items
        if outcome is None or not outcome.values:
            return []
        position = self.first + len(outcome.values) - 1  # beyond the last where stretches have been joined
        return [outcome.values[-1], *(items[position : position + 1] if isinstance(items, (list, tuple)) else ())]


def are_processes(choice: Choice) -> bool:
    """Return whether what is chosen are processes of this machine, which take a while to start."""
    return backends.find(choice.backend).isolation == "process"


def seconds_to_pickle(thing: object) -> float:
    """Return the seconds of CPU time that it takes to pickle a thing or to read it again, which may be more.

    0 where it cannot be pickled.
    """
    clock = time.thread_time
    with suppress(Exception):
        began = clock()
        data = pickle.dumps(thing, 5)
        dumped = clock()
        pickle.loads(data)
        return max(dumped - began, clock() - dumped)
    return 0.0
