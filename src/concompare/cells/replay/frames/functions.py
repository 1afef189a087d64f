"""The functions among the arguments of a method of pandas, and what is handed to pandas in their places."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable
from typing import Any

from concompare.cells.forms.methods import AGGREGATING, PIVOT, PLACE

NAMES = ("__name__", "__qualname__", "__doc__", "__module__")
KEYWORDS = ("func", "arg")
NAMED = frozenset({"agg", "aggregate"})
"""Methods that take functions by keywords, one for each column that they make."""
PLAIN = frozenset({"builtins", "numpy", "pandas"})
"""Modules whose functions pandas knows itself, or that are not worth a worker."""

Instead = Callable[[Any], Any]


def replaced(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], instead: Instead
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a method with something else in the places of the user's functions.

    Args:
        name: Of the method.
        args: What it is given.
        kwargs: What it is given by keywords.
        instead: What stands in the place of a function.
    """
    instead = once(instead)
    if name == PIVOT:
        if kwargs.get(AGGREGATING) is not None:
            return args, {**kwargs, AGGREGATING: within(kwargs[AGGREGATING], instead)}
        return tuple(within(part, instead) if place == PLACE else part for place, part in enumerate(args)), kwargs
    if args:
        first, *rest = args
        if first is not None:
            return (within(first, instead), *rest), kwargs
    for word in KEYWORDS:
        if kwargs.get(word) is not None:
            return args, {**kwargs, word: within(kwargs[word], instead)}
    if name in NAMED:
        return args, {word: named(value, instead) for word, value in kwargs.items()}
    return args, kwargs


def once(instead: Instead) -> Instead:
    """Return what gives one stand-in for a function wherever it stands: pandas refuses one that comes twice."""
    made: list[tuple[Any, Any]] = []

    def known(function: Any) -> Any:
        for other, stand in made:
            if other is function or (isinstance(function, types.MethodType) and other == function):
                return stand
        made.append((function, instead(function)))
        return made[-1][1]

    return known


def within(thing: Any, instead: Instead) -> Any:
    """Return a function's stand-in, or a list or dict with the stand-ins of what it holds."""
    if type(thing) in (list, tuple):
        return type(thing)([within(part, instead) for part in thing])
    if type(thing) is dict:
        return {name: within(part, instead) for name, part in thing.items()}
    return instead(thing) if is_users(thing) else thing


def named(thing: Any, instead: Instead) -> Any:
    """Return what a keyword names, a function or a column with a function, with its stand-in."""
    if type(thing).__name__ == "NamedAgg":
        if hasattr(thing, "_replace"):
            return thing._replace(aggfunc=within(thing.aggfunc, instead))
        made = copy.copy(thing)
        object.__setattr__(made, "aggfunc", within(thing.aggfunc, instead))
        return made
    if type(thing) is tuple and len(thing) == 2:
        return (thing[0], within(thing[1], instead))
    return within(thing, instead)


def is_users(thing: Any) -> bool:
    """Tell whether something is a function that pandas calls as it calls any other."""
    if not callable(thing) or hasattr(thing, "__iter__") or hasattr(thing, "keys"):
        return False
    inner = thing
    while isinstance(inner, functools.partial):
        inner = inner.func
    module = getattr(inner, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] not in PLAIN


def found(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Return the user's functions among the arguments of a method, each once."""
    functions: list[Any] = []

    def note(function: Any) -> Any:
        functions.append(function)
        return function

    replaced(name, args, kwargs, note)
    return functions


def stand_in(function: Any, answer: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> Any:
    """Return what pandas takes for a function: it has the function's name, and each call is answered by `answer`."""
    if isinstance(function, functools.partial):
        return functools.partial(stand_in(function.func, answer))
    if not hasattr(function, "__name__"):
        return nameless(function, answer)

    def called(*args: Any, **kwargs: Any) -> Any:
        return answer(args, kwargs)

    for name in NAMES:
        if isinstance(getattr(function, name, None), str):
            setattr(called, name, getattr(function, name))
    return called


def nameless(function: Any, answer: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> Any:
    """Return what pandas takes for an object that can be called: of a class of the same name."""

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        return answer(args, kwargs)

    def described(self: Any) -> str:
        return repr(function)

    return type(type(function).__name__, (), {"__call__": called, "__repr__": described})()
