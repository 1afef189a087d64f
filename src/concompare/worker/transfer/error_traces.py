"""Exceptions as values: their tracebacks, causes and contexts, which no pickle has, go along.

Nothing but the standard library may be imported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CodeType, TracebackType
from typing import Any

Frame = tuple[str, int | None, str, str, int]
"""A place in a source file: the file, the line, the name of the code, its full name, and the line where it begins."""

MARKS = (b"Error", b"xception", b"Warning")
"""What a pickle holds where it names the class of an exception, as classes of exceptions are called."""

MOST = 50
"""Frames that go along, the innermost ones."""

BETWEEN = frozenset({"asyncio.base_events", "asyncio.futures", "asyncio.tasks"})
"""Modules, beside ours, whose frames stand between what runs an item and the user's function."""


def is_between(module: str) -> bool:
    """Tell whether frames of a module stand between what runs an item and the user's function."""
    return module in BETWEEN or module.startswith("concompare.")


def frames_of(error: BaseException) -> list[Frame]:
    """Return the places of the user's frames that an exception has come through, the innermost ones of many."""
    found = [
        (code.co_filename, entry.tb_lineno, code.co_name, code.co_qualname, code.co_firstlineno)
        for entry in frames_of_user(error)
        for code in [entry.tb_frame.f_code]
    ]
    return found[-MOST:]


def frames_of_user(error: BaseException) -> Iterator[Any]:
    """Yield the traceback entries of an exception from the user's first frame on."""
    entry = error.__traceback__
    while entry is not None and is_between(str(entry.tb_frame.f_globals.get("__name__"))):
        entry = entry.tb_next
    while entry is not None:
        yield entry
        entry = entry.tb_next


def may_be_in(data: bytes) -> bool:
    """Tell whether a pickle may hold an exception."""
    return any(mark in data for mark in MARKS)


def reduced(error: BaseException, crosses: Callable[[Any], bool]) -> Any:
    """Return how an exception is pickled with where it was raised, and what led to it as far as that crosses.

    NotImplemented: it is pickled as any object.
    """
    led = {name: getattr(error, name) for name in ("__cause__", "__context__") if getattr(error, name) is not None}
    if error.__traceback__ is None and not led:
        return NotImplemented
    made = error.__reduce_ex__(5)
    if not isinstance(made, tuple) or not 2 <= len(made) <= 3:
        return NotImplemented
    led = {name: other for name, other in led.items() if crosses(other)}
    state = made[2] if len(made) == 3 else None
    return made[0], made[1], (state, frames_of(error), led, error.__suppress_context__), None, None, put_back


def put_back(error: BaseException, kept: tuple[Any, list[Frame], dict[str, BaseException], bool]) -> None:
    """Give an exception that has arrived its attributes, and what went along."""
    state, frames, led, suppress = kept
    if state is not None:
        error.__setstate__(state)
    for name, other in {**led, "__suppress_context__": suppress}.items():
        BaseException.__setattr__(error, name, other)
    error.__traceback__ = traceback_through(frames)


@functools.cache
def keeping(pickler: Any, crosses: Callable[[Any], bool]) -> Any:
    """Return a pickler that lets tracebacks go along."""

    class Keeping(pickler):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            return reduced(thing, crosses) if isinstance(thing, BaseException) else NotImplemented

    return Keeping


def traceback_through(frames: list[Frame]) -> TracebackType | None:
    """Return a traceback through places in source files, outermost first, made of frames that ran nothing."""
    entry: TracebackType | None = None
    for file, line, name, full_name, first in reversed(frames):
        place = place_in(file, line or first, name, full_name, first)
        if place is not None:
            entry = TracebackType(entry, place.tb_frame, place.tb_lasti, line or first)
    return entry


TEMPLATE: CodeType = compile("raise error", "", "exec")


def place_in(file: str, line: int, name: str, full_name: str, first: int) -> TracebackType | None:
    """Return a traceback entry whose frame claims to be at that line of that file, in code that begins at `first`.

    IPython finds a function's source by its first line, and counts from there.
    """
    code = TEMPLATE.replace(
        co_filename=file,
        co_name=name,
        co_qualname=full_name,
        co_firstlineno=first,
        co_linetable=table_of(line - first),
    )
    try:
        exec(code, {"error": Exception(), "__name__": name})
    except Exception as error:
        return error.__traceback__.tb_next if error.__traceback__ is not None else None
    return None


def table_of(distance: int) -> bytes:
    """Return a line table in which every instruction lies that many lines below the first, with no columns.

    Form 13 of https://github.com/python/cpython/blob/main/InternalDocs/code_objects.md: a signed number of lines.
    """
    number = -distance << 1 | 1 if distance < 0 else distance << 1
    steps = bytearray()
    while number >= 64:
        steps.append(0x40 | number & 63)
        number >>= 6
    steps.append(number)
    units = len(TEMPLATE.co_code) // 2
    table = bytearray()
    for at in range(0, units, 8):
        table.append(0xE8 | (min(8, units - at) - 1))
        table += b"\0" if at else bytes(steps)
    return bytes(table)
