"""What runs inside workers: take a function once, compute chunks of items, say what each took.

    compute() one chunk in this thread, on live objects          (threads; the plain loop)
    run()     one chunk as bytes in, bytes out, around compute() (processes and everything further away)

Nothing but the standard library and cloudpickle may be imported here and in what it imports (`workplace`, `parcels`,
`streams`, `guards`): every worker pays for it, and sub-interpreters can load little else.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from concompare.awaiting import called, is_coroutine_function
from concompare.clocks import LOCAL, Meter
from concompare.guards import Seeded, Watch, drawn
from concompare.parcels import (
    Parcel,
    frames_of_user,
    given_back,
    pack,
    pack_error,
    put,
    unpack,
    way_to_unpicklable,
)
from concompare.streams import LISTENING, Recorder, display, recording
from concompare.workplace import PLACE, STOPPED, StopItem, stoppable

FUNCTIONS_KEPT = 4
"""Functions that a worker remembers; the least recently used goes first."""

TINY = 10e-6
"""Seconds; items below this are timed by the chunk, not one by one."""


class Request(NamedTuple):
    """One chunk of items to compute.

    `blob` is the pickled function, its path, or None if the worker has it. `turn` names the pass: each begins with the
    function as it was sent, whatever an earlier one did to what it captured. `places` are the items' positions among
    all items, which seeds are made of, where they do not just follow `first`. After `limit` seconds the worker gives
    back the items that it has not begun.
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


class Answer(NamedTuple):
    """What became of a chunk; moments are this worker's `perf_counter`.

    Values, exceptions and names are packed when they crossed to another process, and themselves when they did not.
    `errors` holds (offset in the chunk, exception); `problem` says why nothing was computed at all:
    ("need function" | "function" | "items", text). `held` is True when a result still refers to the request's buffers.
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
    changed: tuple[str, ...] = ()
    drawn: tuple[tuple[str, bytes], ...] = ()


class Known(threading.local):
    """A function that this worker has: as it was sent, and, of each thread its own, as it is in the present pass."""

    def __init__(self, blob: bytes | str) -> None:
        self.blob = blob
        self.turn: str | None = None
        self.function: Callable[[Any], Any] = abs
        self.watch: Watch | None = None

    def take(self, turn: str) -> None:
        """Load the function anew for a new pass."""
        if self.turn != turn:
            blob = Path(self.blob).read_bytes() if isinstance(self.blob, str) else self.blob
            self.function = pickle.loads(blob)
            self.watch = Watch(self.function)
            self.turn = turn


FUNCTIONS: OrderedDict[str, Known] = OrderedDict()


def forget_parent() -> None:
    """Forget, in a forked worker, what belonged to its parent."""
    FUNCTIONS.clear()
    LOCAL.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_parent)


# ------------------------------------------------------------------------------------------------------- computing


class Computed:
    """What one chunk gave: values so far, exceptions by offset, seconds by item, names assigned."""

    __slots__ = ("errors", "names", "output", "seconds", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.errors: list[tuple[int, BaseException]] = []
        self.seconds: list[float] = []
        self.names: dict[str, Any] = {}
        self.output: list[tuple[int, str, Any]] = []


def compute(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    done: Computed,
    *,
    first: int = 0,
    each: bool = True,
    keep_going: bool = False,
    temporaries: tuple[str, ...] = (),
    stopped: Callable[[], bool] | None = None,
) -> None:
    """Call the function on each item, in order, into `done`, and never raise.

    With `each` the items are timed one by one and marked on the board; without, a chunk costs one loop. A failed item
    leaves None among the values; without `keep_going` it ends the chunk.
    """
    call = plain(function)
    if temporaries:
        call = naming(call, done.names)
    iterator = iter(items)
    while True:
        try:
            if each and stopped is not None:
                call_tiny_in_blocks(call, iterator, done, first, stopped)
            elif each:
                call_each(call, iterator, done, first, None)
            else:
                call_in_blocks(call, iterator, done, stopped)
        except BaseException as error:
            done.errors.append((len(done.values), error))
            if temporaries:
                done.names.update(names_of_head(error, temporaries))
            if not keep_going or isinstance(error, StopItem):
                break
            done.values.append(None)
        else:
            break
    if PLACE:
        PLACE[0].mark(-1)


FEW, BLOCK = 16, 64
"""Items timed before they may be taken for tiny; those computed between two looks at whether to stop."""


def call_in_blocks(
    call: Callable[[Any], Any], iterator: Iterator[Any], done: Computed, stopped: Callable[[], bool] | None
) -> None:
    """Call the function on all items in one loop, or in several where it may have to stop.

    The list grows item by item, also while `extend` runs: prints and errors find their item by its length.
    """
    values = done.values
    if stopped is None:
        values.extend(map(call, iterator))
        return
    while not stopped():
        before = len(values)
        values.extend(map(call, islice(iterator, BLOCK)))
        if len(values) == before:
            return


def call_tiny_in_blocks(
    call: Callable[[Any], Any], iterator: Iterator[Any], done: Computed, first: int, stopped: Callable[[], bool]
) -> None:
    """Time each item, but tiny ones by the block: many may have come before anyone knew how long they take."""
    clock, values = time.perf_counter, done.values
    tiny = False
    while not stopped():
        before, began, ran = len(values), clock(), 0
        try:
            if tiny:
                values.extend(map(call, islice(iterator, BLOCK)))
            else:
                call_each(call, islice(iterator, FEW), done, first, stopped)
        except BaseException:
            ran = 1
            raise
        finally:
            took, ran = clock() - began, ran + len(values) - before
            if tiny and ran:
                done.seconds.extend([took / ran] * ran)
        if not ran:
            return
        tiny = took < TINY * ran


def call_each(
    call: Callable[[Any], Any], iterator: Iterator[Any], done: Computed, first: int, stopped: Callable[[], bool] | None
) -> None:
    """Call the function item by item with the time of each."""
    clock = time.perf_counter
    mark = PLACE[0].mark if PLACE else None
    for item in iterator:
        if stopped is not None and stopped():
            return
        if mark is not None:
            mark(first + len(done.values))
        began = clock()
        try:
            value = call(item)
        finally:
            done.seconds.append(clock() - began)
        done.values.append(value)


def plain(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that may be called: a coroutine function through an event loop."""
    return called(function) if is_coroutine_function(function) else function


def naming(function: Callable[[Any], Any], names: dict[str, Any]) -> Callable[[Any], Any]:
    """Return a function that keeps the names of each (value, names) pair and returns the value."""

    def call(item: Any) -> Any:
        value, assigned = function(item)
        names.update(assigned)
        return value

    return call


def names_of_head(error: BaseException, temporaries: tuple[str, ...]) -> dict[str, Any]:
    """Return what the head had assigned when it raised."""
    for entry in frames_of_user(error):
        local = entry.tb_frame.f_locals
        found = {name: local[name] for name in temporaries if name in local}
        return {**found, "_concompare_own": tuple(found)}
    return {}


# ------------------------------------------------------------------------------------------------- one chunk, as bytes


def load(request: Request) -> tuple[str, Any] | Known:
    """Return the request's function, from memory or from its blob, or the problem with it."""
    known = FUNCTIONS.get(request.key)
    if known is None:
        if request.blob is None:
            return ("need function", None)
        if isinstance(request.blob, bytes):
            record_displays(request.blob)
        known = FUNCTIONS[request.key] = Known(request.blob)
        while len(FUNCTIONS) > FUNCTIONS_KEPT:
            FUNCTIONS.popitem(last=False)
    FUNCTIONS.move_to_end(request.key)
    try:
        known.take(request.turn)
    except BaseException as error:
        del FUNCTIONS[request.key]
        return ("function", pack_error(error))
    return known


DISPLAYING = ("IPython.core.display_functions", "IPython.display")


def record_displays(blob: bytes = b"") -> None:
    """Let `display`, taken from IPython, be recorded: where it is loaded, or the function to come refers to it.

    An executor of the user's may run this in threads of the notebook: outside of items its `display` stays its own.
    """
    if DISPLAYING[0].encode() in blob:
        with contextlib.suppress(ImportError):
            importlib.import_module(DISPLAYING[0])
    for name in DISPLAYING:
        module = sys.modules.get(name)
        if module is not None and not isinstance(vars(module)["display"], Displayed):
            vars(module)["display"] = Displayed(vars(module)["display"])


class Displayed:
    """IPython's `display`, but for what items display."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original

    def __call__(self, *objects: Any, **options: Any) -> Any:
        """Record the objects where an item is computed."""
        here = PLACE or getattr(LISTENING, "out", None) is not None
        return (display if here else self.original)(*objects, **options)


def run(request: Request) -> Answer:
    """Compute one chunk that arrived as bytes; never raises."""
    received = time.perf_counter()
    ident = (os.getpid(), threading.get_native_id())
    known = load(request) if request.turn not in STOPPED else ("items", None)
    if isinstance(known, tuple):
        return Answer(ident, received, problem=known)
    lent: list[Any] = []
    try:
        items = unpack(request.items, lent)
    except BaseException as error:
        return Answer(ident, received, problem=("items", pack_error(error)))
    done = Computed()
    watch = known.watch if known.watch is not None and known.watch.due() else None
    states = watch.states() if watch is not None and request.seed is None else {}
    function = known.function
    if request.seed is not None:
        function = Seeded(plain(function), request.seed, iter(request.places or range(request.first, sys.maxsize)))
    record_displays()
    meter = Meter()
    with recording(done), stoppable(request.turn):
        compute(
            function,
            items,
            done,
            first=request.first,
            each=request.each,
            keep_going=request.keep_going,
            temporaries=request.temporaries,
            stopped=None if request.limit is None else after(request.limit),
        )
    start, end, cpu, native_cpu, waited = meter.read()
    del items, function
    values, wanted = pack_values(done, request.room)
    answer = Answer(
        ident,
        received,
        start,
        end,
        cpu=cpu,
        native_cpu=native_cpu,
        waited=waited,
        values=values,
        errors=tuple((offset, pack_error(error)) for offset, error in done.errors),
        seconds=worth_sending(done.seconds),
        names=pack_names(done.names) if request.temporaries else None,
        output=tuple(map(sendable, done.output)),
        wanted=wanted,
        changed=watch.changed() if watch is not None else (),
        drawn=drawn(states, watch.states()) if watch is not None and states else (),
    )
    done.__init__()  # type: ignore[misc]
    held = not given_back(lent)
    return answer._replace(held=held, returned=time.perf_counter())


def worth_sending(seconds: list[float]) -> tuple[float, ...]:
    """Return the times of items, or nothing where they are many and tiny."""
    return tuple(seconds) if len(seconds) <= 256 or sum(seconds) >= TINY * len(seconds) else ()


def after(seconds: float) -> Callable[[], bool]:
    """Return what tells whether so many seconds have passed from now."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


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
        if not stopped():
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
        seconds=tuple(done.seconds),
        names=done.names,
        output=tuple(done.output),
    )


def sendable(printed: tuple[int, str, Any]) -> tuple[int, str, Any]:
    """Return a piece of output that can cross: displayed objects packed, or their reprs where they cannot be."""
    offset, kind, what = printed
    if kind != "display":
        return printed
    try:
        return offset, kind, pack(what)
    except Exception:
        return offset, "stdout", "".join(f"{shown!r}\n" for shown in what[0])


def pack_values(done: Computed, room: tuple[str, int, int] | None) -> tuple[Parcel, int]:
    """Pack the values, their large buffers into the room if they fit; what cannot be sent becomes that item's error.

    Returns:
        The parcel, and the bytes of room that would have been needed where the room was too small.
    """
    buffers: list[pickle.PickleBuffer] = []
    beside = buffers if room is not None else None
    try:
        data = pack(done.values, beside)
    except Exception:
        refuse_values(done)
        buffers.clear()
        data = pack(done.values, beside)
    if room is None:
        return Parcel(data), 0
    parcel, wanted = put(data, buffers, room)
    if parcel is None:
        parcel = Parcel(pack(done.values) if buffers else data)
    return parcel, wanted


def refuse_values(done: Computed) -> None:
    """Put None and an error in the place of every value that cannot be sent."""
    for offset, value in enumerate(done.values):
        try:
            pack(value)
        except Exception as error:
            done.values[offset] = None
            refusal = TypeError(f"the result cannot be sent back: {way_to_unpicklable(value, 'result')}: {error}")
            refusal.concompare = "result"  # type: ignore[attr-defined]
            done.errors.append((offset, refusal))
    done.errors.sort(key=lambda entry: entry[0])


def pack_names(names: dict[str, Any]) -> Parcel:
    """Pack the names that can be sent, leaving out the others."""
    try:
        return Parcel(pack(names))
    except Exception:
        kept = {}
        for name, value in names.items():
            with contextlib.suppress(Exception):
                kept[name] = pickle.loads(pack(value))
        return Parcel(pack(kept))
