"""Find what analysis cannot see: try a few items in a process of their own before the task runs.

check ── refuse_repeats ──────── seen in the source: what should be done once, where items run several times
      ├─ nothing left to doubt ─ every call is the user's own, Python's or numpy's: nothing is tried
      ├─ tried before ────────── the same source and functions in this notebook: what was found then
      └─ try ─────────────────── a fresh process runs up to four items forwards and backwards

In that process an audit hook stops an item at its first write, deletion, started program or connection, so trying does
none of it; such a hook cannot be taken out again, which is why it is never set in the notebook or in a pool's worker.
Results that differ between the two orders are looked at once more in another fresh process: if they differ again in
the same order, the items are random or read the clock, else they depend on what ran before them. Captured objects are
compared with `state_watch.Watch`, as in every pass.

A fresh process costs 50 to 130 ms on a busy machine with two CPUs (the first, which starts the fork server, 150 to
450 ms), a warm worker of an open pool under 5 ms. The hook decides: a worker that has one would stop the items of the
passes to come. So trying is kept for calls of installed functions of which nothing is known, and done once per cell.
Items that take longer than their time are not waited for: the process is ended, and nothing is claimed.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

from concompare import backends, engine
from concompare.analysis import equality
from concompare.errors import CannotShip, CellRefused, ConcompareError
from concompare.records import PROCESSES
from concompare.run.copied_items import why_not
from concompare.worker import state_watch
from concompare.worker.transfer.pickling import functions_behind, pack

if TYPE_CHECKING:
    from concompare.cells.replay.binding import Lifted
    from concompare.cells.task import Task

MOST = 4
"""Items that are tried."""
ONCE, SEVERAL_TIMES = 0.05, 0.5
"""Seconds for the items of one order: where each item runs once, and in a comparison, which takes seconds."""
LARGE = 20_000_000
"""Bytes of a function with what it captures from which on nothing is tried."""
WORDS = {"write": "writes files", "delete": "deletes files", "program": "starts programs", "connection": "connects to"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Result of trying a few items.

    Attributes:
        deeds: What they were about to do outside their process.
        changed: Captured objects that they changed; `drawn`: sources of random numbers that they drew from.
        order: Why the results depend on the order, or "".
        unsteady: The results differ from time to time in the same order.
    """

    deeds: tuple[state_watch.Deed, ...] = ()
    changed: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    order: str = ""
    unsteady: bool = False


CHECKED: dict[Any, Evidence] = {}
"""What was found, by the source and the functions of a task."""


def check(
    task: Task,
    lifted: Lifted,
    *,
    repeated: bool,
    assume_pure: bool = False,
    repeat_ok: bool = False,
    seeded: bool = False,
    started: bool = True,
) -> tuple[str, ...]:
    """Return what the user should know of a task before it runs.

    Args:
        task: Bound, its items not taken yet.
        lifted: What it was bound from.
        repeated: Every item will run several times, as in a comparison.
        assume_pure: Results that depend on the order are only noted.
        repeat_ok: What reaches beyond the process may be done several times.
        seeded: Each item draws from random numbers of its own.
        started: Processes will be started anyway; without, and without a fork server, nothing is tried.

    Raises:
        CellRefused: The items would do several times what should be done once, or depend on their order.
    """
    if repeated:
        refuse_repeats(lifted, repeat_ok=repeat_ok)
        if unable := why_not(task):
            raise CellRefused(several_times(unable), lifted.line)
    if not lifted.trusted or not (repeated or started or is_warm()):
        return ()
    evidence = evidence_of(task, repeated=repeated)
    return judged(evidence, task, lifted, repeated=repeated, pure=assume_pure, repeat_ok=repeat_ok, seeded=seeded)


def refuse_repeats(lifted: Lifted, *, repeat_ok: bool = False) -> None:
    """Refuse to do several times what the source shows should be done once; nothing has run then.

    Raises:
        CellRefused: The items write or delete files, start programs or send data, or a cache counts their calls.
    """
    if lifted.counts_calls and not repeat_ok:
        raise CellRefused(several_times("the cell asks what a cache has counted that the items use"), lifted.line)
    if lifted.outside and not repeat_ok:
        line, text = next(iter(lifted.outside))
        raise CellRefused(several_times(text), line)


def is_warm() -> bool:
    """Tell whether a process can be started quickly: the fork server runs."""
    from multiprocessing import forkserver

    server: Any = forkserver._forkserver
    return server._forkserver_pid is not None


def several_times(what: str) -> str:
    """Return the sentence that refuses to do something several times."""
    return (
        f"{what}, and a comparison runs every item several times. "
        "Add --repeat-ok if that does no harm, or use %%parallel, which runs each item once."
    )


def judged(
    evidence: Evidence,
    task: Task,
    lifted: Lifted,
    *,
    repeated: bool,
    pure: bool,
    repeat_ok: bool,
    seeded: bool,
) -> tuple[str, ...]:
    """Return notes on the evidence, or raise what it forbids."""
    notes: list[str] = []
    for deed in evidence.deeds:
        text, line = f"{WORDS[deed.kind]} ({deed.what})", line_of(deed, task, lifted.line)
        if deed.kind == "connection":
            text = f"connects to {deed.what}"
        elif repeated and not repeat_ok:
            raise CellRefused(several_times(f"{text[0].lower()}{text[1:]}"), line)
        notes.append(f"line {line}: {text}" + (", in every pass" if repeated else ""))
    if evidence.order and not (seeded and evidence.drawn):
        remedy = "Add --assume-pure if that does not matter."
        if evidence.drawn:
            remedy = f"They draw from {' and '.join(evidence.drawn)}, which all items share: add --seed 1."
        if not pure:
            raise CellRefused(f"{evidence.order}. {remedy}", lifted.line)
        notes.append(f"line {lifted.line}: {evidence.order}")
    if evidence.unsteady:
        notes.append(f"line {lifted.line}: the same items give other results every time they run")
    if evidence.changed:
        names = " and ".join(f"`{name}`" for name in evidence.changed)
        notes.append(f"line {lifted.line}: the items change {names}; what a worker process changes stays there")
    return tuple(dict.fromkeys(notes))


def line_of(deed: state_watch.Deed, task: Task, line: int) -> int:
    """Return the line of the cell that did something."""
    code = getattr(task.function, "__code__", None)
    return next((number for file, number in deed.places if code is not None and file == code.co_filename), line)


def evidence_of(task: Task, *, repeated: bool) -> Evidence:
    """Return what trying a few items shows, from memory where the task was tried before."""
    if not can_be_tried(task):
        return Evidence()
    key = (task.source, tuple(codes_of(task.function)))
    if key not in CHECKED:
        CHECKED[key] = tried(task, SEVERAL_TIMES if repeated else ONCE)
    return CHECKED[key]


def can_be_tried(task: Task) -> bool:
    """Tell whether a few items can be computed before the others."""
    return isinstance(task.items, Sequence) and bool(task.items) and not is_coroutine(task.function)


def is_coroutine(function: Any) -> bool:
    """Tell whether calling the function only makes a coroutine."""
    code = getattr(getattr(function, "func", function), "__code__", None)
    return code is not None and bool(code.co_flags & 0x80)


def codes_of(function: Any) -> list[CodeType]:
    """Return the code of a function and of those that it carries with it."""
    return [one.__code__ for one in functions_behind(function)]


def sampled(items: Sequence[Any]) -> list[Any]:
    """Return a few items from all over the sequence."""
    last = len(items) - 1
    places = dict.fromkeys(round(place * last / (MOST - 1)) for place in range(MOST))
    return [items[place] for place in places]


def tried(task: Task, seconds: float) -> Evidence:
    """Try a few items of a task in processes of their own."""
    assert isinstance(task.items, Sequence)
    from concompare.engine.transport.functions import ship

    try:
        blob = ship(task.function).blob
        items = tuple(pack(item) for item in sampled(task.items))
    except (CannotShip, Exception):
        return Evidence()
    if len(blob) + sum(map(len, items)) > LARGE:
        return Evidence()
    first = in_throw_away_process(blob, items, seconds)
    if first is None:
        return Evidence()
    place = first_difference(first.values, first.again)
    if place is None:
        return Evidence(first.deeds, first.changed, first.drawn)
    words = f"the results depend on the order in which the items run (sampled item {place + 1} of {len(items)})"
    if first.drawn:
        return Evidence(first.deeds, first.changed, first.drawn, order=words)
    second = in_throw_away_process(blob, items, seconds)
    if second is None or first_difference(first.values, second.values) is not None:
        return Evidence(first.deeds, first.changed, unsteady=True)
    return Evidence(first.deeds, first.changed, order=words)


def in_throw_away_process(blob: bytes, items: tuple[bytes, ...], seconds: float) -> state_watch.Tried | None:
    """Run items in a process that ends after it; None where it cannot be opened or the items take too long."""
    try:
        with engine.lease(backends.find(PROCESSES), 1, fresh=True) as pool:
            assert pool.executor is not None
            # A worker that is no copy of a fork server imports what it needs now, and not in the time for the items.
            pool.executor.submit(state_watch.words_of, "").result()
            future = pool.executor.submit(state_watch.try_items, blob, items, seconds)
            try:
                return future.result(timeout=2 * seconds)
            except (LateError, Exception):
                pool.kill()
                return None
    except ConcompareError:
        return None


def first_difference(values: Sequence[bytes | None], others: Sequence[bytes | None]) -> int | None:
    """Return the place of the first result that surely differs, or None."""
    for place, (one, other) in enumerate(zip(values, others, strict=False)):
        if one is None or other is None or one == other:
            continue
        try:
            same = equality.equal(pickle.loads(one), pickle.loads(other))
        except Exception:
            continue
        if same is False:
            return place
    return None
