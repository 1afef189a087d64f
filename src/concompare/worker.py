"""What runs inside workers: take a function once, compute chunks of items, say what each took.

    begin()   once per worker process: signals, thread counts, a place on the board, a guard against being orphaned
    meet()    rendezvous, so that N workers means N
    compute() one chunk in this thread, on live objects          (threads; the plain loop)
    run()     one chunk as bytes in, bytes out, around compute() (processes and everything further away)

Nothing but the standard library and cloudpickle may be imported here, in `parcels` and in `streams`: every worker pays
for it, and sub-interpreters can load little else.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import struct
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

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
from concompare.streams import LISTENING, Recorder

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Environment variables by which native libraries size their thread pools, read when they are loaded."""

BOARD = struct.Struct("<qqd")
"""A worker's line on the board: its process id, the item it computes (from 0, −1 for none), and since when."""

FUNCTIONS_KEPT = 4
"""Functions that a worker remembers; the least recently used goes first."""


class Request(NamedTuple):
    """One chunk of items to compute; `blob` is the pickled function, its path, or None if the worker has it."""

    key: str
    blob: bytes | str | None
    first: int
    items: Parcel
    each: bool
    keep_going: bool = False
    temporaries: tuple[str, ...] = ()
    room: tuple[str, int, int] | None = None


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
    output: tuple[tuple[int, str, str], ...] = ()
    problem: tuple[str, Any] | None = None
    held: bool = False
    wanted: int = 0


class Place:
    """This worker's place on its pool's board."""

    def __init__(self, folder: str, slot: int) -> None:
        with open(Path(folder, "board"), "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.offset = slot * BOARD.size
        self.folder = folder
        self.mark(-1)

    def mark(self, item: int) -> None:
        """Say which item is being computed now (−1: none)."""
        BOARD.pack_into(self.map, self.offset, os.getpid(), item, time.perf_counter())


class Held:
    """Something that is closed with the thread that holds it."""

    def __init__(self, thing: Any, close: Callable[[Any], object]) -> None:
        self.thing = thing
        self.close = close

    def __del__(self) -> None:
        self.close(self.thing)


FUNCTIONS: OrderedDict[str, Callable[[Any], Any]] = OrderedDict()
LOCAL = threading.local()
PLACE: list[Place] = []
CO_COROUTINE = 0x80


# ---------------------------------------------------------------------------------------------- the start of a worker


def begin(folder: str, parent: int, environment: dict[str, str], variables: dict[str, str]) -> None:
    """Make this process a worker of the pool whose files are in `folder`.

    Args:
        folder: The pool's files.
        parent: Process id of the notebook.
        environment: The notebook's environment variables; a fork server still has those of its own start.
        variables: Set besides, where the environment does not have them.
    """
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    with contextlib.suppress(ValueError):  # not the main thread of its process
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    FUNCTIONS.clear()
    LOCAL.__dict__.clear()  # a forked worker has its parent's
    try:
        PLACE[:] = [Place(folder, claim(folder))]
    except FileNotFoundError:  # the pool was closed while this worker started
        os._exit(1)
    threading.Thread(target=watch, args=(folder, parent), name="concompare-watch", daemon=True).start()


def claim(folder: str) -> int:
    """Take the first free slot of the board; creating its file exclusively is atomic everywhere."""
    slot = 0
    while True:
        try:
            os.close(os.open(Path(folder, f"slot-{slot}"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            slot += 1
        else:
            if (slot + 1) * BOARD.size <= os.path.getsize(Path(folder, "board")):
                return slot
            return 0  # more workers were ever started than there is room for; shares the first line


def watch(folder: str, parent: int) -> None:
    """Wait until the parent process has ended, however it ended, then end this one."""
    import shutil

    wait_for_the_end_of(folder, parent)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def wait_for_the_end_of(folder: str, parent: int) -> None:
    """Return when the parent is gone: its record lock on the pool's `alive` file falls with it."""
    try:
        import fcntl
    except ImportError:
        from multiprocessing import connection, parent_process

        process = parent_process()
        connection.wait([process.sentinel] if process is not None else [])
        return
    with open(Path(folder, "alive"), "r+b") as file:
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX)
            except InterruptedError:
                continue
            except OSError:  # a file system without locks: look now and then
                while is_running(parent):
                    time.sleep(0.5)
            return


def is_running(process: int) -> bool:
    """Return whether a process of that id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def meet(folder: str, count: int, patience: float) -> tuple[int, int, float, int]:
    """Wait until `count` workers are here or `patience` seconds have passed.

    Returns:
        Process id, thread id, this worker's clock, and how many had come.
    """
    Path(folder, f"here-{os.getpid()}-{threading.get_native_id()}").touch()
    end = time.perf_counter() + patience
    pause = 0.0002
    while True:
        come = sum(name.startswith("here-") for name in os.listdir(folder))
        if come >= count or time.perf_counter() > end:
            return os.getpid(), threading.get_native_id(), time.perf_counter(), come
        time.sleep(pause)
        pause = min(pause * 1.5, 0.005)


def linger(seconds: float) -> tuple[int, int, float, int]:
    """Stay busy for a while, so that as many workers as there are take one each; the rendezvous without a folder."""
    time.sleep(seconds)
    return os.getpid(), threading.get_native_id(), time.perf_counter(), 0


# ------------------------------------------------------------------------------------------------------- computing


class Computed:
    """What one chunk gave: values so far, exceptions by offset, seconds by item, names assigned."""

    __slots__ = ("errors", "names", "output", "seconds", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.errors: list[tuple[int, BaseException]] = []
        self.seconds: list[float] = []
        self.names: dict[str, Any] = {}
        self.output: list[tuple[int, str, str]] = []


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
            if each:
                call_each(call, iterator, done, first, stopped)
            else:
                append = done.values.append
                for item in iterator:
                    append(call(item))
        except BaseException as error:
            done.errors.append((len(done.values), error))
            if temporaries:
                done.names.update(names_of_head(error, temporaries))
            if not keep_going:
                break
            done.values.append(None)
        else:
            break
    if PLACE:
        PLACE[0].mark(-1)


def call_each(
    call: Callable[[Any], Any],
    iterator: Iterator[Any],
    done: Computed,
    first: int,
    stopped: Callable[[], bool] | None,
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
    """Return a function that may be called: a coroutine function through this thread's own event loop."""
    code = getattr(getattr(function, "func", function), "__code__", None)
    if code is None or not code.co_flags & CO_COROUTINE:
        return function
    import asyncio

    def call(item: Any) -> Any:
        held: Held | None = getattr(LOCAL, "loop", None)
        if held is None:
            loop = asyncio.new_event_loop()
            held = LOCAL.loop = Held(loop, lambda loop: loop.close())
        return held.thing.run_until_complete(function(item))

    return call


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
        return {name: local[name] for name in temporaries if name in local}
    return {}


# ------------------------------------------------------------------------------------------------- one chunk, as bytes


def load(request: Request) -> tuple[str, Any] | Callable[[Any], Any]:
    """Return the request's function, from memory or from its blob, or the problem with it."""
    function = FUNCTIONS.get(request.key)
    if function is not None:
        FUNCTIONS.move_to_end(request.key)
        return function
    if request.blob is None:
        return ("need function", None)
    try:
        blob = Path(request.blob).read_bytes() if isinstance(request.blob, str) else request.blob
        function = pickle.loads(blob)
    except BaseException as error:
        return ("function", pack_error(error))
    FUNCTIONS[request.key] = function
    while len(FUNCTIONS) > FUNCTIONS_KEPT:
        FUNCTIONS.popitem(last=False)
    return cast(Callable[[Any], Any], function)


def run(request: Request) -> Answer:
    """Compute one chunk that arrived as bytes; never raises."""
    received = time.perf_counter()
    ident = (os.getpid(), threading.get_native_id())
    function = load(request)
    if isinstance(function, tuple):
        return Answer(ident, received, problem=function)
    lent: list[Any] = []
    try:
        items = unpack(request.items, lent)
    except BaseException as error:
        return Answer(ident, received, problem=("items", pack_error(error)))
    done = Computed()
    meter = Meter()
    record(function, items, done, request)
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
        seconds=tuple(done.seconds),
        names=pack_names(done.names) if request.temporaries else None,
        output=tuple(done.output),
        wanted=wanted,
    )
    done.__init__()  # type: ignore[misc]
    held = not given_back(lent)
    return answer._replace(held=held, returned=time.perf_counter())


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


def record(function: Callable[[Any], Any], items: Any, done: Computed, request: Request) -> None:
    """Compute with this process's output recorded."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Recorder("stdout", done, streams[0]), Recorder("stderr", done, streams[1])
    try:
        compute(
            function,
            items,
            done,
            first=request.first,
            each=request.each,
            keep_going=request.keep_going,
            temporaries=request.temporaries,
        )
    finally:
        sys.stdout, sys.stderr = streams


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


# ---------------------------------------------------------------------------------------------------------- the clocks


def run_queue() -> float | None:
    """Return the seconds this thread has been ready to run without a CPU, where Linux counts them; else None."""
    held: Held | None = getattr(LOCAL, "schedstat", None)
    if held is None:
        try:
            descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            descriptor = -1
        held = LOCAL.schedstat = Held(descriptor, os.close if descriptor >= 0 else lambda _: None)
    if held.thing < 0:
        return None
    try:
        return int(os.pread(held.thing, 64, 0).split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        LOCAL.schedstat = Held(-1, lambda _: None)
        return None


class Meter:
    """Clocks of this thread and its process between two moments."""

    def __init__(self) -> None:
        self.waited = run_queue()
        self.process = time.process_time()
        self.thread = time.thread_time()
        self.start = time.perf_counter()

    def read(self) -> tuple[float, float, float, float, float | None]:
        """Return start and end, the thread's CPU seconds, the other threads' CPU seconds, and the wait for a CPU."""
        end = time.perf_counter()
        thread = time.thread_time() - self.thread
        native = max(0.0, time.process_time() - self.process - thread)
        after = run_queue()
        waited = None if after is None or self.waited is None else after - self.waited
        return self.start, end, thread, native, waited
