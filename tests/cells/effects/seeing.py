"""What a call does to its receiver and arguments, to files, output, random numbers and the process: seen, not told."""

from __future__ import annotations

import contextlib
import csv
import decimal
import io
import locale
import logging
import os
import pathlib
import pickle
import random
import shutil
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.cells.effects.pictures import Recorder, is_atom, picture, reach, state_of


@dataclass
class Happened:
    """What was audited during a call."""

    active: bool = False
    order: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)


HAPPENED = Happened()
WRITES = frozenset(
    {f"os.{name}" for name in ("remove", "rename", "mkdir", "rmdir", "link", "symlink", "truncate", "chmod", "chown")}
    | {f"shutil.{name}" for name in ("rmtree", "move", "copyfile", "copytree", "copymode", "copystat", "make_archive")}
    | {"os.utime", "os.setxattr", "os.removexattr"}
)
PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.kill"})


def watch(event: str, args: tuple[Any, ...]) -> None:
    """Note what Python's audit events say of files, programs and the network, within the test's folder."""
    if not HAPPENED.active:
        return
    if event == "open":
        path, _, flags = args
        if not isinstance(path, (str, bytes)) or not is_mine(os.fsdecode(path)):
            return
        if flags is not None and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND):
            HAPPENED.order.add("files")
        else:
            HAPPENED.read.add("files")
    elif event in WRITES:
        HAPPENED.order.add("files")
    elif event in PROGRAMS:
        HAPPENED.order.add("programs")
    elif event in ("os.putenv", "os.unsetenv", "os.chdir"):
        HAPPENED.order.add("process")
    elif event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        HAPPENED.order.add("network")


def is_mine(path: str) -> bool:
    """Tell whether a path is in the folder of the test."""
    return not os.path.isabs(path) or path.startswith(os.getcwd())


sys.addaudithook(watch)


class Listener(logging.Handler):
    """Counts log records."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def ambient() -> dict[str, Any]:
    """Return the state of the process that a call may change."""
    found: dict[str, Any] = {
        "folder": os.getcwd(),
        "environment": dict(os.environ._data),  # type: ignore[attr-defined]
        "filters": list(warnings.filters),
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
        "numpy": (np.geterr(), str(np.get_printoptions())),
        "decimal": (decimal.getcontext().prec, decimal.getcontext().rounding),
        "dialects": (csv.list_dialects(), csv.field_size_limit()),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "timeout": socket.getdefaulttimeout(),
        "path": list(sys.path),
        "streams": (),
        "loggers": (logging.root.level, logging.root.manager.disable, len(logging.root.handlers)),
    }
    if "matplotlib.pyplot" in sys.modules:
        import matplotlib.pyplot as plt

        found["pyplot"] = (plt.get_fignums(), str(dict(plt.rcParams)))
    return found


@dataclass
class Seen:
    """What one call was seen to do."""

    changed: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    order: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    holding: set[str] = field(default_factory=set)
    iterators: set[str] = field(default_factory=set)
    atom: bool = True
    failed: BaseException | None = None
    result: Any = None


def arrays(things: Mapping[int, Any]) -> list[Any]:
    return [
        thing
        for thing in things.values()
        if issubclass(type(thing), np.ndarray) and thing.size and not thing.dtype.hasobject
    ]


def shares(result: Any, things: Mapping[int, Any]) -> bool:
    """Tell whether the memory of an array is that of one of these."""
    if isinstance(result, memoryview):
        result = np.frombuffer(result, dtype=np.uint8) if result.contiguous and result.nbytes else None
    mine = [result] if isinstance(result, np.ndarray) else []
    return any(np.may_share_memory(one, other) for one in mine if one.size for other in arrays(things))


@contextlib.contextmanager
def watched(seen: Seen, before: dict[str, Any]) -> Iterator[None]:
    """Watch output, files, programs, random states, logging and the state of the process, which was so before."""
    out, listener = io.StringIO(), Listener()
    logging.root.addHandler(listener)
    random.seed(5)
    np.random.seed(5)
    states = drawn()
    HAPPENED.order.clear()
    HAPPENED.read.clear()
    HAPPENED.active = True
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            yield
    finally:
        HAPPENED.active = False
        seen.order |= HAPPENED.order | ({"output"} if out.getvalue() else set())
        seen.reads |= HAPPENED.read
        if drawn() != states:
            seen.order.add("random")
        if listener.count:
            seen.order.add("log")
        logging.root.removeHandler(listener)
        if ambient() != before:
            seen.order.add("process")
            put_back(before)


def drawn() -> Any:
    """Return the states of the random numbers that modules hold for all."""
    return random.getstate(), state_of(np.random.get_state(legacy=False))


def put_back(before: dict[str, Any]) -> None:
    """Put the state of the process back."""
    os.chdir(before["folder"])
    for name in set(os.environ) - set(map(os.fsdecode, before["environment"])):
        del os.environ[name]
    os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in before["environment"].items()})
    warnings.filters[:] = before["filters"]  # type: ignore[index]
    locale.setlocale(locale.LC_ALL, before["locale"])
    sys.setrecursionlimit(before["recursion"])
    np.seterr(**before["numpy"][0])
    for name in set(csv.list_dialects()) - set(before["dialects"][0]):
        csv.unregister_dialect(name)
    csv.field_size_limit(before["dialects"][1])
    socket.setdefaulttimeout(before["timeout"])
    logging.root.setLevel(before["loggers"][0])
    logging.disable(before["loggers"][1])
    if "matplotlib.pyplot" in sys.modules:
        import matplotlib
        import matplotlib.pyplot as plt

        plt.close("all")
        matplotlib.rcdefaults()
        matplotlib.use("agg")


def see(
    call: Callable[..., Any], receiver: Any, given: dict[str, Any], shared: frozenset[int], before: dict[str, Any]
) -> Seen:
    """Call something with arguments (by position as text, or by name) and see what happens.

    Args:
        call: Takes the receiver and the arguments.
        receiver: The receiver, `MISSING` for a function.
        given: The arguments.
        shared: The ids of objects that other copies of receiver and arguments share: they belong to no one.
        before: The state of the process, see `ambient`.
    """
    seen = Seen()
    parties = {"self": receiver, **given} if receiver is not MISSING else dict(given)
    pictures = {name: picture(thing) for name, thing in parties.items()}
    reached = {
        name: {key: thing for key, thing in reach(thing).items() if key not in shared}
        for name, thing in parties.items()
    }
    seen.iterators = {name for name, thing in given.items() if hasattr(thing, "__next__")}
    places = [given[name] for name in given if name.isdigit()]
    names = {name: thing for name, thing in given.items() if not name.isdigit()}
    with watched(seen, before), warnings.catch_warnings(record=True):
        try:
            seen.result = call(receiver, *places, **names)
        except Exception as error:
            seen.failed = error
    for name, thing in parties.items():
        if picture(thing) != pictures[name]:
            seen.changed.add(name)
        if isinstance(thing, Recorder) and thing.called:
            seen.called.add(name)
    see_held(seen, parties, reached)
    if seen.failed is None:
        see_result(seen, parties, reached)
    return seen


MISSING = object()


def see_held(seen: Seen, parties: dict[str, Any], reached: dict[str, dict[int, Any]]) -> None:
    """See which arguments the receiver, or another argument, holds that it did not hold before."""
    for owner, thing in parties.items():
        others = {name: things for name, things in reached.items() if name != owner and name != "self"}
        if not any(others.values()):
            continue
        now = reach(thing)
        for name, things in others.items():
            new = things.keys() & now.keys() - reached[owner].keys()
            if new:
                seen.held.add(name if id(parties[name]) in new else f"{name}.part")


def see_result(seen: Seen, parties: dict[str, Any], reached: dict[str, dict[int, Any]]) -> None:
    """See whether a result is something that was there before, and what of that it holds."""
    result = seen.result
    seen.atom = is_atom(result)
    if seen.atom:
        return
    for name, things in reached.items():
        if result is parties[name] or shares(result, things):
            seen.returns.add(name)
        elif id(result) in things:
            seen.returns.add("part" if name == "self" else f"{name}.part")
    if not seen.returns:
        now = reach(result)
        for name, things in reached.items():
            if id(parties[name]) in now and id(parties[name]) in things:
                seen.holding.add(name)
            elif things.keys() & now.keys():
                seen.holding.add("part" if name == "self" else f"{name}.part")


def fresh_folder(root: pathlib.Path) -> None:
    """Make the files that the calls work on, new."""
    for path in root.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (root / "there.txt").write_text("1,2\n3,4\n")
    (root / "other.txt").write_text("other")
    (root / "dir").mkdir()
    (root / "dir" / "in.txt").write_text("in")
    (root / "empty").mkdir()
    (root / "data.pickle").write_bytes(pickle.dumps([1]))


def listing(root: str) -> list[tuple[str, int, int]]:
    """Return what files are there, and what may have changed of them."""
    found = []
    for entry in sorted(os.scandir(root), key=lambda entry: entry.path):
        state = entry.stat(follow_symlinks=False)
        found.append((entry.path, state.st_mtime_ns, state.st_mode))
        if entry.is_dir(follow_symlinks=False):
            found += listing(entry.path)
    return found
