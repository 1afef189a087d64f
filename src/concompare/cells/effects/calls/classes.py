"""Classes: the objects that a call of one makes."""

from __future__ import annotations

import ast
import collections
import dataclasses
import enum
import functools
import types
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments, Partial, carried, made_with
from concompare.cells.effects.attributes import class_of
from concompare.cells.effects.calls.applying import apply
from concompare.cells.effects.calls.getters import KINDS, made_getter
from concompare.cells.effects.calls.installed import asked, call_back
from concompare.cells.effects.calls.own_objects import call_own
from concompare.cells.effects.elements import elements_of
from concompare.cells.effects.following import follow
from concompare.cells.effects.inherited import call_overridden
from concompare.cells.effects.live import definition_of, static
from concompare.cells.effects.operators import operated
from concompare.cells.effects.storing import run_descriptors
from concompare.cells.ir import Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, Obj, Origin, Value, is_atom_type
from concompare.cells.telling_classes import telling_when_pickled

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter


def call_class(an: Interpreter, node: ast.AST, kind: type, given: Arguments, what: str) -> Value:
    """Follow making an object."""
    an.now.called += (kind.__name__,)
    if kind in (functools.partial, types.MethodType) and given.positional:
        made = an.made(node, "a partial function", (kind,), key=kind)
        rest = Arguments(given.positional[1:], given.named, given.spread, given.flags)
        code = Partial(given.positional[0], rest)
        an.intertwined = an.intertwined or made.code not in (None, code)
        made.origin, made.code = Origin.FUNCTION, code
        an.put({made}, ANY, carried(rest.all))
        return frozenset({made})
    if kind in KINDS and given.positional:
        return made_getter(an, node, kind, given)
    if issubclass(kind, type) and len(given.positional) != 1:
        an.doubt(Why.FUNCTION, "makes a class, which others may see", "Make it before the loop")
    if kind is type and len(given.positional) == 1:
        return frozenset().union(*(class_of(an, obj) for obj in given.positional[0]))
    if kind is type or not an.world.is_user(kind):
        return call_installed_class(an, node, kind, given)
    return call_user_class(an, node, kind, given)


def call_installed_class(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Follow making an object of an installed class."""
    asked(an, node, kind, given)
    entry = declared.function(kind)
    if entry is not None:
        call_own(an, node, kind, f"{kind.__module__}.{kind.__qualname__}", given.all, declared=True)
        return apply(an, node, entry, ATOM, given, kind.__name__, made_type=kind)
    if is_atom_type(kind):
        an.deep(given.all)
        return ATOM
    return construct(an, node, kind, given)


def call_user_class(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Follow making an object of one of the user's classes."""
    if issubclass(kind, enum.Enum) and vars(kind).get("_member_map_"):
        return member_of(an, node, kind, given)
    maker = static(type(kind), "__call__")
    if isinstance(maker, types.FunctionType) and an.world.is_user(maker):
        return follow(an, maker, node, given.after(an.world.outer(kind, kind.__name__)))
    return make_user_object(an, node, kind, given)


def member_of(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Follow asking an enumeration for a member by its value."""
    this = an.world.outer(kind, kind.__name__)
    missing = static(kind, "_missing_")
    found = ATOM.union(*[an.world.element(obj) for obj in this])
    function: Any = missing.__func__ if isinstance(missing, classmethod) else None
    if isinstance(function, types.FunctionType) and an.world.is_user(function):
        found |= follow(an, function, node, given.after(this))
    return found


def make_user_object(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Follow what a call of one of the user's classes does unless its own class does otherwise."""
    made = an.made(node, f"a new {kind.__name__}", (kind,), key=kind)
    this = frozenset({made})
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        fill(an, made, kind._fields, given)
        missing = list(kind._fields)[len(given.positional) :] if not given.spread else kind._fields
        for name, thing in getattr(kind, "_field_defaults", {}).items():
            if name in missing and name not in given.named:
                an.put({made}, name, an.world.outer(thing, f"the default of `{name}`"))
        an.put({made}, ELEMENT, given.all)
        return this | made_by_own(an, node, kind, given)
    dropped = static(kind, "__del__")
    if isinstance(dropped, types.FunctionType):
        follow(an, dropped, node, Arguments([this]))
        an.doubt(Why.ALIAS, f"`{kind.__name__}` does something when it is dropped, which happens to copies too")
    if telling_when_pickled([kind]) is not None:
        an.doubt(Why.ALIAS, f"`{kind.__name__}` does something when it is pickled, which happens to what is sent")
    followed, given_back = run_makers(an, node, made, kind, given)
    after = static(kind, "__post_init__")
    if isinstance(after, types.FunctionType) and an.world.is_user(after):
        follow(an, after, node, after_fields(an, kind, this, given))
    if not followed or any(not an.world.is_user(part) and part is not object for part in kind.__mro__[1:]):
        an.put({made}, ANY, given.all)
    return this | given_back


def made_by_own(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Follow the `__new__` that the user has written for a named tuple, as everybody who copies one calls it."""
    method = static(kind, "__new__")
    method = method.__func__ if isinstance(method, staticmethod) else method
    if not isinstance(method, types.FunctionType) or definition_of(method.__code__, "__new__") is None:
        return ATOM
    if telling_when_pickled([kind]) is not None:
        an.doubt(Why.ALIAS, f"`{kind.__name__}` does something when it is made, as where it is sent")
    return follow(an, method, node, given.after(an.world.outer(kind, kind.__name__)))


def parameters_of(kind: type) -> list[dataclasses.Field[Any]]:
    """Return what the `__init__` of a data class takes, those without places last."""
    fields = getattr(kind, "__dataclass_fields__", {}).values()
    taken = [part for part in fields if part.init and kind_of(part) != "_FIELD_CLASSVAR"]
    return sorted(taken, key=lambda part: part.kw_only)


def kind_of(part: dataclasses.Field[Any]) -> str:
    """Return what `dataclasses` takes something annotated for: a field, or what only the class or `__init__` has."""
    return str(getattr(part, "_field_type", ""))


def after_fields(an: Interpreter, kind: type, this: Value, given: Arguments) -> Arguments:
    """Return what the `__post_init__` of a data class is called with: the object, and what is no field of it."""
    taken = parameters_of(kind)
    placed = dict(zip([part.name for part in taken], given.positional, strict=False))
    found = [this]
    for name, part in getattr(kind, "__dataclass_fields__", {}).items():
        if kind_of(part) == "_FIELD_INITVAR":
            value = placed.get(name, ATOM) | given.named.get(name, ATOM) | (given.spread or ATOM)
            if part.default is not dataclasses.MISSING:
                value |= an.world.outer(part.default, f"the default of `{name}`")
            found.append(value)
    return Arguments(found)


def run_makers(an: Interpreter, node: ast.AST, made: Obj, kind: type, given: Arguments) -> tuple[bool, Value]:
    """Follow what a class does with the arguments of a call.

    Returns whether it does anything with them, and which objects `__new__` may give back instead of a new one.
    """
    followed = False
    instead = ATOM
    for name in ("__new__", "__init__"):
        method = static(kind, name)
        method = method.__func__ if isinstance(method, staticmethod) else method
        if not isinstance(method, types.FunctionType):
            store_each(an, node, kind, frozenset({made}), given)
            continue
        if method.__code__.co_filename == "<string>" or definition_of(method.__code__, method.__name__) is None:
            followed = fill_generated(an, node, made, kind, given) or followed
        elif an.world.is_user(method):
            first = an.world.outer(kind, kind.__name__) if name == "__new__" else frozenset({made}) | instead
            found = follow(an, method, node, given.after(first))
            instead = instead or found
            followed = True
        else:
            call_overridden(an, node, kind, name, frozenset({made}), given)
            an.put({made}, ANY, given.all)
            followed = True
    return followed, instead


def store_each(an: Interpreter, node: ast.AST, kind: type, this: Value, given: Arguments) -> None:
    """Follow the `__setitem__` of the user's with which an `OrderedDict` is filled with what it is given."""
    if given.all and issubclass(kind, collections.OrderedDict):
        parts = given.all.union(*[elements_of(an, obj) for obj in given.all])
        operated(an, "setitem", this, node, parts)


def make_by_method(an: Interpreter, node: ast.AST, kind: type, name: str, given: Arguments) -> Value:
    """Follow a method of an installed class that makes an object of the user's class: `fromkeys`, `_make`, `_replace`.

    Returns the object; nothing where it is no such method.
    """
    if not an.world.is_user(kind):
        return ATOM
    if name == "fromkeys" and issubclass(kind, dict):
        made = an.call_value(node, an.world.outer(kind, kind.__name__), Arguments(), kind.__name__)
        operated(an, "setitem", made, node, given.all.union(*[elements_of(an, obj) for obj in given.all]))
        return made
    if name in ("_make", "_replace") and issubclass(kind, tuple) and telling_when_pickled([kind]) is not None:
        an.doubt(Why.ALIAS, f"`{kind.__name__}` does something when it is made, as where it is sent")
    return ATOM


def fill(an: Interpreter, made: Obj, words: Iterable[str], given: Arguments) -> None:
    """Give the fields of a record what the call gives."""
    for name, value in zip(words, given.positional, strict=False):
        an.put({made}, name, value)
    for name, value in given.named.items():
        an.put({made}, name, value)
    if given.spread:
        for name in words:
            an.put({made}, name, given.spread)


def fill_generated(an: Interpreter, node: ast.AST, made: Obj, kind: type, given: Arguments) -> bool:
    """Give the fields of a data class what its generated `__init__` would."""
    fields = getattr(kind, "__dataclass_fields__", None)
    if not isinstance(fields, dict):
        an.put({made}, ANY, given.all)
        return True
    fill(an, made, [part.name for part in parameters_of(kind)], given)
    for name, part in fields.items():
        factory = part.default_factory
        if part.default is not dataclasses.MISSING:
            an.put({made}, name, an.world.outer(part.default, f"the default of `{name}`"))
        elif isinstance(factory, type) and not an.world.is_user(factory):
            an.put({made}, name, frozenset({an.made(node, f"`.{name}`", (factory,), key=(kind, name))}))
        elif callable(factory):
            an.put({made}, name, an.call_value(node, an.world.outer(factory, name), Arguments(), name))
    frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", True)
    for name in fields if not frozen else ():
        operated(an, "setattr", made, node, frozenset(made.held(name)))
        run_descriptors(an, made, name, node, "set", frozenset(made.held(name)))
    return True


def construct(an: Interpreter, node: ast.AST, kind: type, given: Arguments) -> Value:
    """Follow making an object of an installed class of which nothing is declared: it holds what it is given."""
    an.now.heavy = True
    an.deep(given.all)
    made = an.made(node, f"a new {kind.__name__}", (kind,), key=kind)
    made.made_with = made_with(given)
    an.put({made}, ANY, carried(given.all))
    call_back(an, node, given, given.all)
    call_own(an, node, kind, f"{kind.__module__}.{kind.__qualname__}", given.all, declared=False)
    an.now.trusted |= {f"{kind.__module__}.{kind.__qualname__}"}
    return frozenset({made})
