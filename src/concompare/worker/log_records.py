"""Log records and warnings of items, kept like prints: handled once, in the notebook, in item order, as set up there.

    item ── Logger.handle ──> kept with the item ──> back with its value ──> the handlers of the notebook's logger

While items are computed for no results, or for results that come in another order, no handler may see their records:
it would write each once for every pass. Workers are given the levels of the notebook's loggers and send records back.
Nothing but the standard library may be imported, and `logging` only where it is in use.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import linecache
import pickle
import re
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from concompare.worker import warnings_here
from concompare.worker.bootstrap import PLACE
from concompare.worker.capture import APART, LISTENING, is_written_apart
from concompare.worker.transfer.pickling import can_pack, pack

LOG, WARNING = "log", "warning"
KINDS = (LOG, WARNING)
"""What records and warnings are called among the pieces of output of an item."""

LOCK = threading.RLock()

Levels = tuple[tuple[str, Any], ...]
"""Names of loggers, the root's empty, with the levels that they have; what is disabled as a whole is named `*`, the
filters of warnings, as bytes, `warning`, and `write` is there where each piece that is written counts."""
WRITE = "write"

AT_FIRST = 30
"""The level of a root logger that nobody has configured."""

ATOMS = (str, int, float, bool, type(None))
UNCHANGING = frozenset({*ATOMS, bytes, complex, range, type(Ellipsis)})
VALUES = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid", "zoneinfo"})
"""Modules of Python's whose classes are of values that nobody can change."""
MOST, LARGE = 500, 100_000
"""Parts of plain data, and bytes of arrays, that are copied for one record, at the most."""
STANDARD = frozenset([
    *("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module", "exc_info", "exc_text"),
    *("stack_info", "lineno", "funcName", "created", "msecs", "relativeCreated", "thread", "threadName"),
    *("processName", "process", "taskName"),
])  # fmt: skip
"""The attributes that every record has."""


def levels() -> Levels:
    """Return the levels of the loggers here, nothing where they are as they are at first."""
    logging = sys.modules.get("logging")
    shown: Levels = ((WRITE, 1),) if is_written_apart() else ()
    if "warnings" in sys.modules:
        shown += ((WARNING, warnings_here.packed_filters()),)
    if logging is None:
        return shown
    named = sorted(logging.root.manager.loggerDict.items())
    found = [(name, logger.level) for name, logger in named if getattr(logger, "level", 0)]
    found += [("", logging.root.level)] if logging.root.level != AT_FIRST else []
    return (*shown, *found, *((("*", logging.root.manager.disable),) if logging.root.manager.disable else ()))


def take_levels(given: Levels) -> None:
    """Give the loggers of this worker the levels of the notebook's, and the filters of warnings too."""
    before = GIVEN[0]
    if before != given:
        for name in {name for name, _ in before} - {name for name, _ in given}:
            set_level(name, AT_FIRST if not name else 0)
        for name, level in given:
            set_level(name, level)
        GIVEN[0] = given
    if PLACE:
        warnings_here.begin()


GIVEN: list[Levels] = [()]
"""The levels that this worker was given last."""


def set_level(name: str, level: Any) -> None:
    """Set the level of one logger, or below which nothing is logged, or the filters of warnings."""
    if name == WARNING:
        if PLACE and level:
            warnings_here.take_filters(level)
    elif name == WRITE:
        APART[0] = bool(level)
    else:
        import logging

        if name == "*":
            logging.disable(level)
        else:
            logging.getLogger(name).setLevel(level)


class kept:
    """Keep what the threads that compute items log and warn of for the time of a pass or a chunk, and nothing else."""

    __slots__ = ("entered",)

    def __init__(self) -> None:
        self.entered = False

    def __enter__(self) -> None:
        if "logging" not in sys.modules and "warnings" not in sys.modules:
            return  # an item that imports them first has its prints recorded
        with LOCK:
            self.entered = True
            DEPTH[0] += 1
            if DEPTH[0] == 1:
                take_places()

    def __exit__(self, *error: object) -> None:
        if self.entered:
            with LOCK:
                DEPTH[0] -= 1
                if not DEPTH[0]:
                    give_places_back()


def take_places() -> None:
    """Put our functions in the places of those that hand records and warnings on."""
    logging: Any = sys.modules.get("logging")
    warnings: Any = sys.modules.get("warnings")
    if logging is not None:
        ORIGINAL["handle"] = logging.Logger.handle
        logging.Logger.handle = handle
    if warnings is not None:
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
        recorders[0].keep(WARNING, warnings_here.kept_as(message, category, filename, lineno))


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
        given = record if isinstance(found, (bool, int)) else found  # filters of 3.12 may give another
        recorders[0].keep(LOG, settled(given))


class CannotCopy(Exception):
    """Raised for what is not plain data."""


def settled(record: Any) -> Any:
    """Return a record that says what it says now, whatever becomes of what it was made of before it is handled."""
    own = vars(record).keys() - STANDARD
    plain = type(record.msg) is str and (not record.args or type(record.args) is tuple)
    if plain and not own and UNCHANGING.issuperset(map(type, record.args or ())):
        return record
    made = copy.copy(record)
    for name in own:
        with contextlib.suppress(CannotCopy):
            vars(made)[name] = copied(vars(record)[name], [MOST])
    try:
        made.msg, made.args = copied((record.msg, record.args), [MOST])
    except CannotCopy:
        try:
            text = record.getMessage()
        except Exception:
            return made  # which handlers tell
        kind: Any = type(made)
        made.__class__ = with_text(kind)
        TEXTS[made] = text
    return made


def copied(thing: Any, left: list[int]) -> Any:
    """Return a copy of plain data: of builtin containers, values that nobody can change, and small arrays of those.

    Raises:
        CannotCopy: It is something else, or there is more of it than `left`.
    """
    kind = type(thing)
    if kind in UNCHANGING or is_number(thing):
        return thing
    left[0] -= 1
    if left[0] < 0:
        raise CannotCopy
    if kind in (list, tuple):
        return kind(copied(part, left) for part in thing)
    if kind in (set, frozenset):
        return kind(copied(part, left) for part in thing)
    if kind is dict:
        return {copied(key, left): copied(part, left) for key, part in thing.items()}
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray" and not thing.dtype.hasobject and thing.nbytes < LARGE:
        return thing.copy()
    raise CannotCopy


def is_number(thing: Any) -> bool:
    """Tell whether a thing is a value of numpy, or of a module of Python's whose values nobody can change."""
    module = type(thing).__module__
    return module in VALUES or (module == "numpy" and hasattr(thing, "dtype") and not hasattr(thing, "__setitem__"))


@functools.cache
def with_text(kind: Any) -> Any:
    """Return a class of records whose text was made when they were."""

    def get_message(self: Any) -> str:
        return TEXTS[self] if self in TEXTS else str(kind.getMessage(self))

    def reduce_ex(self: Any, protocol: Any) -> Any:
        import logging

        return logging.makeLogRecord, ({**vars(self), "msg": get_message(self), "args": ()},)

    own = {"getMessage": get_message, "__reduce_ex__": reduce_ex, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), own)


TEXTS: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
"""What records say whose text cannot be made later."""


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
    if record in TEXTS:
        made.msg, made.args = record.getMessage(), ()
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
    warnings_here.show(*(pickle.loads(what) if isinstance(what, bytes) else what))


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
