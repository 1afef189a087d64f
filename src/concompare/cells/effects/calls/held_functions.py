"""The user's functions that an installed object holds, and may call when it is called, or a method of it is."""

from __future__ import annotations

import logging
import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import any_part
from concompare.cells.effects.calls.applying import parameter_count
from concompare.cells.effects.calls.nested import is_own_function, may_be_called
from concompare.cells.effects.calls.own_objects import is_derived, is_of_standard_library
from concompare.cells.effects.elements import elements_of
from concompare.cells.effects.inherited import called_methods
from concompare.cells.ir import Why
from concompare.cells.objects import ATOM, Obj, Value, reachable

if TYPE_CHECKING:
    import ast

    from concompare.cells.effects.interpreter import Interpreter

CONTAINERS = (list, tuple, set, frozenset)
MOST = 300
"""Objects that are looked at in one that is there already."""


def call_held(an: Interpreter, node: ast.AST, this: Value, given: Arguments) -> None:
    """Follow the functions that objects hold, as called with anything that was given."""
    functions = ATOM.union(*[held_functions(an, obj) for obj in this])
    if not functions:
        return
    parts = given.all.union(*[any_part(an, obj) | elements_of(an, obj) for obj in given.all])
    for function in functions:
        an.call_obj(node, function, Arguments([parts] * parameter_count(function)), function.label)


def held_functions(an: Interpreter, obj: Obj) -> Value:
    """Return the functions of the user's that an object holds."""
    found = frozenset(part for part in reachable([obj]) if part is not obj and may_be_called(an, part))
    for thing in obj.live:
        inside = an.world.held_by.get(id(thing))
        if inside is None:
            inside = an.world.held_by[id(thing)] = functions_in(an, thing)
            an.world.kept.append(thing)  # as long as it is known by its place in memory
        found = found.union(*[an.world.outer(one, f"a function of {obj.label}") for one in inside])
    return found


def functions_in(an: Interpreter, thing: Any) -> list[Any]:
    """Return the functions of the user's in the attributes of an object, and in what these hold."""
    found: list[Any] = []
    met: set[int] = set()
    waiting = [thing]
    while waiting and len(met) < MOST:
        one = waiting.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        if one is not thing and is_own_function(an, one):
            found.append(one)
        elif one is not thing and an.world.is_user(type(one)) and is_handed_on(an, thing, type(one)):
            found += [types.MethodType(function, one) for function in called_methods(an, type(one)).values()]
        elif isinstance(one, CONTAINERS):
            waiting += one
        else:
            waiting += (one if isinstance(one, dict) else getattr(one, "__dict__", {})).values()
    return found


def is_handed_on(an: Interpreter, thing: Any, kind: type) -> bool:
    """Tell whether an installed object calls the methods of what it holds of a class of the user's.

    What is logged is handed to the notebook's handlers there.
    """
    package = type(thing).__module__.partition(".")[0].lstrip("_")
    known = is_of_standard_library(package) and is_derived(an, kind, package)
    return known and not isinstance(thing, (logging.Logger, logging.LoggerAdapter))


def content_of(cell: types.CellType) -> Any:
    """Return what a variable of a function holds that another one sees, None where it holds nothing yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def refuse_hidden(an: Interpreter, thing: Any, what: str) -> None:
    """Doubt what does not tell of which function it was made, as `numpy.frompyfunc` and `functools.cmp_to_key` do."""
    kind = type(thing).__name__
    hidden = kind == "ufunc" and str(getattr(thing, "__name__", "")).endswith("(vectorized)")
    if (hidden or kind == "KeyWrapper" or is_callback(thing)) and not an.world.assume_pure:
        an.doubt(Why.OPAQUE, f"it cannot be seen which function `{what}` calls. Make it inside the cell")


def is_callback(thing: Any) -> bool:
    """Tell whether an object is a function of `ctypes` that calls one written in Python."""
    own = any(base.__module__ == "_ctypes" and base.__name__ == "CFuncPtr" for base in type(thing).__mro__)
    held = getattr(thing, "_objects", None) if own else None
    return any(type(part).__name__ == "CThunkObject" for part in (held or {}).values())
