"""Exceptions of items as the user should see them: themselves, with the item, ending on the user's line."""

from __future__ import annotations

import contextlib
import pickle
import reprlib
import signal
from types import TracebackType
from typing import Any

from concompare.errors import RAISED_BY, RemoteError, WorkerDied
from concompare.formats import one_line, size
from concompare.worker.bootstrap import SPENT
from concompare.worker.transfer.error_traces import traceback_through
from concompare.worker.transfer.object_refs import Objects, Restorer
from concompare.worker.transfer.pickling import ARGUMENTS

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60


def short_repr(item: Any) -> str:
    """Return an item's repr on one line, at most some sixty characters, whatever its `__repr__` does."""
    try:
        text = SHORT.repr(item)
    except (Exception, SystemExit, GeneratorExit):
        text = f"<{type(item).__name__}>"
    return one_line(text, 78)


Sent = dict[str, Objects]
"""The notebook's objects that an exception may refer to, by where they were sent and number."""


def rebuild(packed: dict[str, Any], sent: Sent | None = None) -> BaseException:
    """Return the exception that `pack_error` took apart, with a traceback through the user's frames."""
    error = instance_of(packed, sent)
    for note in packed["notes"]:
        add_note(error, note)
    if "cause" in packed:
        put(error, "__cause__", rebuild(packed["cause"], sent))
    if "context" in packed:
        context = packed["context"]
        put(error, "__context__", error.__cause__ if context is None else rebuild(context, sent))
    put(error, "__suppress_context__", packed["suppress"])
    if isinstance(error, BaseExceptionGroup) and len(packed.get("members", ())) == len(error.exceptions):
        for member, inner in zip(error.exceptions, packed["members"], strict=True):
            member.with_traceback(traceback_through(inner["frames"]))
    return error.with_traceback(traceback_through(packed["frames"]))


def instance_of(packed: dict[str, Any], sent: Sent | None = None) -> BaseException:
    """Return the exception itself, or one put together from its parts, or a stand-in of its name and text."""
    with contextlib.suppress(Exception):
        error: Any = read_of(packed, "referring" if "referring" in packed else "pickle", sent)
        if isinstance(error, BaseException):
            for name, value in read_of(packed, "hidden", sent).items() if "hidden" in packed else ():
                setattr(error, name, value)
            return error
    with contextlib.suppress(Exception):
        kind, arguments, state = read_of(packed, "parts", sent)
        own = next(base for base in kind.__mro__ if base.__module__ == "builtins")
        error = own.__new__(kind, *arguments)  # what a class makes of its arguments is in `state`
        ARGUMENTS.__set__(error, arguments)
        error.__dict__.update(state)
        if isinstance(error, BaseException):
            return error
    stand_in: type[RemoteError] = type(packed["type"].rpartition(".")[2], (RemoteError,), {})
    return stand_in(packed["text"])


def read_of(packed: dict[str, Any], name: str, sent: Sent | None) -> Any:
    """Return a pickled part of an exception, with the notebook's own objects where it refers to them."""
    if sent is None:
        return pickle.loads(packed[name])
    return Restorer(packed[name], (), sent).load()


def user_part(entry: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame that is not concompare's."""
    while entry is not None and entry.tb_frame.f_globals.get("__name__", "").startswith("concompare."):
        entry = entry.tb_next
    return entry


def with_item(error: BaseException, index: int, item: str) -> BaseException:
    """Note on an exception which item raised it; a call that is the only work has no item."""
    if index == 0 and item == "None":
        return error
    add_note(error, f"{RAISED_BY}{index}: {item}")
    return error


def item_of(error: BaseException) -> int | None:
    """Return which item raised an exception, or None where it is not noted."""
    notes = getattr(error, "__notes__", ())
    ours = [note for note in notes if isinstance(note, str) and note.startswith(RAISED_BY)]
    return int(ours[0].removeprefix(RAISED_BY).partition(":")[0]) if ours else None


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception that does not have it yet, also to one of which attributes cannot be set."""
    notes = getattr(error, "__notes__", [])
    if isinstance(notes, list) and note not in notes:
        put(error, "__notes__", [*notes, note])


def put(error: BaseException, name: str, value: object) -> None:
    """Set an attribute of an exception, whatever its class says to that: frozen data classes are exceptions too."""
    BaseException.__setattr__(error, name, value)


STATUSES = {
    0xC0000005: "access violation",
    0xC0000017: "no memory",
    0xC00000FD: "stack overflow",
    0xC000013A: "Ctrl-C",
    0xC0000374: "heap corruption",
    0xC0000409: "stack buffer overrun",
}
"""Exit codes by which Windows says what ended a process (NTSTATUS)."""


def ending(exitcode: int | None) -> str:
    """Return how a process ended that was not killed by a signal."""
    if exitcode is None:
        return "gone"
    if exitcode == SPENT:
        return "left without memory or open files"
    if exitcode < 0x8000_0000:
        return f"ended with exit code {exitcode}"
    status = STATUSES.get(exitcode)
    return f"ended by Windows with 0x{exitcode:X}" + (f" ({status})" if status else "")


GO_ON = ", or --on-error keep to go on without the item"
"""What else to do about an item whose worker ended, where a magic runs it."""


def death(index: int | None, item: str, exitcode: int | None, peak: int | None, remedy: str = GO_ON) -> WorkerDied:
    """Return the error for an item whose worker ended while computing it."""
    name = None
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-exitcode).name
    how = f"killed by {name}" if name else ending(exitcode)
    if name == "SIGKILL":
        how += " (often the system, for lack of memory)"
    memory = f"; it had used {size(peak)} of memory" if peak else ""
    where = f"computing item {index} ({item})" if index is not None else "between two items"
    advice = f"Use fewer workers or smaller items if memory ran out{remedy}."
    return WorkerDied(f"a worker was {how} while {where}{memory}. {advice}", index, name)
