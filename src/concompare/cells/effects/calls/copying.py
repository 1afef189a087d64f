"""What copies of objects are whose class is known: objects of that class, with copies of what the originals hold."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.elements import elements_of
from concompare.cells.effects.following import follow
from concompare.cells.effects.kinds import INERT, is_container
from concompare.cells.effects.live import static
from concompare.cells.ir import Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, Obj, Origin, Value

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable

    from concompare.cells.effects.interpreter import Interpreter

SHARED = (tuple, frozenset)
"""Types whose deep copies may be the originals themselves, where these hold nothing that changes."""

HOOKS = (
    *("__new__", "__copy__", "__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__"),
    *("__getnewargs__", "__getnewargs_ex__"),
)
"""Methods with which a class says how its objects are copied."""

ANSWERS = ("__deepcopy__", "__reduce__", "__reduce_ex__")
"""Those of them that may give anything."""

DEPTH = 2
"""Objects inside one another up to which it is looked at what a deep copy holds."""


def is_copied_by_class(an: Interpreter, obj: Obj) -> bool:
    """Tell whether a copy of an object is surely another one of the same class."""
    if not obj.types or any(issubclass(kind, (*SHARED, *INERT, types.MethodType)) for kind in obj.types):
        return False
    own = [static(kind, name) for kind in obj.types if an.world.is_user(kind) for name in HOOKS]
    return not any(isinstance(getattr(thing, "__func__", thing), types.FunctionType) for thing in own)


def deep_copies(an: Interpreter, node: ast.AST, originals: Value) -> Value | None:
    """Return what a deep copy of any of some objects is; None where it may be of a class that is not known."""
    if not originals or not all(is_copied_by_class(an, obj) for obj in originals):
        return None
    return copies(an, node, originals, 0)


def copies(an: Interpreter, node: ast.AST, originals: Iterable[Obj], depth: int) -> Value:
    """Return the deep copies of some objects, one for each class, and what these hold."""
    found: Value = ATOM
    for obj in originals:
        if obj.origin is Origin.FUNCTION or (any(isinstance(thing, INERT) for thing in obj.live) and obj.whole):
            found |= {obj}
        elif depth > DEPTH or not is_copied_by_class(an, obj):
            found |= unknown(an, node)
        else:
            made = an.made(node, "the result of `copy.deepcopy`", obj.types, key=("a copy", obj.types, depth))
            made.of_values = obj.of_values
            found |= {made}
            fill(an, node, made, obj, depth)
    return found


def fill(an: Interpreter, node: ast.AST, made: Obj, obj: Obj, depth: int) -> None:
    """Let a copy hold copies of what the original holds."""
    kinds = obj.types or ()
    names = names_of(obj) if all(map(an.is_plain_class, kinds)) else None
    if names is None:
        if all(map(is_container, kinds)):
            an.put({made}, ELEMENT, copies(an, node, elements_of(an, obj) - {obj}, depth + 1))
        elif not obj.of_values:
            an.put({made}, ANY, unknown(an, node))
        return
    for name in names:
        live = an.world.attribute(obj, name) if obj.live else ATOM
        told = ATOM if live is None else copies(an, node, live | frozenset(obj.held(name)), depth + 1)
        an.put({made}, name, told if live is not None else unknown(an, node))


def names_of(obj: Obj) -> list[str] | None:
    """Return the names of an object's attributes; None where others may be there."""
    if (obj.outer and not (obj.live and obj.whole)) or obj.has(ANY) or obj.has(ELEMENT):
        return None
    names = dict.fromkeys(name for name in obj.all_held() if name.isidentifier())
    for thing in obj.live:
        inside: Any = getattr(thing, "__dict__", None)
        if type(inside) is not dict or any("__slots__" in vars(kind) for kind in type(thing).__mro__):
            return None
        names |= dict.fromkeys(inside)
    return list(names)


def unknown(an: Interpreter, node: ast.AST) -> Value:
    """Return what stands for everything in copies of which no more is known."""
    made = an.made(node, "a part of a copy", None, key="a part of a copy")
    found = hooked(an, node, frozenset({made})) | {made}
    an.put({made}, ANY, found)
    return found


def hooked(an: Interpreter, node: ast.AST, original: Value) -> Value:
    """Return what the methods of the user's classes may give for a copy of an object."""
    found: Value = ATOM
    for name in ANSWERS:
        for kind, thing in an.world.methods(name):
            if name != "__deepcopy__":
                an.doubt(Why.OPAQUE, f"a `{kind.__name__}` may be copied, by its `{name}`")
            elif isinstance(thing, types.FunctionType):
                found |= follow(an, thing, node, Arguments([original, ATOM]))
    return found
