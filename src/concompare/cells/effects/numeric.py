"""What numpy and pandas run of the user's though no line calls it: methods of objects in cells, hooks of classes."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.elements import elements_of
from concompare.cells.effects.following import follow
from concompare.cells.effects.kinds import INERT, LAZY_TYPES, PLAIN_CONTAINERS
from concompare.cells.effects.operators import CONTAINERS, IMPLICIT
from concompare.cells.ir import Effects
from concompare.cells.objects import ANY, ATOM, Obj, Value

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from concompare.cells.effects.interpreter import Interpreter

PACKAGES = frozenset({"numpy", "pandas"})
BUILTIN = frozenset({*PLAIN_CONTAINERS, range, type, *INERT, *LAZY_TYPES})
"""Types that are surely of none of these packages."""
BINARY = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift", "and", "xor"),
    "or",
)
ARITHMETIC = (
    *(f"{before}{word}" for word in BINARY for before in ("", "r", "i")),
    *("neg", "pos", "abs", "invert", "round", "trunc", "floor", "ceil"),
)
PROTOCOLS = ("array", "array_interface", "array_struct", "array_ufunc", "array_function", "array_wrap", "array_prepare")
GIVING = frozenset(f"__{word}__" for word in (*ARITHMETIC, *PROTOCOLS))
"""Special methods whose values numpy may hand on as they are."""
RUN = GIVING | {f"__{word}__" for word in IMPLICIT}
"""Special methods that numpy and pandas may run of an object that they compute with."""
MAKING = frozenset({"__array_finalize__", "__finalize__", "__init__"})
"""Methods that run of a new object of a class that is derived from one of theirs."""
CONSTRUCTORS = frozenset(
    {
        *("_constructor", "_constructor_sliced", "_constructor_expanddim"),
        *("_constructor_from_mgr", "_constructor_sliced_from_mgr", "_constructor_expanddim_from_mgr"),
    }
)
"""What pandas asks a frame of a derived class for, to make another."""


def is_of_numeric_package(thing: Any) -> bool:
    """Tell whether a class or function belongs to numpy or pandas."""
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return isinstance(module, str) and module.partition(".")[0] in PACKAGES


def is_numeric(obj: Obj) -> bool:
    """Tell whether an object may be of a class of numpy or pandas, or of one that is derived from these."""
    kinds = obj.types or ()
    if BUILTIN.issuperset(kinds):
        return False
    return any(is_of_numeric_package(base) for kind in kinds for base in kind.__mro__)


def computed(an: Interpreter, node: ast.AST, value: Value, what: str) -> Value:
    """Follow what numpy and pandas may run of the user's objects that they compute with.

    Args:
        an: The analysis.
        node: The code that computes.
        value: What it computes with.
        what: What is called: of the objects in an array numpy asks for a method of that name.

    Returns:
        What these methods give, which may be a part of the result.
    """
    return run_hooks(an, node, value.union(*[held_in(an, obj) for obj in value]), value, what)


def operated_on(an: Interpreter, node: ast.AST, value: Value, name: str) -> Value:
    """Follow the same for an operator, where it has an array or a frame to do with."""
    return computed(an, node, value, name) if value and any(map(is_numeric, value)) else ATOM


def made_anew(an: Interpreter, node: ast.AST, value: Value) -> None:
    """Follow what runs where a part or a view is made of an array or a frame of a derived class."""
    run_hooks(an, node, frozenset(obj for obj in value if is_numeric(obj)), value, "")


def held_in(an: Interpreter, obj: Obj) -> Value:
    """Return what a container holds, or what is in the cells of an array or a frame."""
    if is_numeric(obj):
        return an.world.cells(obj) if obj.live else frozenset({*elements_of(an, obj), *obj.held(ANY)})
    return elements_of(an, obj) if set(obj.types or ()) & CONTAINERS else ATOM


def run_hooks(an: Interpreter, node: ast.AST, parts: Value, given: Value, what: str) -> Value:
    """Follow what runs of the user's objects, with anything that is given; returns what it may give."""
    if an.looking:
        return ATOM
    found = ATOM
    an.looking = True
    for obj in parts:
        for function in hooks_of(an, obj, what):
            first = obj
            if function.__name__ in MAKING:
                first = an.made(node, "a new object", obj.types, key="made by a hook")
            with an.recording(Effects()) as done:
                count = function.__code__.co_argcount
                result = follow(an, function, node, Arguments([frozenset({first}), *[given] * (count - 1)]))
            found |= result if function.__name__ in GIVING else ATOM
            if done.order or any(place.obj is not first or first is obj for place in done.writes):
                done.heavy, done.doubts = False, ()
                an.now.add(done)
    an.looking = False
    return found


def hooks_of(an: Interpreter, obj: Obj, what: str) -> list[types.FunctionType]:
    """Return the functions of the user's that may run of an object, found once for each type."""
    if obj.types is None:
        return []
    key = obj.types, f"computed with {what}"
    found = an.special.get(key)
    if found is None:
        words = RUN | {what} if what else frozenset({"__array_wrap__"})
        words = words | MAKING | CONSTRUCTORS if is_numeric(obj) else words
        kinds = obj.types if any(map(an.world.is_user, obj.types)) else ()
        found = list(dict.fromkeys(one for kind in kinds for one in functions_of(an, kind, words)))
        an.special[key] = found
    return found


def functions_of(an: Interpreter, kind: type, words: frozenset[str]) -> Iterator[types.FunctionType]:
    """Yield the functions of the user's that a class has under some names, those of properties as well."""
    for base in kind.__mro__:
        for name, thing in vars(base).items() if an.world.is_user(base) else ():
            inner = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
            if name in words and isinstance(inner, types.FunctionType) and an.world.is_user(inner):
                yield inner
