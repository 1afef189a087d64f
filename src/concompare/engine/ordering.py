"""Values in input order: what arrives early waits, what is next goes out with what it printed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from concompare.engine import output
from concompare.engine.channel import Opened
from concompare.engine.item_errors import short_repr
from concompare.engine.outcome import Failure, Outcome, PassOptions
from concompare.engine.process_state import Watched
from concompare.errors import BackendUnavailable
from concompare.interrupts import Guard
from concompare.worker.chunk import Answer


@dataclass(slots=True)
class Settled:
    """The answer to a chunk, waiting for its turn; errors and their items by offset in the chunk.

    Attributes:
        reached: Whether its items reached beyond their worker, where that was looked at.
        seconds: What its first item took, as far as is known: not of one whose worker was ended.
        firm: Whether a witness has seen that its worker agrees with the notebook.
        changed: What its items were seen to change in their worker.
    """

    values: list[Any]
    errors: dict[int, BaseException] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    output: tuple[tuple[int, str, Any], ...] = ()
    items: dict[int, Any] = field(default_factory=dict)
    reached: bool = False
    seconds: float = math.inf
    firm: bool = False
    changed: tuple[str, ...] = ()

    def cut(self, offset: int, names: dict[str, Any]) -> None:
        """Keep what comes before an offset, and these names."""
        del self.values[offset:]
        self.errors = {at: error for at, error in self.errors.items() if at < offset}
        self.output = tuple(entry for entry in self.output if entry[0] < offset)
        self.names = names


def settled_of(answer: Answer, opened: Opened, items: dict[int, Any]) -> Settled:
    """Return an answer to a chunk, opened, for its turn; `items` are those that failed."""
    values, errors, names = opened
    settled = Settled(values, errors, names, answer.output, items, answer.reached, seconds_of_first(answer))
    settled.changed = answer.changed
    return settled


def seconds_of_first(answer: Answer) -> float:
    """Return what the first item of a chunk took, or its share where items are many and tiny."""
    count = max(1, len(answer.values) if isinstance(answer.values, list) else 1)
    return answer.seconds[0] if answer.seconds else (answer.end - answer.start) / count


def add_names(names: dict[str, Any], found: dict[str, Any]) -> None:
    """Give names the values that later items left; those that could not be sent are gone, and noted."""
    if not found:
        return
    gone = set(names.pop("_concompare_unsent", ())) - found.keys() | set(found.get("_concompare_unsent", ()))
    names.update({name: value for name, value in found.items() if name != "_concompare_unsent"})
    for name in gone:
        names.pop(name, None)
    if gone:
        names["_concompare_unsent"] = tuple(gone)


class Order:
    """Hand on answers in item order: to the caller, and into the outcome.

    Attributes:
        settled: Answers that wait, by the position of their first item.
        released: Position of the next item to hand on.
        watched: What no item may change for all threads, looked at before anything is handed on.
    """

    def __init__(self, outcome: Outcome, options: PassOptions, on_value: Callable[[int, Any], Any] | None) -> None:
        self.outcome, self.options, self.on_value = outcome, options, on_value
        self.many: Callable[[int, list[Any]], object] | None = getattr(on_value, "many", None)
        self.settled: dict[int, Settled] = {}
        self.released = outcome.handed = options.first
        self.watched: Watched | None = None

    def release(self, guard: Guard) -> None:
        """Hand on what is complete up to here: output first, then the value.

        Raises:
            BackendUnavailable: An item has changed something for all threads.
            BaseException: The error of an item whose turn it is, with `on_error="stop"`.
        """
        if self.watched is not None:
            self.check(self.watched)
        while not self.outcome.stopped:
            settled = self.settled.pop(self.released, None)
            if settled is None:
                return
            ending = None
            if self.options.witness is not None and not settled.firm:
                with guard.user_code():
                    ending = self.options.witness(self.released, settled)
            self.hand_on(settled, guard)
            if ending is not None and not self.outcome.stopped:
                raise ending

    def hand_on(self, settled: Settled, guard: Guard) -> None:
        """Hand on the answer to a chunk."""
        if settled.errors or settled.output or (self.on_value is not None and self.many is None):
            self.one_by_one(settled, guard)
            return
        add_names(self.outcome.names, settled.names)
        if self.options.keep_values:
            self.outcome.values.extend(settled.values)
        first = self.released
        self.released += len(settled.values)
        self.outcome.handed = self.released
        if self.many is not None:
            with guard.user_code():
                self.many(first, settled.values)

    def check(self, watched: Watched) -> None:
        """Raise where an item has changed something for all threads; what is not handed on yet is worth nothing."""
        try:
            watched.check()
        except BackendUnavailable:
            if self.options.recorder is not None:
                self.options.recorder.void(self.released)
                self.options.recorder.ended = True
            raise

    def keep_the_rest(self) -> None:
        """Keep what has finished but is not handed on any more: next in line among the values, else by position."""
        for first, settled in sorted(self.settled.items()):
            for offset, value in enumerate(settled.values):
                if offset in settled.errors:
                    continue
                if first + offset == len(self.outcome.values):
                    self.outcome.values.append(value)
                else:
                    self.outcome.finished[first + offset] = value

    def must_be_complete(self, count: int) -> None:
        """Make sure that every item's value has been handed on; a pass never ends with fewer in silence."""
        if self.released != count and not self.outcome.stopped:
            raise RuntimeError(f"a pass of {count} items ended after {self.released}: please report this as a bug")

    def one_by_one(self, settled: Settled, guard: Guard) -> None:
        """Hand on a chunk's values one by one, each after what it printed."""
        first = self.released
        printed = list(settled.output)
        add_names(self.outcome.names, settled.names)
        with guard.user_code():
            for offset in range(max(len(settled.values), max(settled.errors, default=-1) + 1)):
                while printed and printed[0][0] <= offset:
                    self.emit(first, *printed.pop(0))
                if offset in settled.errors:
                    value: Any = self.failure(first + offset, settled, offset)
                else:
                    value = settled.values[offset]
                if self.options.keep_values:
                    self.outcome.values.append(value)
                self.released += 1
                self.outcome.handed = self.released
                if self.on_value is not None and self.on_value(first + offset, value):
                    self.outcome.stopped = True
                    return
        for rest in printed:
            self.emit(first, *rest)

    def emit(self, first: int, offset: int, stream: str, text: Any) -> None:
        """Show or keep what an item printed."""
        if self.options.output == "show":
            output.show(stream, text)
        elif self.options.output == "keep":
            self.outcome.output = (*self.outcome.output, (first + offset, stream, text))

    def failure(self, index: int, settled: Settled, offset: int) -> Failure:
        """Return what stands in a failed item's place, or raise its error."""
        item, error = settled.items[offset], settled.errors[offset]
        failure = Failure(self.options.place(index), short_repr(item), error)
        self.outcome.failed_items[index] = item
        self.outcome.failures = (*self.outcome.failures, failure)
        if self.options.on_error == "stop":
            raise error
        return failure
