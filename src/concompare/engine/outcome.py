"""Options and outcome of a pass."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, Literal

from concompare import formats
from concompare.engine.growth import Growth
from concompare.formats import clean
from concompare.records import Message, Pass
from concompare.worker.transfer.pickling import text_of

if TYPE_CHECKING:
    from concompare.engine.forecast import Standing
    from concompare.engine.resume.recorder import Recorder
    from concompare.worker.line_sampler import Lines


@dataclass(frozen=True, slots=True)
class PassOptions:
    """How a pass is run.

    Attributes:
        on_error: "stop": the first failing item in input order raises; "keep": failures become `Failure` values.
        chunk: Items per message; None: from measured item time.
        timeout: Seconds an item may take; None: no limit.
        temporaries: Names that the function gives back besides its value (it returns a pair then).
        output: What becomes of prints: shown in item order, dropped, or kept in the outcome.
        progress: Told how far the pass is, at most four times a second.
        cap: Seconds after which the pass is stopped for good; None: no cap.
        enough: Asked now and then, with the messages so far and the seconds since the beginning: once it says yes no
            further item is begun, and the pass ends when those under way have been handed on; `Outcome.paused` tells.
        step: Seconds of items in the plain loop between two such looks, at the most; None: the usual ones.
        expected: Seconds that an item took in an earlier plain loop over items like these; 0: there was none.
        memory: Whether to watch the workers' memory.
        seed: One independent random stream per item, made of this number and the item's position; None: none.
        timeline: Whether to record when each worker was on a CPU (where the system tells).
        growth: How many messages may be under way at once; None: two for each worker.
        back_off: Exceptions whose items are tried again later, with fewer messages under way meanwhile.
        keep_values: Whether the outcome holds the values (a tail that was given them all may not need them again).
        first: Position of the first item; those before it were run already.
        witness: Looks at each chunk's answer before anything of it is handed on. It may shorten it and return what is
            raised when the rest of it has been handed on; what it raises ends the pass before.
        meanwhile: Called once, when the first messages are under way; while it runs none of their answers is looked at.
        lines: Whether to look now and then at which of the user's lines the items are, which takes up to a hundredth of
            the time.
        on_lost: Told the names of what workers have changed, as soon as that is seen; it may end the pass by raising.
            Items are watched too then.
        watch_items: Whether to look now and then at whether items change what they are given, as with `on_lost`.
        named: Whether an error has a note that says which item raised it.
        say: Says a sentence on what happens in the pass; None: nobody asks.
        recorder: The file that results go to, and that has some of an earlier run; None: there is none.
        places: Of a sample, the position of each item among all items: errors name it, seeds are made of it.
    """

    on_error: Literal["stop", "keep"] = "stop"
    chunk: int | None = None
    timeout: float | None = None
    temporaries: tuple[str, ...] = ()
    output: Literal["show", "drop", "keep"] = "show"
    progress: Callable[[Standing], None] | None = None
    cap: float | None = None
    enough: Callable[[Sequence[Message], float], bool] | None = None
    step: float | None = None
    expected: float = 0.0
    memory: bool = False
    growth: Growth | None = None
    back_off: tuple[type[Exception], ...] = ()
    keep_values: bool = True
    seed: int | None = None
    timeline: bool = False
    first: int = 0
    witness: Callable[[int, Any], BaseException | None] | None = None
    meanwhile: Callable[[], object] | None = None
    named: bool = True
    on_lost: Callable[[tuple[str, ...]], object] | None = None
    say: Callable[[str], object] | None = None
    recorder: Recorder | None = None
    lines: bool = False
    watch_items: bool = False

    def pause(self, passed: float, longest: float) -> float:
        """Return how long to wait for an answer, `passed` seconds after the beginning: at most until the cap."""
        return longest if self.cap is None else min(longest, max(0.001, self.cap - passed))

    places: Sequence[int] | None = None

    def place(self, position: int) -> int:
        """Return the position among all items of the item at this position of the pass."""
        return position if self.places is None else self.places[position - self.first]

    def positions(self, first: int, count: int) -> Iterator[int]:
        """Yield the positions among all items of some items in a row."""
        return map(self.place, range(first, first + count))


@dataclass(frozen=True, slots=True)
class Failure:
    """Placeholder for the result of an item that failed while the pass went on.

    Attributes:
        index: Position of the item in the input.
        item: The item's repr, shortened.
        error: The exception.
    """

    index: int
    item: str
    error: BaseException

    def __bool__(self) -> bool:
        """Return False, so that results can be filtered by truth."""
        return False

    def __repr__(self) -> str:
        return clean(f"<Failure: item {self.index} ({self.item}): {type(self.error).__name__}: {text_of(self.error)}>")


@dataclass(slots=True, weakref_slot=True, repr=False)
class Outcome:
    """Outcome of a pass; while it runs, the outcome so far.

    Attributes:
        values: Results in input order, a Failure in the place of an item that failed.
        failures: The failures, in input order.
        names: Names that the items assigned, with their last values.
        record: What it took, or None while it runs.
        output: (position, stream, text) of what was printed, where it was kept.
        stopped: True if the caller stopped it, or its cap was reached.
        paused: True if it ended early because that was enough; `left` has the items that were taken, and not begun.
        hidden_state: Names of captured objects that workers changed; the changes are lost.
        shared_random: The source of random numbers from which two workers drew the same, or None.
        failed_items: The items that failed, by position.
        handed: Position of the first item that was not handed on.
        restored: How many results came from a file.
        lines: At which of the user's lines the items were, where that was looked at.
        remade: A sentence on each object that workers made again, since it cannot be sent.
        finished: Results that finished before an interrupt or error and after one that did not, by position.
    """

    values: list[Any] = field(default_factory=list)
    failures: tuple[Failure, ...] = ()
    names: dict[str, Any] = field(default_factory=dict)
    record: Pass | None = None
    output: tuple[tuple[int, str, Any], ...] = ()
    stopped: bool = False
    paused: bool = False
    left: list[Any] = field(default_factory=list)
    finished: dict[int, Any] = field(default_factory=dict)
    hidden_state: tuple[str, ...] = ()
    shared_random: str | None = None
    handed: int = 0
    restored: int = 0
    failed_items: dict[int, Any] = field(default_factory=dict)
    again: Callable[[dict[int, Any]], Outcome] | None = None
    lines: Lines = field(default_factory=dict)
    remade: tuple[str, ...] = ()

    def is_of_item(self, error: BaseException) -> bool:
        """Tell whether an item has raised an error, be it one that an interrupt raises."""
        return any(failure.error is error for failure in self.failures)

    def __repr__(self) -> str:
        """Return how it went in one line: all of it may be megabytes of text."""
        if self.record is None:
            return f"<Outcome so far: {formats.count(len(self.values), 'value')}>"
        parts = [f"{formats.count(self.record.items, 'item')} in {formats.seconds(self.record.wall)}"]
        if self.restored:
            parts.append(f"{self.restored} of them from a file")
        if self.failures:
            parts.append(f"{len(self.failures)} failed (.failures; .retry() runs them again)")
        if self.stopped:
            parts.append("stopped early")
        if self.values and not self.failures:
            parts.append(f"{formats.count(len(self.values), 'value')} kept (.values)")
        return f"<Outcome: {'; '.join(parts)}>"

    def let_go(self, most: float) -> None:
        """Keep the values no longer, if they take more than so many bytes; those beside failures are for `retry`."""
        if not self.failures and (most <= 0 or bytes_of(self.values) > most):
            self.values = []  # the list itself may be what the caller has

    def retry(self) -> list[Any]:
        """Run the items that failed once more, in the same way, and return all values.

        What fails again stays a Failure. The notebook's own names are not changed: assign what this returns.

        Raises:
            LookupError: Nothing failed.
        """
        if not self.failures or self.again is None:
            raise LookupError("no item of the last pass failed: there is nothing to run again")
        positions = [failure.index for failure in self.failures]
        new = self.again({position: self.failed_items[position] for position in positions})
        failures = []
        for position, value in zip(positions, new.values, strict=True):
            if isinstance(value, Failure):
                failures.append(value)
            self.values[position : position + 1] = [value]  # a pass that stopped there ends just before it
        self.failures = tuple(failures)
        LAST[:] = [self]
        return self.values


SAMPLED = (200, 10, 5, 3)
"""How many values are looked at to guess what all of them take, how many of the parts of each, and of theirs."""

PLAIN = (list, tuple, set, frozenset)


def bytes_of(values: Collection[Any], depth: int = 0) -> float:
    """Return about how many bytes values take with what they hold, from some of them."""
    kind: Any = next((base for base in PLAIN if isinstance(values, base)), type(values))  # not the user's own methods
    count = kind.__len__(values)
    if not count or depth == len(SAMPLED):
        return 0.0
    some = list(islice(kind.__iter__(values), 0, None, -(-count // SAMPLED[depth])))
    return float(sum(bytes_of_one(value, depth + 1) for value in some) * count / len(some))


def bytes_of_one(value: Any, depth: int) -> float:
    """Return about how many bytes a value takes with what it holds."""
    # Of a view; only a C type's own attribute, since any other may be code of the user's.
    size = next((vars(kind)["nbytes"] for kind in type(value).__mro__ if "nbytes" in vars(kind)), None)
    data = size.__get__(value) if isinstance(size, (GetSetDescriptorType, MemberDescriptorType)) else 0
    asked = not isinstance(type(value).__sizeof__, FunctionType) or type(value).__module__.startswith("pandas.")
    total = float(max(sys.getsizeof(value, 64) if asked else 64, data if isinstance(data, int) else 0))
    total += bytes_of(getattr(value, "__dict__", {}).values(), depth)
    if isinstance(value, dict):
        total += bytes_of(dict.keys(value), depth) + bytes_of(dict.values(value), depth)
    elif isinstance(value, PLAIN):
        total += bytes_of(value, depth)
    return total


LAST: list[Outcome] = []


def last() -> Outcome:
    """Return the outcome of the last pass, also of one that was interrupted or failed.

    Raises:
        LookupError: No pass has been run.
    """
    if not LAST:
        raise LookupError("no pass has been run yet")
    return LAST[0]
