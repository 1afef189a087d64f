"""Objects that this worker makes itself, as the notebook made its own: connections, files that are read.

They belong to one function and one pass: made when the function is read, looked at after each chunk, closed when the
function is read again or the pass has ended. A connection to a database is kept from changing it: what an item would
write has to be written in the notebook, in the order of the items.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

READING = frozenset({20, 21, 31, 33})
"""What a statement of SQLite may do here: SQLITE_READ, SQLITE_SELECT, SQLITE_FUNCTION, SQLITE_RECURSIVE."""
PRAGMA, UPDATE, OK, DENY = 19, 23, 0, 1
ASKING = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"})
"""Settings that only tell something, of what they are given."""
SCHEMAS = frozenset({"sqlite_master", "sqlite_temp_master"})
"""What SQLite itself pretends to update where a query meets a virtual table; nobody else may."""


class Made:
    """An object that was made here.

    Attributes:
        name: What the notebook calls it.
        wrote: What an item would have changed by it, or nothing.
    """

    def __init__(self, name: str, thing: Any) -> None:
        self.name, self.thing, self.wrote = name, thing, ""
        self.place = place_of(thing)

    def guard(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        """Tell SQLite whether a statement may do something: all but looking something up is denied, and noted."""
        asking = action == PRAGMA and (second is None or first in ASKING)
        declaring = action == UPDATE and first in SCHEMAS
        if action in READING or asking or declaring:
            return OK
        self.wrote = self.wrote or "an item changes the database"
        return DENY

    def is_moved(self) -> bool:
        """Tell whether items have read on in a file."""
        return place_of(self.thing) != self.place

    def close(self) -> None:
        """Close the object, whatever state it is in."""
        with contextlib.suppress(Exception):
            (getattr(self.thing, "close", None) or self.thing.dispose)()


class Making(threading.local):
    """What is made in a thread while it reads a function."""

    def __init__(self) -> None:
        self.things: dict[str, Made] | None = None


MAKING = Making()


@contextlib.contextmanager
def making(things: dict[str, Made]) -> Iterator[None]:
    """Let what is read meanwhile be made once, by what it is known by."""
    before, MAKING.things = MAKING.things, things
    try:
        yield
    finally:
        MAKING.things = before


def made_again(
    key: str,
    name: str,
    make: Callable[..., Any],
    arguments: tuple[Any, ...],
    named: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Any:
    """Make an object as the notebook did, once.

    Args:
        key: Tells it from others of the function's.
        name: What the notebook calls it.
        make: What makes it.
        arguments: Of that, by place.
        named: Those by name.
        settings: Attributes that it is given.
    """
    things = MAKING.things if MAKING.things is not None else {}
    if key not in things:
        thing = make(*arguments, **named)
        for attribute, value in settings.items():
            setattr(thing, attribute, value)
        things[key] = made = Made(name, thing)
        if hasattr(type(thing), "set_authorizer"):
            thing.set_authorizer(made.guard)
    return things[key].thing


def close_all(things: dict[str, Made]) -> None:
    """Close what was made, and forget it."""
    while things:
        things.popitem()[1].close()


def place_of(thing: Any) -> int | None:
    """Return where reading goes on in a file; None where it cannot be told, or for anything else."""
    if not hasattr(type(thing), "tell"):
        return None
    try:
        return int(thing.tell())
    except (OSError, ValueError):
        return -1
