"""Text streams that keep what a worker prints with the item it belongs to."""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol, cast


class TaskLocal:
    """The two Recorders (stdout, stderr) of a chunk; every thread has its own, and every task of an event loop."""

    def __init__(self) -> None:
        self.variable: ContextVar[Any] = ContextVar("out", default=None)

    @property
    def out(self) -> Any:
        """Return those of the chunk that this thread computes, None while it computes none."""
        return self.variable.get()

    @out.setter
    def out(self, recorders: Any) -> None:
        self.variable.set(recorders)

    @out.deleter
    def out(self) -> None:
        self.variable.set(None)


UNCHANGING = frozenset({str, int, float, bool, bytes, type(None)})
"""Types of what nobody can change."""
LISTENING = TaskLocal()
"""`.out`: the two Recorders (stdout, stderr) of the chunk that this thread computes, while it does."""


APART = [False]
"""Whether each piece that is written counts by itself."""


def is_written_apart() -> bool:
    """Tell whether prints are written to an object of a class of the notebook's, which may do something for each."""
    return any(type(stream).__module__ == "__main__" for stream in (sys.stdout, sys.stderr))


class Recorded(Protocol):
    """What a Recorder writes into: the values so far tell the item, `output` takes (offset, stream, text)."""

    values: list[Any]
    output: list[tuple[int, str, Any]]


AS_IT_IS: Any = object()
"""Marks a stream that an item has not replaced."""


class Recorder(io.TextIOBase):
    """A text stream that keeps what is written with the item it belongs to.

    Attributes:
        instead: What items of this chunk have put in its place, by `redirect_stdout` or themselves, or `AS_IT_IS`.
    """

    def __init__(self, name: str, done: Recorded, original: Any) -> None:
        self.name = name
        self.done = done
        self.original = original
        self.instead = AS_IT_IS

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding that bytes written to `buffer` are read with."""
        return "utf-8"

    @property
    def buffer(self) -> Any:
        """Return a binary stream; what is not UTF-8 is shown as escapes."""
        return ByteRecorder(self)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Keep the text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        own = LISTENING.out
        if own is not None and self is not own[0] and self is not own[1]:  # another thread's, which came first
            return cast(int, own[self.name == "stderr"].write(text))
        output = self.done.output
        if not APART[0] and output and output[-1][:2] == (len(self.done.values), self.name):
            output[-1] = (*output[-1][:2], output[-1][2] + text)
        else:
            self.keep(self.name, text)
        return len(text)

    def keep(self, kind: str, what: Any) -> None:
        """Keep something with the item that is being computed."""
        self.done.output.append((len(self.done.values), kind, what))

    def fileno(self) -> int:
        """Return the descriptor of the stream that is recorded in place of; what is written there is not recorded."""
        return cast(int, self.original.fileno())


class Route:
    """Stream that items see in the notebook's process: writes to their recorder, elsewhere to the original."""

    def __init__(self, original: Any, which: int) -> None:
        self.original = original
        self.which = which

    def stream(self) -> Any:
        """Return what is written to here and now."""
        recorders = LISTENING.out
        return self.original if recorders is None else recorders[self.which]

    def write(self, text: str) -> int:
        """Write to the recorder of the calling thread if it computes an item, else to the original stream."""
        stream = self.stream()
        return len(text) if stream is None else int(stream.write(text) or 0)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush what is written to."""
        stream = self.stream()
        if stream is not None:
            stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream(), name)


class Door(Route):
    """Stand-in for `sys.stdout` or `sys.stderr`: for each thread that computes items, the stream it has put there.

    Attributes:
        route: What those threads get where they have put none there, to be kept and put back.
    """

    def __init__(self, original: Any, which: int) -> None:
        super().__init__(original, which)
        self.route = Route(original, which)

    def stream(self) -> Any:
        """Return what is written to here and now."""
        recorders = LISTENING.out
        if recorders is None:
            return self.original
        recorder = recorders[self.which]
        return recorder if recorder.instead is AS_IT_IS else recorder.instead

    def get(self) -> Any:
        """Return what code of this thread finds in `sys`."""
        recorders = LISTENING.out
        if recorders is not None and recorders[self.which].instead is AS_IT_IS:
            return self.route
        return self.stream()

    def put(self, stream: Any) -> None:
        """Put a stream in its place for this thread's items, or for all the others."""
        recorders = LISTENING.out
        own = stream is self.route or stream is self
        if recorders is None:
            self.original = self.route.original if own else stream
        else:
            recorders[self.which].instead = AS_IT_IS if own else stream


def watched(name: str) -> property:
    """Return an attribute of `sys` that goes through its door while there is one."""

    def get(module: Any) -> Any:
        found = vars(module).get(name, AS_IT_IS)
        if found is AS_IT_IS:
            raise AttributeError(f"module 'sys' has no attribute {name!r}")
        return found.get() if type(found) is Door else found

    def put(module: Any, stream: Any) -> None:
        found = vars(module).get(name)
        if type(found) is Door:
            found.put(stream)
        else:
            vars(module)[name] = stream

    def delete(module: Any) -> None:
        vars(module).pop(name, None)

    return property(get, put, delete)


def missing(module: Any, name: str) -> Any:
    """Raise what a module raises for an attribute that it has not.

    With this method in the class, code that Python has specialised for plain modules, which reads their dictionaries,
    no longer takes `sys` for one (from Python 3.13 on).
    """
    raise AttributeError(f"module 'sys' has no attribute {name!r}")


LOCK = threading.RLock()
NAMES = ("stdout", "stderr")


@functools.cache
def with_doors(kind: Any) -> Any:
    """Return the class of `sys` while there are doors, made once from its own: each chunk takes it up anew."""
    return type("Sys", (kind,), {**{name: watched(name) for name in NAMES}, "__getattr__": missing})


OPEN: list[Any] = []
"""The class that `sys` had before, once for each of those who keep the doors open."""


DOORS: dict[str, Door] = {}
"""The doors that were opened last, to be opened again: a worker does so for every chunk."""


def open_doors() -> None:
    """Put the doors there, unless they are open."""
    with LOCK:
        if not OPEN:
            held = vars(sys)
            for which, name in enumerate(NAMES):
                door = DOORS.get(name)
                if door is None:
                    door = DOORS[name] = Door(None, which)
                door.original = door.route.original = held.get(name)
                held[name] = door
            OPEN.append(type(sys))
            sys.__class__ = with_doors(type(sys))  # type: ignore[arg-type]
        else:
            OPEN.append(type(sys))


def close_doors() -> None:
    """Take the doors away, unless somebody else still needs them."""
    with LOCK:
        before = OPEN.pop()
        if not OPEN:
            if type(sys).__mro__[1:2] == (before,):
                sys.__class__ = before
            held = vars(sys)
            for name in NAMES:
                if type(held.get(name)) is Door:
                    held[name] = held[name].original


@contextlib.contextmanager
def doors() -> Iterator[None]:
    """Let every thread that computes items have a `sys.stdout` and `sys.stderr` of its own.

    Whatever items put there, and however many overlap, each sees its own; all other threads see, and replace, what was
    there before.
    """
    open_doors()
    try:
        yield
    finally:
        close_doors()


REPLACED: list[Any] = []
"""The process's own stdout and stderr while chunks are recorded."""

RECORDED = [0]
"""How many threads record a chunk now; a worker of a cluster may have several."""


class Recording:
    """The time for which a thread's prints are recorded, and those of threads that it starts; see `recording`."""

    __slots__ = ("done",)

    def __init__(self, done: Recorded) -> None:
        self.done = done

    def __enter__(self) -> None:
        if not hasattr(builtins, "display"):  # in a worker that is not ours
            builtins.display = display  # type: ignore[attr-defined]
        open_doors()
        with LOCK:
            first = not RECORDED[0]
            if first:
                REPLACED[:] = [door.original for door in DOORS.values()]  # what others than items see in `sys`
            recorders = Recorder("stdout", self.done, REPLACED[0]), Recorder("stderr", self.done, REPLACED[1])
            if first:
                put_for_others(recorders)
            RECORDED[0] += 1
            LISTENING.out = recorders

    def __exit__(self, *error: object) -> None:
        LISTENING.out = None
        with LOCK:
            RECORDED[0] -= 1
            if not RECORDED[0]:
                put_for_others(REPLACED)
        close_doors()


def put_for_others(streams: Iterable[Any]) -> None:
    """Give threads that compute no items, while the doors are open, these streams."""
    for door, stream in zip(DOORS.values(), streams, strict=True):
        door.original = stream


def recording(done: Recorded) -> contextlib.AbstractContextManager[None]:
    """Record what this thread prints, and what threads that it starts print, for the time of a chunk."""
    return Recording(done)


def display(*objects: Any, **options: Any) -> None:
    """Display objects in the cell that started the item, in the place of IPython's `display`."""
    recorders = LISTENING.out
    if recorders is None:
        sys.stdout.write("".join(f"{shown!r}\n" for shown in objects))
    else:
        recorders[0].keep("display", as_now(objects, options))


def as_now(objects: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return what is to be displayed, packed where it may change before it is."""
    if all(type(shown) in UNCHANGING for shown in objects):
        return objects, options
    for pack in PACKING:
        with contextlib.suppress(Exception):
            return pack((objects, options))
    return objects, options


PACKING: list[Callable[[Any], bytes]] = []
"""What packs objects, once it is loaded."""


class Displaying:
    """A `display` that records what items display, and is the original everywhere else.

    Args:
        original: That of the process; None where it has none.
        always: Tells whether everything here is an item's, as in workers that are ours; None: it is not.
        through: What the original makes of objects is recorded where it hands that on, so it is called for items too.
    """

    concompare = True
    """Tells it from another `display` where this code has been loaded a second time, with other classes."""

    def __init__(
        self, original: Callable[..., Any] | None, always: Callable[[], object] | None = None, *, through: bool = False
    ) -> None:
        self.original, self.always, self.through = original, always, through

    def __call__(self, *objects: Any, **options: Any) -> Any:
        """Display objects in the cell that started the item, or where the original does."""
        if self.through and self.original is not None:
            with LOCK if LISTENING.out is not None else contextlib.nullcontext():
                return self.original(*objects, **options)
        recorded = LISTENING.out is not None or (self.always is not None and self.always())
        shown = display if recorded or self.original is None else self.original
        return shown(*objects, **options)


class ByteRecorder(io.RawIOBase):
    """The binary side of a Recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Keep the bytes as text."""
        self.recorder.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)
