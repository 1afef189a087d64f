"""`super()`: the methods of the classes above the one whose method asks for them."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import any_part, bound_to
from concompare.cells.effects.calls.callables import call_value
from concompare.cells.effects.calls.classes import make_user_object
from concompare.cells.effects.calls.installed import installed_method
from concompare.cells.effects.following import follow
from concompare.cells.effects.live import MISSING
from concompare.cells.effects.scopes import Scope, live_object
from concompare.cells.objects import ANY, ATOM, Obj, Origin, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter


@dataclass(frozen=True)
class Above:
    """What `super()` gives: objects, or classes, seen as of the classes above one; None: not known which one."""

    kind: type | None
    receivers: Value


def made_super(an: Interpreter, node: ast.Call, given: Arguments, scope: Scope) -> Value:
    """Return what a call of `super` gives."""
    root = root_of(scope)
    if len(given.positional) > 1:
        kinds = [thing for obj in given.positional[0] for thing in obj.live if isinstance(thing, type)]
        kind, receivers = kinds[0] if len(kinds) == 1 else None, given.positional[1]
    else:
        kind, receivers = root.cells.get("__class__"), root.names.get(next(iter(root.names), ""), ATOM)
    made = an.made(node, "super()", (super,), key=(kind, receivers))
    made.origin, made.code = Origin.MADE, Above(kind, receivers)
    return frozenset({made})


def root_of(scope: Scope) -> Scope:
    """Return the scope of the method around a piece of code."""
    while scope.outer is not None:
        scope = scope.outer
    return scope


def is_super(node: ast.Call, an: Interpreter, scope: Scope) -> bool:
    """Tell whether a call is one of `super`."""
    return isinstance(node.func, ast.Name) and live_object(an, node.func.id, scope) is super


def call_above(an: Interpreter, node: ast.AST, above: Above, name: str, given: Arguments) -> Value:
    """Follow the call of a method that `super()` gives."""
    found = ATOM
    for obj in above.receivers:
        for owner, thing in found_above(an, above, obj, name):
            found |= call_found(an, node, obj, owner, thing, name, given)
    return found


def call_found(an: Interpreter, node: ast.AST, obj: Obj, owner: type, thing: Any, name: str, given: Arguments) -> Value:
    """Follow the call of one method that was found in a class above."""
    this = frozenset({obj})
    function = thing.__func__ if isinstance(thing, (staticmethod, classmethod)) else thing
    if isinstance(function, types.FunctionType) and an.world.is_user(function):
        return follow(an, function, node, given if is_unbound(thing, obj, name) else given.after(this))
    if owner is object:
        return call_object(an, node, obj, name, given)
    if owner is type and name == "__call__":
        kinds = [thing for thing in obj.live if isinstance(thing, type)]
        return ATOM.union(*[make_user_object(an, node, kind, given) for kind in kinds])
    if an.world.is_user(owner):
        return call_value(an, node, bound_to(an, obj, owner, thing, name, node), given, name)
    if obj.outer and obj.live and isinstance(obj.live[0], type):
        return call_value(an, node, an.world.outer(getattr(owner, name), name), given, name)
    return installed_method(an, node, owner, name, this, given)


def is_unbound(thing: Any, obj: Obj, name: str) -> bool:
    """Tell whether a method gets only the arguments that the call names."""
    if isinstance(thing, staticmethod) or name == "__new__":
        return True
    return isinstance(thing, types.FunctionType) and any(isinstance(part, type) for part in obj.live)


def call_object(an: Interpreter, node: ast.AST, obj: Obj, name: str, given: Arguments) -> Value:
    """Follow a method that every object has."""
    this = frozenset({obj})
    if name == "__new__":
        kinds = tuple(thing for part in given.all for thing in part.live if isinstance(thing, type))
        return frozenset({an.made(node, "a new object", kinds or None, key=kinds)})
    if name in ("__setattr__", "__delattr__"):
        an.write(this, ANY)
        an.put(this, ANY, given.all)
    elif name not in ("__init__", "__init_subclass__"):
        an.read(obj, ANY)
        an.deep(given.all)
        return any_part(an, obj) if name == "__getattribute__" else ATOM
    return ATOM


def attribute_above(an: Interpreter, above: Above, name: str, node: ast.AST) -> Value:
    """Return what `super()` gives under a name."""
    found = ATOM
    for obj in above.receivers:
        for owner, thing in found_above(an, above, obj, name):
            found |= bound_to(an, obj, owner, thing, name, node)
    return found


def found_above(an: Interpreter, above: Above, obj: Obj, name: str) -> Iterator[tuple[type, Any]]:
    """Yield what the classes above have under a name for one receiver: of several where its class is not known."""
    kinds = [thing for thing in obj.live if isinstance(thing, type)] or list(obj.types or ())
    if above.kind is not None and issubclass(above.kind, type):  # asked by a metaclass, of its class
        kinds = [type(kind) for kind in kinds if not issubclass(kind, type)] or kinds
    known = above.kind is not None and bool(kinds) and all(above.kind in kind.__mro__ for kind in kinds)
    if not known:
        yield from an.world.methods(name)
        return
    for kind in kinds:
        for owner in kind.__mro__[kind.__mro__.index(above.kind) + 1 :]:
            thing = vars(owner).get(name, MISSING)
            if thing is not MISSING:
                yield owner, thing
                break
