"""What the passes over one task take from a file of results, and what they add to it.

    items to compute ─ marks ─> workers ─ answer ─> record ──> file
    file ── at, restored ── the same items? ──> handed on in their turn, as an answer that has arrived

Results of workers that have not been compared with the notebook yet are doubtful: the file says when they have been, or
takes them back. Items that failed are not recorded.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from concompare.engine.resume.fingerprint import Untold, Walker, joined
from concompare.engine.resume.journal import Entry, Journal
from concompare.engine.resume.pickles import Places, pickled, restored
from concompare.errors import BackendUnavailable
from concompare.worker.results import sendable
from concompare.worker.state_watch import Watch
from concompare.worker.transfer.object_refs import only_atoms
from concompare.worker.transfer.pickling import can_pack, text_of

Marks = bytes | list[bytes] | None
"""The fingerprints of a chunk's items, from before they were computed; None: nothing tells them from others."""

UNSENT = "_concompare_unsent"
"""What names the names whose values cannot be written, as where a worker cannot send them."""


class Given(Protocol):
    """Results of items, as `engine.ordering.Settled` has them."""

    values: list[Any]
    errors: dict[int, BaseException]
    names: dict[str, Any]
    output: tuple[tuple[int, str, Any], ...]
    seconds: float


class Restored(NamedTuple):
    """Results that were in the file.

    Attributes:
        values: One for each item.
        names: What the items assigned; `output`: what they printed, as in an answer of a worker.
        changed: What they changed of the notebook's when they were computed, which is not in the file.
        seconds: What the first of them took.
        firm: Whether they need not be compared with the notebook any more.
    """

    values: list[Any]
    names: dict[str, Any]
    output: tuple[tuple[int, str, Any], ...]
    changed: tuple[str, ...]
    seconds: float
    firm: bool


class Recorder:
    """The results of one task in a journal.

    Args:
        journal: The file.
        key: What the task's records bear.
        function: Computes an item.
        changing: Whether it changes its items, and says so in its values.
        entries: The task's records that were there.

    Attributes:
        found: The records of results that may be used, by the position of their first item.
        doubtful: Positions of those whose workers have not been compared with the notebook.
        firsts: Where records begin, in order.
        used: How many items were taken from the file; `differing`: how many results there are of other items.
        problem: Why not all results are recorded or used, or nothing.
        ended: Whether the file takes nothing any more.
    """

    def __init__(
        self, journal: Journal, key: str, function: Callable[..., Any], *, changing: bool, entries: Iterable[Entry]
    ) -> None:
        self.journal, self.key, self.function, self.changing = journal, key, function, changing
        self.found: dict[int, Entry] = {}
        self.doubtful: set[int] = set()
        for entry in entries:
            self.take(entry)
        self.firsts = sorted(self.found)
        self.used = self.differing = 0
        self.problem = ""
        self.ended = False
        self.walker = Walker(strict=True)
        self.watch: Watch | None = None
        self.compared, self.doubts, self.shares = False, False, False

    def take(self, entry: Entry) -> None:
        """Take a record that was there; later ones stand for what came before."""
        kind, head = entry.head["kind"], entry.head
        if kind == "results":
            self.found[head["first"]] = entry
            (self.doubtful.discard if head["firm"] else self.doubtful.add)(head["first"])
        elif kind == "agreed":
            self.doubtful.clear()
        elif kind == "void":
            self.forget(head["from"])

    def forget(self, position: int) -> None:
        """Forget the results of the items from a position on."""
        for first in [first for first, entry in self.found.items() if first + entry.head["count"] > position]:
            del self.found[first]

    def enter(self, *, shares: bool, compared: bool, doubts: bool) -> None:
        """Begin a pass.

        Args:
            shares: Whether its workers are given the notebook's own objects.
            compared: Whether they are compared with the notebook.
            doubts: Whether doubtful results may be used: they are compared too, or need not be.
        """
        self.shares, self.compared, self.doubts = shares, compared, doubts
        self.watch = Watch(self.function) if shares else None

    # ------------------------------------------------------------------------------------------------- from the file

    def at(self, position: int) -> int:
        """Return of how many items, from a position on, one record has the results; 0: of none."""
        entry = self.found.get(position)
        if entry is None or (position in self.doubtful and not self.doubts):
            return 0
        count: int = entry.head["count"]
        return count

    def room(self, position: int) -> float:
        """Return how many items there are from a position on before the next whose results are there."""
        place = bisect.bisect_right(self.firsts, position)
        return self.firsts[place] - position if place < len(self.firsts) else math.inf

    def restored(self, first: int, items: Sequence[Any], marks: Marks) -> Restored | None:
        """Return the results of these items; None where those in the file are of others, or cannot be read."""
        entry = self.found.pop(first)
        head = entry.head
        if len(items) != head["count"] or marks is None or joined(marks) != head["items"]:
            self.differing += head["count"]
            return None
        try:
            values, names, output = restored(self.journal.body(entry), Places(self.function, items, first))
        except Exception as error:
            self.problem = f"the result of item {first} cannot be read ({type(error).__name__}: {text_of(error)})"
            return None
        self.used += len(values)
        return Restored(values, names, output, tuple(head["changed"]), head["seconds"], first not in self.doubtful)

    # --------------------------------------------------------------------------------------------------- to the file

    def marks(self, items: Sequence[Any]) -> Marks:
        """Return the fingerprints of items; None where one of them has none."""
        try:
            return self.walker.items(items)
        except Untold as kind:
            self.problem = f"nothing tells one {kind} from another, so results of such items are not kept"
        except Exception as error:
            self.problem = f"an item cannot be taken apart ({type(error).__name__}: {text_of(error)})"
        return None

    def marked(self, items: Iterable[Any]) -> tuple[list[Any], Marks]:
        """Take items one by one, each with its fingerprint before the next: an iterator may give one object again."""
        taken: list[Any] = []
        marks: list[bytes] | None = []
        for item in items:
            taken.append(item)
            one = self.marks([item])
            if one is None or marks is None:
                marks = None
            else:
                marks.append(one if isinstance(one, bytes) else one[0])
        return taken, marks

    def must_be_lasting(self, items: Sequence[Any], marks: Marks) -> None:
        """Raise where items are not what they were when they were taken.

        Raises:
            BackendUnavailable: They are one object, with other contents each time.
        """
        if isinstance(marks, list) and self.marks(items) not in (marks, b"".join(marks)):
            raise BackendUnavailable(
                f"{self.journal.path} has results of other items, and the iterator gives one object again and again, "
                "with other contents each time: delete the file, or give copies of the items"
            )

    def record(self, first: int, items: Sequence[Any], marks: Marks, given: Given, changed: Iterable[str] = ()) -> None:
        """Write the results of items that were computed.

        Where some have failed it is not known which of the names that are left are of the others: where there are
        some, nothing is written.

        Args:
            first: Position of the first item.
            items: The items.
            marks: Their fingerprints from before they were computed.
            given: What they gave.
            changed: What workers have changed of their copies.
        """
        if marks is None or self.ended or (given.errors and given.names):
            return
        lost = tuple(dict.fromkeys((*changed, *self.changed_here(first, items, marks))))
        start = 0
        for place in (*sorted(given.errors), len(given.values)):
            if start < place <= len(given.values):
                self.write(first, slice(start, place), items, marks, given, lost)
            start = place + 1

    def changed_here(self, first: int, items: Sequence[Any], marks: Marks) -> Iterator[str]:
        """Yield what items have changed of the notebook's own objects, where they were given those."""
        if self.watch is not None and self.watch.due():
            yield from self.watch.changed()
        if self.shares and not self.changing and isinstance(marks, list):
            now = self.marks(items)
            for place, mark in enumerate(marks):
                if not isinstance(now, list) or now[place] != mark:
                    yield f"item {first + place}"

    def write(
        self, first: int, part: slice, items: Sequence[Any], marks: Marks, given: Given, lost: tuple[str, ...]
    ) -> None:
        """Write the results of some of the items, one by one where something among them cannot be written."""
        start, own = part.start, items[part]
        values, names = given.values[part], given.names
        output = tuple(writable((at - start, kind, what)) for at, kind, what in given.output if start <= at < part.stop)
        known: dict[int, tuple[int, int]] = {}
        if not (self.changing or (only_atoms(values) and only_atoms(names.values()))):
            known = Places(self.function, own, first + start).by_identity(lost)
        try:
            body = self.body(values, names, output, known)
        except Exception as error:
            if len(own) == 1:
                self.problem = f"the result of item {first + start} cannot be kept ({text_of(error)})"
            for place in range(start, part.stop) if len(own) > 1 else ():
                self.write(first, slice(place, place + 1), items, marks, given, lost)
            return
        told = joined(marks[part] if isinstance(marks, list) else self.walker.items(own))
        head = {"kind": "results", "key": self.key, "first": first + start, "count": len(own), "items": told}
        self.append({**head, "changed": lost, "seconds": given.seconds, "firm": not self.compared}, body)

    def body(
        self, values: list[Any], names: dict[str, Any], output: tuple[Any, ...], known: dict[int, tuple[int, int]]
    ) -> bytes:
        """Return results as bytes; names whose values cannot be written are noted.

        Args:
            values: Of the items.
            names: What they assigned.
            output: What they printed.
            known: Where the notebook's own objects are, by identity.
        """
        try:
            return pickled((values, names, output), self.function, known)
        except Exception:
            sent = {name: value for name, value in names.items() if can_pack(value)}
            if len(sent) == len(names):
                raise
            names = {**sent, UNSENT: tuple(names.keys() - sent)}
            return pickled((values, names, output), self.function, known)

    def append(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Write a record; where the file cannot be written any more, the run goes on without it."""
        try:
            self.journal.append(head, body)
        except OSError as error:
            self.ended = True
            self.problem = f"the file cannot be written any more ({error}): results from here on are not kept"

    def agree(self) -> None:
        """Take note that workers agree with the notebook."""
        if self.compared:
            self.compared = False
            self.doubtful.clear()
            self.append({"kind": "agreed", "key": self.key})

    def void(self, position: int) -> None:
        """Take back the results of the items from a position on: they are computed anew."""
        self.forget(position)
        self.append({"kind": "void", "key": self.key, "from": position})


def writable(printed: tuple[int, str, Any]) -> tuple[int, str, Any]:
    """Return a piece of output as it is written: what has come from another process is bytes already."""
    return printed if isinstance(printed[2], bytes) else sendable(printed)
