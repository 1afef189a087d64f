"""Run chunks inside workers: load a function once, compute items, measure each.

    run_here() one chunk on live objects                  (threads)
    run()      one chunk as bytes in, bytes out           (processes and everything further away)
    both around compute.compute(), as the plain loop is

Nothing but the standard library and cloudpickle may be imported here and in the rest of this package: every worker
pays for it, and sub-interpreters can load little else.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from concompare.worker import log_records
from concompare.worker.bootstrap import NO_ITEM, PLACE, STOPPED, end_if_spent, meet, stoppable, take_into_use
from concompare.worker.capture import LISTENING, Displaying, Recorder, recording
from concompare.worker.changes import Items
from concompare.worker.clocks import LOCAL, Meter
from concompare.worker.compute import Computed, Stop, compute, plain
from concompare.worker.outside_effects import noticed
from concompare.worker.results import pack_names, pack_referring, pack_values, sendable
from concompare.worker.state_watch import Seeded, Watch, drawn
from concompare.worker.surroundings import STARTED, Surroundings
from concompare.worker.transfer import nans
from concompare.worker.transfer.class_objects import Arriving
from concompare.worker.transfer.items import Apart, read_items, take_back
from concompare.worker.transfer.made_again import Made, close_all, making
from concompare.worker.transfer.object_refs import Source, Sources, read
from concompare.worker.transfer.pickling import Parcel, inner_function, pack_error
from concompare.worker.transfer.process_memory import Loan

FUNCTIONS_KEPT = 4
"""Functions that a worker remembers; the least recently used goes first."""


class Request(NamedTuple):
    """One chunk of items to compute.

    `blob` is the pickled function, its path, or None if the worker has it. `turn` names the pass: each begins with the
    function as it was sent, whatever an earlier one did to what it captured. `places` are the items' positions among
    all items, which seeds are made of, where they do not just follow `first`. After `limit` seconds the worker gives
    back the items that it has not begun. `refer` says to objects of which of the two, "items" and "function", results
    may refer, and `made` which objects of the items were made for their pickle only (None: it may be to the items
    alone, by their places). `apart` is the number of items where each is a pickle of its own, to be loaded when its
    turn comes. `levels` are those of the notebook's loggers. `watched` asks whether the items reach beyond this
    process. `surroundings` are the notebook's, where the workers are to have them. `changes` asks whether items are
    changed, `lines` at which of the user's lines they are. `series` is a number that messages of the same pass may
    refer to, 0 where none will.
    """

    key: str
    blob: bytes | str | None
    first: int
    items: Parcel
    each: bool
    keep_going: bool = False
    temporaries: tuple[str, ...] = ()
    room: tuple[str, int, int] | None = None
    turn: str = ""
    seed: int | None = None
    places: tuple[int, ...] | None = None
    limit: float | None = None
    refer: tuple[str, ...] = ()
    apart: int = 0
    levels: log_records.Levels = ()
    made: tuple[int, ...] | None = ()
    watched: bool = False
    surroundings: Surroundings | None = None
    changes: bool = False
    lines: bool = False
    series: int = 0


class Answer(NamedTuple):
    """Result of one chunk; moments are this worker's `perf_counter`.

    Values, exceptions and names are packed when they crossed to another process, and themselves when they did not.
    `errors` holds (offset in the chunk, exception); `problem` says why nothing was computed at all: ("need-function" |
    "function" | "folder" | "items" | "written" | "memory", text or error number). `held` is True when a result still
    refers to the request's buffers, `refers` when values or names hold references to what was sent, `with_items` when
    the values' pickle begins with the items. `fetched` counts the bytes that were taken from the notebook's memory item
    by item. `reached` says that items wrote or deleted files, started programs or connected to anything. `lines` holds
    what was seen at the user's lines.
    """

    ident: tuple[int, int]
    received: float
    start: float = 0.0
    end: float = 0.0
    returned: float = 0.0
    cpu: float = 0.0
    native_cpu: float = 0.0
    waited: float | None = None
    values: Any = None
    errors: tuple[tuple[int, Any], ...] = ()
    seconds: tuple[float, ...] = ()
    names: Any = None
    output: tuple[tuple[int, str, Any], ...] = ()
    problem: tuple[str, Any] | None = None
    held: bool = False
    wanted: int = 0
    refers: bool = False
    changed: tuple[str, ...] = ()
    drawn: tuple[tuple[str, bytes], ...] = ()
    fetched: int = 0
    reached: bool = False
    lines: tuple[tuple[Any, Any], ...] = ()
    with_items: bool = False


class Brief(Answer):
    """An answer that has nothing but a value."""

    __slots__ = ()


USUAL = Answer((0, 0), 0.0)[Answer._fields.index("names") :]
"""The fields after `seconds` of an answer that has nothing but values."""


class Known(threading.local):
    """A function that this worker has: as it was sent, and, of each thread its own, as it is in the present pass.

    Attributes:
        source: What of it results may refer to; `parts`: the same objects' identities.
    """

    def __init__(self, blob: bytes | str) -> None:
        self.blob = blob
        self.turn: str | None = None
        self.function: Callable[[Any], Any] = abs
        self.watch: Watch | None = None
        self.source = Source(dict, dict)
        self.parts: frozenset[int] = frozenset()
        self.things: dict[str, Made] = {}

    def take(self, turn: str) -> None:
        """Load the function anew for a new pass."""
        if self.turn != turn:
            self.let_go()
            parts, made, self.function = self.read()
            self.source = Source(lambda: parts, lambda: self.read(nans.Reading)[0], made)
            self.watch = Watch(self.function, [made.thing for made in self.things.values()])
            self.source.count()
            self.parts = frozenset(map(id, parts.values()))
            self.turn = turn

    def tell(self, sources: Sources, *, carried: bool = True) -> None:
        """Let results refer to the names that the function sees, and to what it has carried along, if anything."""
        own = inner_function(self.function)
        if own is not None and own.__module__ == "__main__":
            sources.names = id(own.__globals__)  # to hold them would look as if results did
        if carried:
            sources.add("function", self.source)

    def read(self, reading: type[nans.Reading] = Arriving) -> tuple[dict[int, Any], tuple[int, ...], Any]:
        """Return the function's objects by number, the numbers of those that are not the notebook's, and itself.

        Args:
            reading: What reads them. But for the first time it leaves the notebook's classes as they are here.
        """
        with io.BytesIO(self.blob) if isinstance(self.blob, bytes) else open(self.blob, "rb") as file:
            reader = reading(file)
            with making(self.things):
                function = reader.load()
            behind = file.read()
            return read(reader), pickle.loads(behind) if behind else (), function

    def let_go(self) -> None:
        """Close what was made for the function here; it is read anew before it is used again."""
        self.turn = None
        close_all(self.things)

    def written(self) -> str:
        """Return what items would have changed by what was made for them here, or nothing."""
        return next((f"{made.wrote} by `{made.name}`" for made in self.things.values() if made.wrote), "")

    def moved(self) -> tuple[str, ...]:
        """Return the names of the files made here in which items have read on."""
        return tuple(made.name for made in self.things.values() if made.is_moved())


FUNCTIONS: OrderedDict[str, Known] = OrderedDict()


def forget_parent() -> None:
    """Forget, in a forked worker, what belonged to its parent."""
    FUNCTIONS.clear()
    SERIES.clear()
    LOCAL.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_parent)


# ------------------------------------------------------------------------------------------------- one chunk, as bytes


SERIES: OrderedDict[int, Request] = OrderedDict()
"""What the messages of a series have in common, as the last of those that came whole."""

SERIES_KEPT = 8
"""Series that a worker remembers; the least recently used goes first."""


def remember(request: Request) -> None:
    """Remember what a message has in common with the others of its series: all that is not of its own items."""
    own: dict[str, Any] = {
        "items": Parcel(b""),
        "room": ("", 0, 0),
        "made": (),
        "apart": 0,
        "limit": None,
        "places": None,
    }
    own |= {"blob": None, "refer": tuple(place for place in request.refer if place != "items"), "watched": False}
    SERIES[request.series] = request._replace(**own)
    SERIES.move_to_end(request.series)
    while len(SERIES) > SERIES_KEPT:
        SERIES.popitem(last=False)


def load(request: Request) -> tuple[str, Any] | Known:
    """Return the request's function, from memory or from its blob, or the problem with it."""
    if request.surroundings is not None:
        try:
            STARTED.take(request.surroundings, request.turn)
        except OSError as error:
            return ("folder", pack_error(error))
    known = FUNCTIONS.get(request.key)
    if known is None:
        if request.blob is None:
            return ("need-function", None)
        if isinstance(request.blob, bytes):
            record_displays(request.blob)
        known = FUNCTIONS[request.key] = Known(request.blob)
        while len(FUNCTIONS) > FUNCTIONS_KEPT:
            FUNCTIONS.popitem(last=False)[1].let_go()
    FUNCTIONS.move_to_end(request.key)
    try:
        known.take(request.turn)
    except BaseException as error:
        del FUNCTIONS[request.key]
        end_if_spent(error)
        return ("function", pack_error(error))
    return known


def let_go(key: str, folder: str, workers: int, patience: float) -> None:
    """Close what was made here for a function, at the end of its pass, and wait until all workers have done so."""
    known = FUNCTIONS.get(key)
    if known is not None:
        known.let_go()
    meet(folder, workers, patience)  # else one of them might take the call of another


DISPLAYING = ("IPython.core.display_functions", "IPython.core.display", "IPython.display")
"""Modules that have `display`: IPython before 8 has no first one, and later ones do not have it in the second."""


def record_displays(blob: bytes = b"") -> None:
    """Let `display`, taken from IPython, be recorded: where it is loaded, or the function to come refers to it.

    An executor of the user's may run this in threads of the notebook: outside of items its `display` stays its own.
    """
    named = next((name for name in DISPLAYING[:2] if name.encode() in blob), None)
    if named is not None:
        with contextlib.suppress(ImportError):
            importlib.import_module(named)
    for name in DISPLAYING:
        module = sys.modules.get(name)
        if hasattr(module, "display") and not isinstance(vars(module)["display"], Displaying):
            vars(module)["display"] = Displaying(vars(module)["display"], always=lambda: PLACE)


def run(request: Request) -> Answer:
    """Compute one chunk that arrived as bytes. User errors are returned; internal errors propagate."""
    try:
        return answer_to(request)
    except (MemoryError, OSError) as error:
        end_if_spent(error, request.first if PLACE and PLACE[0].used == 1 else NO_ITEM)
        raise


def answer_to(request: Request) -> Answer:
    """Take in a chunk, compute it, and pack what it gave."""
    received = time.perf_counter()
    ident = (os.getpid(), threading.get_native_id())
    if request.series:
        remember(request)
    known = load(request) if request.turn not in STOPPED else ("items", None)
    if isinstance(known, tuple):
        return Answer(ident, received, problem=known)
    lent = Loan()
    sources = Sources()
    referred = sources if "items" in request.refer else None
    items: Any = read_items(request.items, request.apart, request.first, lent, referred, request.made)
    if isinstance(items, tuple):
        return Answer(ident, received, problem=items)
    done, look = Computed(), Look(known, request, items)
    function = known.function if request.seed is None else seeded(known.function, request)
    record_displays()
    take_into_use()
    meter = Meter()
    with sampling_lines(request.lines) as lines:
        reached = compute_as_asked(request, function, items, done)
    start, end, cpu, native_cpu, waited = meter.read()
    fetched = 0
    if isinstance(items, Apart):
        if items.problem is not None:
            return Answer(ident, received, problem=items.problem)
        start, cpu = items.without_loading(start, end, cpu)
        fetched = items.fetched
    if known.things and (written := known.written()):
        return Answer(ident, received, problem=("written", written))
    noted = look.noted()
    if known.things and (moved := known.moved()):
        noted["changed"] = tuple(dict.fromkeys((*noted.get("changed", ()), *moved)))
    del items, function, look
    packed = pack_results(request, known, done, sources)
    del sources  # what it has read may lie in the lent memory
    times: dict[str, Any] = {"start": start, "end": end, "cpu": cpu, "native_cpu": native_cpu, "waited": waited}
    answer = Answer(ident, received, **times, fetched=fetched, reached=reached, **packed, **noted)
    answer = answer._replace(lines=tuple(lines.items())) if lines else answer
    return answer._replace(held=not take_back(lent), returned=time.perf_counter())


def sampling_lines(wanted: bool, *, alone: bool = True) -> contextlib.AbstractContextManager[dict[Any, Any]]:
    """Return what looks at the lines of items as long as it lasts, where that is wanted; see `line_sampler`."""
    if not wanted:
        return contextlib.nullcontext({})
    from concompare.worker.line_sampler import sampling

    return sampling(alone=alone)


class Look:
    """A look at what a chunk's items change and draw; one that is not due sees nothing."""

    def __init__(self, known: Known, request: Request, items: Any) -> None:
        self.watch = known.watch if known.watch is not None and known.watch.due() else None
        self.states = self.watch.states() if self.watch is not None and request.seed is None else {}
        self.items = Items(items if request.changes and self.watch is not None else (), request.first)

    def noted(self) -> dict[str, Any]:
        """Return the parts of the answer that say what was seen."""
        if self.watch is None:
            return {}
        changed = (*self.watch.changed(), *self.items.changed())
        return {"changed": changed, "drawn": drawn(self.states, self.watch.states()) if self.states else ()}


def pack_results(request: Request, known: Known, done: Computed, sources: Sources) -> dict[str, Any]:
    """Return the parts of the answer that hold what was computed, packed, and let go of it."""
    known.tell(sources, carried="function" in request.refer)
    values, wanted = pack_values(done, request.room, sources)
    packed = {
        "values": values,
        "wanted": wanted,
        "names": pack_names(done.names, sources) if request.temporaries else None,
        "errors": tuple((offset, pack_error(error, 0, pack_referring(sources))) for offset, error in done.errors),
        "seconds": done.worth_telling(),
        "output": tuple(map(sendable, done.output)),
        "refers": bool(sources.used),
        "with_items": sources.with_items,
    }
    done.__init__()  # type: ignore[misc]
    return packed


def compute_as_asked(request: Request, function: Callable[[Any], Any], items: Iterable[Any], done: Computed) -> bool:
    """Compute a request's items, with what they print; return whether they reached beyond this process."""
    log_records.take_levels(request.levels)
    with noticed(request.watched) as found, recording(done), log_records.kept(), stoppable(request.turn):
        compute(
            function,
            items,
            done,
            first=request.first,
            each=request.each,
            keep_going=request.keep_going,
            temporaries=request.temporaries,
            stopped=None if request.limit is None else Stop(request.limit, time.perf_counter),
        )
    return bool(found)


def seeded(function: Callable[[Any], Any], request: Request) -> Callable[[Any], Any]:
    """Return the function with a random stream for each item."""
    assert request.seed is not None
    return Seeded(plain(function), request.seed, iter(request.places or range(request.first, sys.maxsize)))


def run_here(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    first: int,
    each: bool,
    keep_going: bool,
    temporaries: tuple[str, ...],
    stopped: Callable[[], bool],
) -> Answer:
    """Compute one chunk in a thread of the notebook's own process: live objects in, live objects out."""
    received = time.perf_counter()
    done = Computed()
    LISTENING.out = Recorder("stdout", done, sys.stdout), Recorder("stderr", done, sys.stderr)
    meter = Meter()
    try:
        compute(
            function,
            items,
            done,
            first=first,
            each=each,
            keep_going=keep_going,
            temporaries=temporaries,
            stopped=stopped,
        )
    finally:
        del LISTENING.out
    start, end, cpu, _, waited = meter.read()
    return Answer(
        (os.getpid(), threading.get_native_id()),
        received,
        start,
        end,
        end,
        cpu,
        waited=waited,
        values=done.values,
        errors=tuple(done.errors),
        seconds=done.worth_telling(),
        names=done.names,
        output=tuple(done.output),
    )
