"""The first items of a pass, computed in the notebook as well: workers that give something else are not used.

    workers ─ answer to the first items ─> Witness ─ the notebook's own ─ agree ─> handed on, as everything after them
                                              └─ differ ─> Differs: the pass ends, and the plain loop goes on from there

No list of what workers lack is ever complete: settings and registries of modules, names that a library looks for in the
notebook, random numbers drawn inside installed functions, how text is hashed. So it is seen on the first items, while
the workers go on with others. Nothing is handed on before, and what the notebook has computed is kept.

The first time the notebook computes an item once it has its answer: it is seen then how long that takes, and that it
reaches no files and no network, which would happen twice. The next time it does so while the workers compute theirs.
"""

from __future__ import annotations

import copy
import os
import random
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from concompare import backends, engine
from concompare.analysis import equality
from concompare.engine.item_errors import short_repr
from concompare.engine.lookahead import holds_drawn, is_steady
from concompare.engine.outcome import LAST
from concompare.run.copied_items import is_copied_its_way
from concompare.worker import outside_effects, state_watch, warnings_here
from concompare.worker.changes import is_random
from concompare.worker.compute import plain
from concompare.worker.results import CannotReturn
from concompare.worker.transfer.item_state import parts_of
from concompare.worker.transfer.pickling import text_of

if TYPE_CHECKING:
    from concompare.cells.task import Task
    from concompare.engine import Pool
    from concompare.engine.ordering import Settled
    from concompare.run.request import Request

LONG = 1.0
"""Seconds of an item from which on it is not computed twice."""

LONG_BESIDE_THREADS = 0.3
"""The same on threads. They go on meanwhile, with this process's own arithmetic and lock, so that an item takes three
times as long as in them; and where it is one call into C, no interrupt gets through before it ends."""

LITTLE, MOST = 0.02, 8
"""Seconds after which, and items after the most of which, it has been seen that workers agree."""


STREAMS = ("stdout", "stderr")

LARGEST_COPY = 10e6
"""Size of an item up to which a copy is kept for the notebook, where workers are given the item itself."""


class Differs(Exception):
    """Raised inside a pass when workers give something else than the notebook; says what differs.

    Attributes:
        position: Of the item; those before it have been handed on.
        own: What the notebook computed of it, or None where it is to be computed again, with `states` as they were.
        begun: Whether the pass had begun.
    """

    def __init__(
        self, words: str, position: int, own: Own | None = None, states: States | None = None, *, begun: bool = True
    ) -> None:
        super().__init__(words)
        self.position, self.own, self.states, self.begun = position, own, states, begun


@dataclass
class Own:
    """An item as computed in the notebook: its value or exception, the names it assigned, its output."""

    value: Any = None
    error: BaseException | None = None
    names: dict[str, Any] = field(default_factory=dict)
    output: tuple[tuple[int, str, Any], ...] = ()
    drawn: tuple[str, ...] = ()
    seconds: float = 0.0
    before: States | None = None
    shown: dict[str, dict[Any, Any]] = field(default_factory=dict)


SHARED = frozenset({"random", "numpy.random"})
"""The random sources of `States`, by the names they are noticed by."""


class States:
    """The states of the random sources that all items share, to be put back."""

    def __init__(self) -> None:
        numpy = sys.modules.get("numpy.random")
        self.kept: list[tuple[Callable[[Any], Any], Any]] = [(random.setstate, random.getstate())]
        if numpy is not None:
            self.kept.append((numpy.set_state, numpy.get_state()))

    def restore(self) -> None:
        """Put them back."""
        for put, state in self.kept:
            put(state)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness has seen of a cell.

    Attributes:
        moment: The cell's, among all that ran in the notebook.
        words: What differed, or nothing.
        seconds: That an item took in the notebook which is worth computing at once the next time; 0: none is.
    """

    moment: Any = None
    words: str = ""
    seconds: float = 0.0


class Again:
    """The items of a pass, to be had again from a position on, and the first of them in a copy.

    Attributes:
        items: For the pass. Those of an iterator are kept from when they are taken until their results are handed on.
        copying: Whether the first item is copied before anybody uses it; `copies` holds the copy, if it can be had.
    """

    def __init__(self, items: Iterable[Any], first: int) -> None:
        self.first, self.copying = first, False
        self.copies: list[Any] = []
        self.steady: Any = items if is_steady(items) else None
        self.iterator: Iterator[Any] = iter(()) if is_steady(items) else iter(items)
        self.items: Iterable[Any] = items if is_steady(items) else self.taken()
        self.waiting: deque[Any] = deque()

    def taken(self) -> Iterator[Any]:
        """Yield the items of the iterator, and keep them."""
        for item in self.iterator:
            if self.copying:
                self.copies, self.copying = copies_of(item), False
            handed = LAST[0].handed if LAST else 0
            while self.waiting and self.first < handed:
                self.waiting.popleft()
                self.first += 1
            self.waiting.append(item)
            yield item

    def copy_first(self) -> None:
        """Copy the first item before it is used."""
        if self.steady is None:
            self.copying = True
        else:
            self.copies = [copied for item in islice(iter(self.steady), 1) for copied in copies_of(item)]

    def from_position(self, position: int) -> Iterator[Any]:
        """Return the items from this position on, those that were taken once more."""
        if isinstance(self.steady, (list, tuple, range)):
            return iter(self.steady[position - self.first :])
        if self.steady is not None:
            return islice(iter(self.steady), position - self.first, None)
        return chain(list(islice(self.waiting, max(0, position - self.first), None)), self.iterator)


class Witness:
    """Check the first answers of a pass; see `PassOptions.witness`.

    Attributes:
        looking: Whether there are items to look at still.
        reached: Whether items reached beyond their workers.
        agreed: Called when items have been looked at and agree.
        seconds: That an item took in the notebook, or will take, which is worth computing at once; 0: none is.
        ahead: The first item as the notebook has computed it at once, in a list.
    """

    def __init__(self, task: Task, request: Request, pool: Pool, kept: Again, seconds: float = 0.0) -> None:
        self.first, self.seconds = kept.first, seconds
        self.ahead: list[Own] = []
        self.agreed: Callable[[], object] = lambda: None
        self.task, self.request, self.pool, self.kept = task, request, pool, kept
        self.looking, self.reached = True, False
        self.spent, self.seen = 0.0, 0
        self.shares = pool.shares_objects
        self.longest = LONG_BESIDE_THREADS if self.shares else LONG
        self.states = States() if self.shares and request.seed is None else None
        self.before = state_watch.random_states({}) if self.states is not None else {}
        self.around, self.plain = ExitStack(), ExitStack()
        self.here: Pool | None = None
        self.found: list[str] = []

    def __enter__(self) -> Witness:
        if self.shares:
            self.kept.copy_first()
            self.found = self.around.enter_context(outside_effects.noticed())
        return self

    def __exit__(self, *_: object) -> None:
        self.around.close()
        self.plain.close()
        for own in self.ahead:
            self.take_back(own)

    def begin(self) -> None:
        """Compute the first item while the workers do, where that took neither very long nor an instant before.

        What would reach beyond this process is stopped before it does, and then the answer is waited for as if nothing
        had been known. Items that are changed are computed in a copy beside threads; beside processes it is the item.
        """
        if not self.seconds or (self.task.changing and not self.shares):
            return
        states = States()
        for item in self.items_at(self.first):
            with outside_effects.refused() as found:
                own = self.computed(self.first, item)
            own.before = states
            if found:
                self.seconds = 0.0
                self.take_back(own)
            else:
                self.ahead.append(own)

    def take_back(self, own: Own) -> None:
        """Let it be as if an item had not been computed, of which nobody has heard."""
        if own.drawn and own.before is not None:
            own.before.restore()

    def computed(self, position: int, item: Any) -> Own:
        """Compute an item in the notebook, in the plain loop that is kept for all of them."""
        if self.here is None:
            self.here = self.plain.enter_context(engine.lease(backends.plain(), 1, fresh=True))
        if self.shares:
            return computed(self.task, self.request, position, item, self.here)
        before = warnings_here.shown_so_far()
        own = computed(self.task, self.request, position, item, self.here)
        own.shown = warnings_here.shown_so_far()
        warnings_here.now_shown(before, only=True)  # what is warned of comes from the worker
        return own

    def __call__(self, first: int, settled: Settled) -> Differs | None:
        """Look at an answer before it is handed on.

        Returns:
            That the notebook gives something else for an item: what comes before it is left, to be handed on.
        """
        names: dict[str, Any] = {}
        if settled.changed and self.task.trusting and not (self.shares or settled.reached):
            settled.cut(0, names)
            return Differs(words_of_change(settled.changed[0]), first)
        for offset in range(len(settled.values) or len(settled.errors)):
            if not self.looking:
                return None
            try:
                self.look(first + offset, offset, settled, names)
            except Differs as differs:
                settled.cut(offset, names)
                return differs
        if self.seen or not self.looking:
            self.agreed()
        return None

    def look(self, position: int, offset: int, settled: Settled, names: dict[str, Any]) -> None:
        """Look at one item's answer, and add the names that it has bound in the notebook.

        Raises:
            Differs: The notebook gives something else.
        """
        self.around.close()
        self.reached = settled.reached or bool(self.found)
        if self.before and (drawn := state_watch.drawn(self.before, state_watch.random_states({}))):
            raise Differs(words_of_drawing(position, [name for name, _ in drawn]), position, states=self.states)
        items = self.items_at(position)
        if not self.ahead and (self.reached or settled.seconds >= self.longest or not items):
            self.looking, self.seconds = False, 0.0
            return
        # Computed on the notebook's own item, which the function may change: only once, so a copy is for asking again.
        spare = copies_of(items[0]) if self.task.changing else []
        own = self.ahead.pop() if self.ahead else self.computed(position, items[0])
        if own.drawn and self.drawn_by_others(position, own):
            own.drawn = ()
        if not self.seen:
            self.seconds = own.seconds if LITTLE <= own.seconds < self.longest else 0.0
        self.seen, self.spent = self.seen + 1, self.spent + own.seconds
        self.looking = self.spent < LITTLE and self.seen < MOST and not self.shares
        words = difference(position, own, offset, settled, shares=self.shares)
        if words and not (
            own.error is None and offset not in settled.errors and self.is_unsteady(position, own, spare)
        ):
            warnings_here.now_shown(own.shown, only=False)
            raise Differs(words, position, None if self.shares else own)  # which was computed on a copy of the item
        if own.error is None and offset not in settled.errors and not self.shares and not words:
            settled.values[offset] = own.value if not tells_who(own.value) else settled.values[offset]
        names |= own.names

    def drawn_by_others(self, position: int, own: Own) -> bool:
        """Return whether a cluster's client drew meanwhile: that of dask chooses by `random` whom to ask for a result.

        An item that draws itself gives something else when it is computed once more. Then the states are put back.
        """
        able = self.pool.backend.isolation == "cluster" and own.seconds < LONG and own.error is None
        items = self.items_at(position) if able and SHARED.issuperset(own.drawn) and not self.task.changing else []
        if not items:
            return False
        states = States()
        again = self.computed(position, items[0])
        states.restore()
        return again.error is None and alike(again.value, own.value)

    def is_unsteady(self, position: int, own: Own, spare: list[Any]) -> bool:
        """Return whether the notebook itself computes something else each time, as of the clock."""
        items = spare if self.task.changing else self.items_at(position)
        if own.drawn or not items:
            return False
        again = self.computed(position, items[0])
        same = alike(again.value, own.value) and text_printed(again.output, None) == text_printed(own.output, None)
        return again.error is None and not again.drawn and not same

    def items_at(self, position: int) -> list[Any]:
        """Return the item at a position, in a list; nothing where it cannot be computed once more."""
        if not self.shares:
            return list(islice(self.kept.from_position(position), 1))
        if position != self.first:  # those before it are from a file
            return []
        captured = dict(state_watch.captured(self.task.function)).values()
        return copies_of(*self.kept.copies) if self.kept.copies and not any(map(is_used_up, captured)) else []


def copies_of(item: Any) -> list[Any]:
    """Return a copy of an item, in a list; nothing where it cannot be copied as it is, or is large."""
    from concompare.run.auto_history import size_of

    if is_used_up(item) or holds_drawn(item) or (size_of(item) > LARGEST_COPY and not isinstance(item, (int, float))):
        return []
    if any(map(is_copied_its_way, (item, *parts_of(item)))):
        return []
    try:
        return [copy.deepcopy(item)]
    except Exception:
        return []


def is_used_up(thing: Any) -> bool:
    """Return whether using a thing once may leave it another: an iterator, a file, a source of random numbers."""
    return hasattr(type(thing), "__next__") or hasattr(type(thing), "read") or is_random(thing)


def computed(task: Task, request: Request, position: int, item: Any, pool: Pool) -> Own:
    """Compute an item in the notebook, in that plain loop, and note what it drew from the random sources of all."""
    sources = dict(state_watch.captured(task.function)) if request.seed is None else {}
    before = state_watch.random_states(sources) if request.seed is None else {}
    last = list(LAST)
    options = engine.PassOptions(
        output="keep", temporaries=task.temporaries, seed=request.seed, first=position, back_off=request.back_off
    )
    own = Own()
    try:
        own.value = engine.run_pass(task.function, [item], pool, options).values[0]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        own.error = error
    finally:
        own.names, own.output, record = dict(LAST[0].names), LAST[0].output, LAST[0].record
        own.seconds = sum(message.end - message.start for message in record.messages) if record is not None else 0.0
        LAST[:] = last
    if before:
        own.drawn = tuple(name for name, _ in state_watch.drawn(before, state_watch.random_states(sources)))
    return own


# ------------------------------------------------------------------------------------------------------ what differs


def difference(position: int, own: Own, offset: int, settled: Settled, *, shares: bool) -> str:
    """Return what differs between the notebook's result of an item and a worker's, or nothing.

    A process shows a warning once for each place: what its threads have warned of, the notebook does not once more.
    """
    if own.drawn:
        return words_of_drawing(position, own.drawn)
    error = settled.errors.get(offset)
    if error is not None or own.error is not None:
        if type(error).__name__ == type(own.error).__name__ and text_of(error) == text_of(own.error):
            return ""
        if own.error is None and isinstance(error, CannotReturn):
            return f"item {position}: {text_of(error)}"
        here = "is computed" if own.error is None else f"raises {named(own.error)}"
        there = "is computed" if error is None else f"raises {named(error)}"
        return f"item {position} {there} in a worker and {here} in the notebook"
    value = settled.values[offset]
    if not alike(value, own.value):
        return f"item {position} gives {short_repr(value)} in a worker and {short_repr(own.value)} in the notebook"
    streams = ("stdout",) if shares else STREAMS
    printed, said = text_printed(settled.output, offset, streams), text_printed(own.output, None, streams)
    if printed != said:
        return f"item {position} prints {short_repr(printed)} in a worker and {short_repr(said)} in the notebook"
    return ""


def words_of_drawing(position: int, names: Iterable[str]) -> str:
    """Return the sentence on an item that draws from what all items share."""
    return (
        f"item {position} draws from {' and '.join(names)}, which all items share; "
        "--seed 1 gives each item random numbers of its own"
    )


def words_of_change(name: str) -> str:
    """Return the sentence on an item that changes what the analysis took as only read."""
    return f"an installed function changes {name if name.startswith('item ') else f'`{name}`'} in place"


def named(error: BaseException) -> str:
    """Return an error's class and text."""
    return f"{type(error).__name__}: {text_of(error)}"


def text_printed(output: Iterable[tuple[int, str, Any]], offset: int | None, streams: tuple[str, ...] = STREAMS) -> str:
    """Return the text that an item printed."""
    return "".join(text for at, kind, text in output if kind in streams and offset in (None, at))


def tells_who(value: Any) -> bool:
    """Return whether a value is what the notebook's own process or thread is called, and a worker's another."""
    from multiprocessing import current_process

    thread = threading.current_thread()
    if type(value) is int:
        return value in (os.getpid(), os.getppid(), thread.ident, thread.native_id)
    if type(value) is str:
        return value in (thread.name, current_process().name)
    return value is thread or value is current_process()


def alike(one: Any, other: Any) -> bool:
    """Return whether a worker's result is the notebook's, of the same type, as far as that can be told."""
    try:
        return are_alike(one, other)
    except RecursionError:
        return True  # it holds itself, or is too deep to be told


def are_alike(one: Any, other: Any) -> bool:
    """Return the same, and raise RecursionError for what holds itself."""
    if one is other or tells_who(other):
        return True
    if type(one) is not type(other):
        return type(one).__qualname__ == type(other).__qualname__ and equality.equal(one, other) is not False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other) or (one != one and other != other)
    if type(one) in (list, tuple):
        return len(one) == len(other) and all(map(are_alike, one, other))
    if type(one) is dict:
        return all(map(are_alike, one, other)) and are_alike(list(one.values()), list(other.values()))
    return equality.equal(one, other) is not False


# ------------------------------------------------------------------------------------------------ seen once, and again


class Given:
    """The head, which gives for its first call what the notebook has computed already."""

    def __init__(self, function: Callable[[Any], Any], own: Own, temporaries: tuple[str, ...]) -> None:
        self.function, self.own, self.temporaries = plain(function), [own], temporaries
        self.__code__ = getattr(function, "__code__", None)

    def __call__(self, item: Any) -> Any:
        """Call the function for an item."""
        if not self.own:
            return self.function(item)
        own = self.own.pop()
        for _, stream, text in own.output:
            engine.show(stream, text)
        if own.error is not None:
            raise own.error
        return (own.value, own.names) if self.temporaries else own.value
