"""Plan the calls that a call of a builtin, itertools or numpy makes: their items, and how it is made again."""

from __future__ import annotations

import ast
import heapq
import itertools
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter, methodcaller
from typing import Any

from concompare.cells.effects.live import is_iterator
from concompare.cells.forms.streams import name_of
from concompare.cells.ir import Loop
from concompare.cells.replay import bars
from concompare.cells.replay.calling import arrays
from concompare.cells.replay.calling.standing import Given
from concompare.cells.syntax import names

Call = Callable[..., Any]
BUILT_IN = (
    *(types.BuiltinFunctionType, types.MethodDescriptorType, types.MethodWrapperType, types.WrapperDescriptorType),
    *(itemgetter, attrgetter, methodcaller),
)
"""Types of functions that are done sooner than a worker could be asked."""
OPTIONS: dict[Call, set[str]] = {sorted: {"key", "reverse"}, min: {"key", "default"}, max: {"key", "default"}}
"""What the calls take by name; all others take a key, if anything."""
COUNTED = ("builtins", "collections", "numpy", "pandas")


@dataclass
class Plan:
    """The calls that a call will make.

    Attributes:
        loop: These calls as a loop.
        function: What is called.
        items: What the loop walks: a list, or something that is walked once.
        again: Makes the call with the items and a function in the places of its own.
        bar: The progress bar around the items.
        given: What the function is called with each time; None: the item alone.
        spread: It is called with all that an item holds.
    """

    loop: Loop
    function: Call
    items: Any
    again: Callable[[Any, Call], Any]
    bar: Any = None
    given: list[Given] | None = None
    spread: bool = False


def plan_of(loop: Loop, called: Any, args: tuple[Any, ...], named: dict[str, Any], keep: dict[str, Any]) -> Plan | None:
    """Return the calls that a call will make, or None where that is not known or there are none.

    Args:
        loop: The call as it is written.
        called: What is called.
        args: With which arguments.
        named: With which arguments by name.
        keep: The notebook's names, where what every call is given is put.
    """
    if is_sort(called):
        return sort(loop, called, args, named)
    maker = MAKERS.get(id(called))
    if maker is not None:
        known = set(named) <= OPTIONS.get(called, {"key"})
        found = maker(args, named) if known else None
        plan = walking(loop, called, *found) if found is not None else None
        return spread(plan) if plan is not None and takes_several(plan.loop) else plan
    grid = arrays.grid_of(called, args, named)
    if grid is None:
        return None
    made, items = arrays.loop_over(loop, grid, keep)
    return Plan(made, grid.function, items, lambda items, function: grid.again(function), given=grid.given)


CALLING = frozenset({
    *("map", "filter", "starmap", "chain", "from_iterable", "accumulate", "takewhile", "dropwhile", "filterfalse"),
    *("groupby", "zip_longest", "tee", "islice"),
})  # fmt: skip
"""Iterators that call functions or walk others, when they are walked themselves."""


def names_in(loop: Loop) -> set[str]:
    """Return the last names of what is called in the expression that is walked."""
    nodes = names.nodes_in(loop.items) if loop.items is not None else ()
    return {name_of(node.func) for node in nodes if isinstance(node, ast.Call)}


def is_sort(called: Any) -> bool:
    """Tell whether this is the method `sort` of a list."""
    return type(called) is types.BuiltinFunctionType and called.__name__ == "sort" and type(called.__self__) is list


def sort(loop: Loop, called: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Plan | None:
    """Plan `list.sort`, which asks for all keys first, and while it works leaves the list empty."""
    function = named.get("key")
    if args or is_quick(function) or not set(named) <= OPTIONS[sorted]:
        return None

    def again(items: Any, key: Call) -> Any:
        return called(**{**named, "key": key})

    return Plan(loop, function, list(called.__self__), again)  # type: ignore[arg-type]


def is_quick(function: Any) -> bool:
    """Tell whether there is no function, or one that needs no worker."""
    return not callable(function) or isinstance(function, BUILT_IN) or getattr(function, "__module__", 0) == "builtins"


Found = tuple[Call, Any, Callable[[Any, Call], tuple[tuple[Any, ...], dict[str, Any]]]]
"""A function, what is walked, and the arguments of the call with both of them in their places."""


def keyed(args: tuple[Any, ...], named: dict[str, Any]) -> Found | None:
    """Plan `sorted`, `min` and `max`."""
    function = named.get("key")
    if len(args) != 1 or function is None:
        return None
    return function, args[0], lambda items, key: ((items,), {**named, "key": key})


def several(args: tuple[Any, ...], named: dict[str, Any]) -> Found | None:
    """Plan `nlargest` and `nsmallest`."""
    function = args[2] if len(args) == 3 else named.get("key")
    if not 2 <= len(args) <= 3 or function is None:
        return None
    if type(args[0]) is not int or args[0] < 1:
        return None
    return function, args[1], lambda items, key: ((args[0], items), {"key": key})


def while_true(args: tuple[Any, ...], named: dict[str, Any]) -> Found | None:
    """Plan `takewhile` and `dropwhile`."""
    return (args[0], args[1], lambda items, function: ((function, items), {})) if len(args) == 2 else None


def grouped(args: tuple[Any, ...], named: dict[str, Any]) -> Found | None:
    """Plan `groupby`."""
    function = args[1] if len(args) == 2 else named.get("key")
    return (function, args[0], lambda items, key: ((items, key), {})) if args and function is not None else None


def mapped(args: tuple[Any, ...], named: dict[str, Any]) -> Found | None:
    """Plan `map`, also over several things side by side."""
    if len(args) < 2 or named:
        return None
    if len(args) == 2:
        return args[0], args[1], lambda items, function: ((function, items), {})
    if not all(map(is_there, args[1:])):
        return None
    rows = [*zip(*args[1:], strict=False)]
    return args[0], rows, lambda items, function: ((function, *args[1:]), {})


MAKERS: dict[int, Callable[[tuple[Any, ...], dict[str, Any]], Found | None]] = {
    **{id(called): keyed for called in (sorted, min, max)},
    **{id(called): several for called in (heapq.nlargest, heapq.nsmallest)},
    **{id(called): while_true for called in (itertools.takewhile, itertools.dropwhile)},
    **{id(called): while_true for called in (filter, itertools.filterfalse, itertools.starmap)},
    id(map): mapped,
    id(itertools.groupby): grouped,
}
"""How calls are planned, by what is called."""


def is_there(items: Any) -> bool:
    """Tell whether what is walked is there already, so that it may be walked sooner or more than once."""
    known = type(items).__module__.partition(".")[0] in COUNTED and hasattr(items, "__len__")
    return known and not is_iterator(items)


def takes_several(loop: Loop) -> bool:
    """Tell whether the function of a loop is called with all that an item holds, as by `starmap`."""
    call = loop.plainly.elt if loop.plainly is not None else None
    return isinstance(call, ast.Call) and any(isinstance(part, ast.Starred) for part in call.args)


def spread(plan: Plan) -> Plan | None:
    """Return a plan whose items are all that the function is given, or None where that cannot be looked at before."""
    known = type(plan.items) is list and all(type(item) in (tuple, list) for item in plan.items)
    return replace(plan, spread=True) if known else None


def walking(loop: Loop, called: Call, function: Call, iterable: Any, arguments: Any) -> Plan | None:
    """Plan a call that walks something once, and calls a function with each item."""
    if is_quick(function):
        return None
    items, bar = bars.unwrapped(iterable)
    if not hasattr(type(items), "__iter__"):
        return None
    if called is sorted or is_there(items):  # `sorted` walks to the end before it asks for a key
        items = list(items)
    if type(items) is list and not items:
        return None
    if type(items) is not list and (type(items).__name__ in CALLING or names_in(loop) & CALLING):
        return None

    def again(walked: Any, key: Call) -> Any:
        args, named = arguments(walked, key)
        return called(*args, **named)

    return Plan(loop, function, items, again, bar)
