"""Log records say where they were made: a function keeps its frame where somebody is shown that."""

from __future__ import annotations

import logging
import re
import types
from collections.abc import Iterator

PLACE = re.compile("funcName|lineno|filename|pathname|module|stack")
"""What a format takes of the place where a record was made."""
EMITTING = frozenset({"StreamHandler.emit", "FileHandler.emit", "NullHandler.emit", "BaseRotatingHandler.emit"})
"""How handlers pass on what their formatter makes of a record, and not the record itself."""


def are_shown(function: types.FunctionType) -> bool:
    """Tell whether a handler of a logger that a function uses shows where records were made, or keeps them."""
    return any(shows(handler) for logger in loggers_of(function) for handler in handlers_of(logger))


def loggers_of(function: types.FunctionType) -> list[logging.Logger]:
    """Return the loggers that a function knows by name; the ones of the notebook, where it has them from elsewhere."""
    named = [function.__globals__.get(name) for name in function.__code__.co_names]
    found = [thing for thing in named if isinstance(thing, logging.Logger)]
    if found:
        return found
    known = [thing for thing in function.__globals__.values() if isinstance(thing, logging.Logger)]
    return [*known, logging.getLogger()]


def handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that get the records of a logger."""
    current: logging.Logger | None = logger
    while current is not None:
        yield from current.handlers
        current = current.parent if current.propagate else None


def shows(handler: logging.Handler) -> bool:
    """Tell whether a handler shows where a record was made, or may."""
    emit = type(handler).emit
    if emit.__module__.partition(".")[0] != "logging" or emit.__qualname__ not in EMITTING:
        return True
    formatter = handler.formatter
    if formatter is None or isinstance(handler, logging.NullHandler):
        return False
    return type(formatter) is not logging.Formatter or PLACE.search(formatter._fmt or "") is not None
