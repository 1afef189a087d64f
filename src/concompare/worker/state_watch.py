"""Watch the user's code in a worker: captured objects that it changes, random numbers that it draws.

A change made in a worker process never comes back, and a random state that was copied to two workers gives both the
same numbers. Neither raises anything, so each chunk looks at cheap digests before and after.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from concompare.worker.calls import CallOf
from concompare.worker.changes import LARGEST, SOURCES, digest, places
from concompare.worker.transfer import nans
from concompare.worker.transfer.pickling import function_parts, pack

FIRST_LOOKS, LATER_LOOKS = 3, 16
"""Chunks of a pass that are looked at, the first ones and then one in so many: looking takes some 0.1 ms."""

RARELY = 50
"""How many times as long as a look took its next one may be away: all long chunks are looked at."""


def captured(function: Callable[[Any], Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield name and value of what a function and those it calls carry along, without functions, classes, modules."""
    inner = getattr(function, "__func__", getattr(function, "func", function))
    if not isinstance(inner, FunctionType) or depth > 3:
        return
    for label, part in function_parts(inner):
        name = label.partition(" ")[2]
        if isinstance(part, FunctionType):
            if part is not function:
                yield from captured(part, depth + 1)
        elif not isinstance(part, (type, ModuleType, BuiltinFunctionType, int, float, str, bytes, bool, type(None))):
            yield (name if not label.startswith("default") else f"a default of {inner.__name__}"), part


def random_states(watched: dict[str, Any]) -> dict[str, object]:
    """Return the states of the random sources that code may draw from, or digests of them, by name."""
    states: dict[str, object] = {}
    for name, module, read in (("random", "random", "getstate"), ("numpy.random", "numpy.random", "get_state")):
        found = sys.modules.get(module)
        if found is not None:
            with contextlib.suppress(Exception):
                state = getattr(found, read)()
                states[name] = state if module == "random" else repr_of(state)  # an array says not yes or no to ==
    for name, value in watched.items():
        if type(value).__name__ in SOURCES:
            with contextlib.suppress(Exception):  # not `digest`, in which ids of this process are
                states[name] = hashlib.blake2b(repr_of(value), digest_size=12).digest()
    return states


def repr_of(state: Any) -> bytes:
    """Return a random state as bytes."""
    return pickle.dumps(state, 5)


class Watch:
    """Digests of what one function may change, taken when a worker gets it and compared after its chunks.

    Args:
        function: The function.
        made: Objects that the worker has made itself, whose own state is nobody's loss: a client's open connections.
    """

    def __init__(self, function: Callable[[Any], Any], made: Sequence[Any] = ()) -> None:
        function = function.func if isinstance(function, CallOf) else function
        self.objects = dict(captured(function))
        found = [place for place in places(function) if not any(place.read() is one for one in made)]
        self.before = [(place, known) for place in found if (known := digest(place.read())) is not None]
        self.looks = 0
        self.looked = self.took = self.stating = 0.0

    def due(self) -> bool:
        """Return whether to look at the coming chunk: the first few, then one in so many or after a while."""
        self.looks += 1
        waited = time.perf_counter() - self.looked
        return self.looks <= FIRST_LOOKS or self.looks % LATER_LOOKS == 0 or waited > RARELY * self.took

    def changed(self) -> tuple[str, ...]:
        """Return the names of what differs from when it arrived."""
        began = time.perf_counter()
        found = [place.name for place, before in self.before if digest(place.read()) != before]
        self.looked = time.perf_counter()
        self.took, self.stating = self.looked - began + self.stating, 0.0
        return tuple(dict.fromkeys(found))

    def states(self) -> dict[str, object]:
        """Return the states of the random sources now, to be compared."""
        began = time.perf_counter()
        found = random_states(self.objects)
        self.stating += time.perf_counter() - began
        return found


def drawn(before: dict[str, object], after: dict[str, object]) -> tuple[tuple[str, bytes], ...]:
    """Return name and digest of the state before of the sources that have been drawn from in between."""
    return tuple(
        (name, hashlib.blake2b(repr_of(state), digest_size=12).digest())
        for name, state in before.items()
        if after.get(name, state) != state
    )


# ------------------------------------------------------------------------------------- one random stream for every item


class Seeded:
    """Calls a function with the random sources set anew for each item, from the seed and the item's position alone."""

    def __init__(self, function: Callable[[Any], Any], seed: int, positions: Iterator[int]) -> None:
        self.function = function
        self.seed = seed
        self.positions = positions

    def __call__(self, item: Any) -> Any:
        """Call the function for the next item."""
        with SOWN:
            sow(self.seed, next(self.positions))
            return self.function(item)


SOWN = threading.RLock()
"""Held while an item is computed whose random sources were set: they are those of the whole process."""


def word_of(seed: int, position: int) -> bytes:
    """Return the 32 bytes that seed the item at a position."""
    return hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=32).digest()


def sow(seed: int, position: int) -> None:
    """Seed `random`, numpy and torch, where they are loaded, for the item at a position."""
    word = word_of(seed, position)
    if "random" in sys.modules:
        sys.modules["random"].seed(word)
    if "numpy" in sys.modules:  # which loads numpy.random when it is first used
        import numpy

        numpy.random.seed(list(memoryview(word).cast("I")))
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(int.from_bytes(word[:8], "little") >> 1)


# ------------------------------------------------------------------- what a few items do, seen in a throw-away process


class Deed(NamedTuple):
    """Something that an item was about to do outside its process.

    Attributes:
        kind: "write", "delete", "program" or "connection".
        what: The file, program or host.
        item: Its place among the items that were tried.
        places: (file, line) of the code that did it, from the outermost call to the innermost.
    """

    kind: str
    what: str
    item: int
    places: tuple[tuple[str, int], ...]


class Tried(NamedTuple):
    """Result of trying a few items.

    Attributes:
        values: Their packed results, in order; None where there is none or it is large.
        again: Their packed results when they ran the other way round, in the order of the items.
        deeds: What was stopped.
        changed: Captured objects that differ afterwards; `drawn`: sources of random numbers that were drawn from.
        seconds: What it took.
    """

    values: tuple[bytes | None, ...]
    again: tuple[bytes | None, ...]
    deeds: tuple[Deed, ...]
    changed: tuple[str, ...]
    drawn: tuple[str, ...]
    seconds: float


class Stopped(BaseException):
    """Raised in a throw-away process in the place of what an item was about to do."""


WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DEEDS = {
    **dict.fromkeys(("os.remove", "os.rmdir", "shutil.rmtree"), "delete"),
    **dict.fromkeys(
        ("os.rename", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.link", "os.symlink", "shutil.move"),
        "write",
    ),
    **dict.fromkeys(
        ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.kill"),
        "program",
    ),
    **dict.fromkeys(("socket.connect", "socket.sendto", "socket.sendmsg", "sqlite3.connect"), "connection"),
}
"""Audit events that reach beyond the process, and what they are called; opening for writing is looked at apart."""


RELATIVE = frozenset({"os.remove", "os.rmdir", "os.mkdir"})
"""Events whose path may be relative to an open folder, their last argument."""


def within(path: Any, folder: Any) -> Any:
    """Return a path with the open folder that it is relative to, where that can be told."""
    if not isinstance(folder, int) or folder < 0:
        return path
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), words_of(path))
    except OSError:
        return path


class Auditor:
    """Stops everything that reaches beyond the process, while an item runs. A hook stays until its process ends."""

    def __init__(self) -> None:
        self.item = -1
        self.deeds: list[Deed] = []
        self.own: list[str] = [os.devnull]
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Stop an event of the item that runs now, if it reaches beyond the process."""
        if self.item < 0:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in "wxa+" for letter in mode or "") or (mode is None and bool(flags & WRITING))
            if writes and not isinstance(path, int):
                self.stop("write", path)
        elif event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
            self.own.append(os.fspath(arguments[0]))  # what it makes there is gone or nobody else's
        elif event in DEEDS:
            what = arguments[1] if event.startswith("socket.") else arguments[0]
            self.stop(DEEDS[event], within(what, arguments[-1]) if event in RELATIVE else what)

    def stop(self, kind: str, what: Any) -> None:
        """Record a deed and stop it, but for what Python writes when it imports, and temporary files."""
        name = words_of(what)
        if "__pycache__" in name or name == ":memory:" or name.startswith(("/proc/self/", "/dev/tty")):
            return
        if any(name.startswith(own) for own in self.own if os.sep in own):
            return
        places = []
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return
            places.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]
        self.deeds.append(Deed(kind, name, self.item, tuple(reversed(places))))
        raise Stopped


def words_of(what: Any) -> str:
    """Return a path, command or address as text."""
    if isinstance(what, bytes):
        return os.fsdecode(what)
    if isinstance(what, (str, os.PathLike)):
        return os.fspath(what)
    if isinstance(what, tuple):
        return ":".join(map(str, what[:2]))
    return str(what)


def try_items(blob: bytes, items: tuple[bytes, ...], seconds: float) -> Tried:
    """Run a few items, then the same the other way round, and say what they did; for a process that ends after it.

    Args:
        blob: The function, pickled with what it captures.
        items: The pickled items.
        seconds: Time after which no further item of an order is begun.
    """
    import tempfile

    began = time.perf_counter()
    tempfile.gettempdir()  # which tries to write when it is first asked
    sys.stdout = sys.stderr = io.StringIO()
    mute()
    function = nans.read(blob)
    watch = Watch(function)
    states = watch.states()
    auditor = Auditor()
    values = run_audited(auditor, function, items, list(range(len(items))), began + seconds)
    changed, drew = watch.changed(), tuple(name for name, _ in drawn(states, watch.states()))
    again: tuple[bytes | None, ...] = ()
    if not auditor.deeds and None not in values:
        order = list(reversed(range(len(items))))
        again = run_audited(auditor, nans.read(blob), items, order, began + 2 * seconds)
    return Tried(values, again, tuple(auditor.deeds), changed, drew, time.perf_counter() - began)


def mute() -> None:
    """Let what is written past Python's streams go nowhere: by C code, `os.write`, programs."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


def run_audited(
    auditor: Auditor, function: Callable[[Any], Any], items: tuple[bytes, ...], order: list[int], end: float
) -> tuple[bytes | None, ...]:
    """Run items in an order and return their pickled results in the order of the items; errors are results too."""
    found: list[bytes | None] = [None] * len(items)
    for place in order:
        if time.perf_counter() > end:
            break
        item = pickle.loads(items[place])
        auditor.item = place
        try:
            value = function(item)
        except Stopped:
            break
        except BaseException as error:  # an item may raise any
            value = (type(error).__name__, str(error))
        finally:
            auditor.item = -1
        try:
            data = pack(value)
        except Exception:
            break
        found[place] = data if len(data) <= LARGEST else None
    return tuple(found)
