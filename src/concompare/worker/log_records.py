"""Log records and warnings of items, kept like prints: handled once, in the notebook, in item order, as set up there.

    item ── Logger.handle ──> kept with the item ──> back with its value ──> the handlers of the notebook's logger

While items are computed for no results, or for results that come in another order, no handler may see their records:
it would write each once for every pass. Workers are given the levels of the notebook's loggers and send records back.
Nothing but the standard library may be imported, and `logging` only where it is in use.
"""

from __future__ import annotations

import contextlib
import copy
import linecache
import pickle
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from concompare.worker.capture import LISTENING
from concompare.worker.transfer.pickling import can_pack, pack

LOG, WARNING = "log", "warning"
KINDS = (LOG, WARNING)
"""What records and warnings are called among the pieces of output of an item."""

LOCK = threading.RLock()

Levels = tuple[tuple[str, int], ...]
"""Names of loggers, the root's empty, with the levels that they have; what is disabled as a whole is named `*`, and
`warning` is there where the notebook shows warnings in a way of its own."""

AT_FIRST = 30
"""The level of a root logger that nobody has configured."""

ATOMS = (str, int, float, bool, type(None))


def levels() -> Levels:
    """Return the levels of the loggers here, nothing where they are as they are at first."""
    logging = sys.modules.get("logging")
    shown = ((WARNING, 1),) if shows_warnings() else ()
    if logging is None:
        return shown
    named = sorted(logging.root.manager.loggerDict.items())
    found = [(name, logger.level) for name, logger in named if getattr(logger, "level", 0)]
    found += [("", logging.root.level)] if logging.root.level != AT_FIRST else []
    return (*shown, *found, *((("*", logging.root.manager.disable),) if logging.root.manager.disable else ()))


def shown_there(given: Levels) -> bool:
    """Say whether the notebook that sent these shows warnings in a way of its own."""
    return any(name == WARNING for name, _ in given)


def take_levels(given: Levels) -> None:
    """Give the loggers of this worker the levels of the notebook's."""
    before = GIVEN[0]
    if before == given:
        return
    import logging

    for name in {name for name, _ in before} - {name for name, _ in given}:
        set_level(logging, name, AT_FIRST if not name else 0)
    for name, level in given:
        set_level(logging, name, level)
    GIVEN[0] = given


GIVEN: list[Levels] = [()]
"""The levels that this worker was given last."""


def set_level(logging: Any, name: str, level: int) -> None:
    """Set the level of one logger, or below which nothing is logged."""
    if name == "*":
        logging.disable(level)
    elif name != WARNING:
        logging.getLogger(name).setLevel(level)


class kept:
    """Keep what the threads that compute items log for the time of a pass or a chunk; all else is handled as ever.

    So are warnings where the notebook shows them in a way of its own.

    Args:
        warned: Whether it does; None: ask here.
    """

    __slots__ = ("entered", "warned")

    def __init__(self, warned: bool | None = None) -> None:
        self.warned, self.entered = warned, False

    def __enter__(self) -> None:
        if "logging" not in sys.modules and "warnings" not in sys.modules:
            return  # an item that imports them first has its prints recorded
        with LOCK:
            self.entered = True
            DEPTH[0] += 1
            if DEPTH[0] == 1:
                take_places(shows_warnings() if self.warned is None else self.warned)

    def __exit__(self, *error: object) -> None:
        if self.entered:
            with LOCK:
                DEPTH[0] -= 1
                if not DEPTH[0]:
                    give_places_back()


def shows_warnings() -> bool:
    """Say whether warnings are shown in another way than Python's own."""
    warnings = sys.modules.get("warnings")
    return warnings is not None and getattr(warnings.showwarning, "__module__", "") not in ("warnings", "_py_warnings")


def take_places(warned: bool) -> None:
    """Put our functions in the places of those that hand records and warnings on."""
    logging: Any = sys.modules.get("logging")
    warnings: Any = sys.modules.get("warnings")
    if logging is not None:
        ORIGINAL["handle"] = logging.Logger.handle
        logging.Logger.handle = handle
    if warnings is not None and warned:
        ORIGINAL["warn"] = warnings.showwarning
        warnings.showwarning = warn


def give_places_back() -> None:
    """Put back what was there before, unless somebody else has put something there meanwhile."""
    logging: Any = sys.modules.get("logging")
    warnings: Any = sys.modules.get("warnings")
    if logging is not None and logging.Logger.handle is handle:
        logging.Logger.handle = ORIGINAL["handle"]
    if warnings is not None and warnings.showwarning is warn:
        warnings.showwarning = ORIGINAL["warn"]


def warn(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: str | None = None) -> None:
    """Keep an item's warning; show any other."""
    recorders = LISTENING.out
    if recorders is None or file is not None:
        ORIGINAL["warn"](message, category, filename, lineno, file, line)
    else:
        recorders[0].keep(WARNING, (message, category, filename, lineno))


DEPTH = [0]
ORIGINAL: dict[str, Any] = {}
"""What was in the places that our functions have while items are computed."""


def handle(self: Any, record: Any) -> None:
    """Do what `Logger.handle` does, but for handing the record of an item to handlers: it is kept with the item."""
    recorders = LISTENING.out
    if recorders is None:
        ORIGINAL["handle"](self, record)
        return
    if self.disabled:
        return
    found = self.filter(record)
    if found:
        recorders[0].keep(LOG, record if isinstance(found, (bool, int)) else found)  # filters of 3.12 may give another


def sendable(kind: str, what: Any) -> bytes:
    """Return a record or a warning as bytes."""
    if kind == LOG:
        return sendable_record(what)
    message, category, *place = what
    try:
        return pack((message, category, *place))
    except Exception:
        return pack((f"{category.__name__}: {message}", UserWarning, *place))


def sendable_record(record: Any) -> bytes:
    """Return a record as bytes, with its exception but for the frames; its text is made where others may change it."""
    import logging

    made = copy.copy(record)
    given = record.args.values() if isinstance(record.args, dict) else record.args or ()
    if type(record.msg) is not str or not set(map(type, given)) <= set(ATOMS):
        made.msg, made.args = record.getMessage(), None
    if record.exc_info:
        made.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        kind, error, _ = record.exc_info
        made.exc_info = (kind, error, None) if can_pack(error) else None
    try:
        return pack(made.__dict__)
    except Exception:
        plain = {name: value for name, value in made.__dict__.items() if type(value) in ATOMS}
        return pack({**plain, "msg": record.getMessage(), "args": None})


def show_here(kind: str, what: Any) -> None:
    """Let the notebook have an item's record or warning."""
    if kind == LOG:
        handle_here(what)
        return
    import warnings

    message, category, filename, lineno = pickle.loads(what) if isinstance(what, bytes) else what
    warnings.showwarning(message, category, filename, lineno)


def handle_here(record: Any) -> None:
    """Let the handlers of the notebook have an item's record, and its filters where no worker has them."""
    import logging

    came = isinstance(record, bytes)
    if came:
        attributes: Mapping[str, Any] = pickle.loads(record)
        record = logging.makeLogRecord(dict(attributes))
        record.exc_text = with_source(record.exc_text) if record.exc_text else None
        if record.name == "root" and not logging.root.handlers:
            logging.basicConfig()  # as `logging.warning` does in the plain loop
    logger = logging.getLogger(None if record.name == "root" else record.name)
    (logger.handle if came else logger.callHandlers)(record)


FRAME = re.compile(r'^(  File "(.+)", line (\d+), in .+\n)(?!    )', re.MULTILINE)
"""A place in a traceback whose line of source is not there."""


def with_source(trace: str) -> str:
    """Return a traceback with the lines of the notebook's cells, which no worker has."""

    def found(match: re.Match[str]) -> str:
        line = linecache.getline(match[2], int(match[3])).strip()
        return f"{match[1]}    {line}\n" if line else match[1]

    return FRAME.sub(found, trace)


@contextlib.contextmanager
def dropped() -> Iterator[None]:
    """Drop what this thread logs."""
    logging = sys.modules.get("logging")
    if logging is None:
        yield
        return
    before = LISTENING.out
    LISTENING.out = (Nothing(), Nothing())
    try:
        with kept():
            yield
    finally:
        if before is None:
            del LISTENING.out
        else:
            LISTENING.out = before


class Nothing:
    """Keep nothing."""

    def keep(self, kind: str, what: Any) -> None:
        """Do nothing."""

    def write(self, text: str) -> int:
        """Write nothing."""
        return len(text)

    def flush(self) -> None:
        """Do nothing."""
