"""Assignment targets: names, attributes and elements that are given a value."""

from __future__ import annotations

import ast
import decimal
import enum
import types
from typing import TYPE_CHECKING

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import any_part
from concompare.cells.effects.elements import elements_of, key_of, looked_into, walk_over
from concompare.cells.effects.following import follow
from concompare.cells.effects.kinds import CALM_STORES
from concompare.cells.effects.labels import call_as_labels
from concompare.cells.effects.live import static
from concompare.cells.effects.numeric import computed, is_numeric
from concompare.cells.effects.operators import looked_at, operated
from concompare.cells.effects.scopes import CELL, Scope
from concompare.cells.frame import is_own
from concompare.cells.ir import LABELS, Place, Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, Obj, Origin, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

PLACES = frozenset(map(str, range(10)))
TAKE_OUT = "Take it out of the loop"
MEANING = frozenset({"__class__", "__defaults__", "__kwdefaults__", "__code__", "__bases__"})
"""Attributes on which depends what an object does."""
SHARED = (types.ModuleType, type, types.FunctionType, enum.Enum)
"""Types of what is the same for everybody, and is not copied back from workers."""


def assign(an: Interpreter, target: ast.AST, value: Value, scope: Scope, *, strong: bool = True) -> None:
    """Give a value to an assignment target."""
    if isinstance(target, ast.Name):
        bind_name(an, target.id, value, scope, strong=strong)
        if scope is an.top:
            an.note(target)
    elif isinstance(target, (ast.Tuple, ast.List)):
        unpack(an, target, value, scope, strong=strong)
    elif isinstance(target, ast.Starred):
        made = an.made(target, "a list", (list,))
        an.put({made}, ELEMENT, value)
        assign(an, target.value, frozenset({made}), scope, strong=strong)
    elif isinstance(target, ast.Attribute):
        store_attribute(an, target, value, scope)
    elif isinstance(target, ast.Subscript):
        store_element(an, target, value, scope)


def bind_name(an: Interpreter, name: str, value: Value, scope: Scope, *, strong: bool = True) -> None:
    """Give a name a value."""
    if name in scope.declared:
        if is_own(an.world.namespace, scope.module, name):
            an.now.writes.add(Place(None, name))
            an.given[name] = an.given.get(name, ATOM) | value
        else:
            for module in an.world.outer(scope.module, f"the names of `{scope.where}`'s module"):
                an.now.writes.add(Place(module, name))
        return
    if scope is an.top:
        an.now.writes.add(Place(None, name))
        an.bindings[name] = an.bindings.get(name, ATOM) | value
    holder = scope
    while name not in holder.local and name not in holder.holders and holder.outer is not None:
        holder = holder.outer
    if name not in holder.local and name in holder.holders:
        cell = an.world.outer(holder.holders[name], name)
        an.write(cell, CELL)
        an.put(cell, CELL, value)
        return
    if name in holder.rebound:
        an.write([holder.rebound[name]], CELL)
    weak = not strong or holder is not scope
    holder.names[name] = value | holder.names.get(name, ATOM) if weak else value
    for seen in holder.watched:
        seen[name] = seen.get(name, ATOM) | holder.names[name]


def unpack(an: Interpreter, target: ast.Tuple | ast.List, value: Value, scope: Scope, *, strong: bool) -> None:
    """Give the parts of a value to several targets."""
    starred = any(isinstance(part, ast.Starred) for part in target.elts)
    elements: Value | None = None
    for place, part in enumerate(target.elts):
        found = ATOM
        for obj in value:
            held = obj.at(place) if not starred and set(obj.all_held()) <= PLACES else None
            if held is not None:
                found = found.union(held)
                continue
            elements = walk_over(an, value, target) if elements is None else elements
            found |= elements
        assign(an, part, found, scope, strong=strong)


def store_attribute(an: Interpreter, target: ast.Attribute, value: Value, scope: Scope) -> None:
    """Follow setting an attribute."""
    with an.at(target, scope):
        base = an.value(target.value, scope)
        refuse_nothing(an, base, target)
        for obj in base:
            refuse_shared(an, obj, target)
            set_attribute(an, obj, target, value)
        write_attribute(an, base, target)
        an.put(base, target.attr, value)


def refuse_nothing(an: Interpreter, base: Value, target: ast.Attribute) -> None:
    """Doubt an attribute of nothing that can be changed: of a class, a function or a member of an enumeration, then.

    A name may stand for nothing yet, as that of the best model before the first.
    """
    if base:
        return
    items = an.items if type(an.items) in (list, tuple, enum.EnumMeta) else ()
    if not isinstance(target.value, ast.Name) or any(isinstance(item, SHARED) for item in items):
        an.doubt(Why.OPAQUE, f"it cannot be seen of what `{ast.unparse(target)}` is set", TAKE_OUT)


def refuse_shared(an: Interpreter, obj: Obj, target: ast.Attribute) -> None:
    """Doubt an attribute of what is the same for everybody."""
    shared = any(isinstance(thing, SHARED) for thing in obj.live)
    if shared or any(issubclass(kind, SHARED) for kind in obj.types or ()):
        an.doubt(Why.FORBIDDEN, f"`{ast.unparse(target)}` is set, which everything else may read", TAKE_OUT)


def set_attribute(an: Interpreter, obj: Obj, target: ast.Attribute, value: Value) -> None:
    """Follow what runs where an attribute of one object is set, and doubt what others may see of it."""
    if obj.origin is Origin.ITEM:
        refuse_shared(an, obj, target)
    if any(isinstance(thing, decimal.Context) for thing in obj.live):
        an.doubt(Why.FORBIDDEN, f"`{ast.unparse(target)}` is set, which everything else may read", TAKE_OUT)
    operated(an, "setattr", obj, target, value)
    if target.attr == "__dict__":
        an.doubt(Why.OPAQUE, f"`{ast.unparse(target)}` is set, which others may have too", TAKE_OUT)
    if target.attr in MEANING:
        an.doubt(Why.OPAQUE, f"`{ast.unparse(target)}` is set, which changes what code does", TAKE_OUT)
    run_descriptors(an, obj, target.attr, target, "set", value)


def delete_attribute(an: Interpreter, obj: Obj, target: ast.Attribute) -> None:
    """Follow what runs where an attribute of one object is deleted."""
    operated(an, "delattr", obj, target, ATOM)
    run_descriptors(an, obj, target.attr, target, "delete")


def run_descriptors(an: Interpreter, obj: Obj, name: str, node: ast.AST, what: str, *value: Value) -> None:
    """Follow the property or descriptor of the user's that sets or deletes an attribute; of unknown types, of any."""
    this = frozenset({obj})
    found = [(kind, static(kind, name)) for kind in obj.types or ()]
    for kind, thing in found if obj.types is not None else an.world.methods(name):
        own = isinstance(thing, property) and an.world.is_user(kind)
        function = getattr(thing, f"f{what[:3]}") if own else None
        if isinstance(function, types.FunctionType) and an.world.is_user(function):
            follow(an, function, node, Arguments([this, *value]))
        function = static(type(thing), f"__{what}__")
        if isinstance(function, types.FunctionType) and an.world.is_user(function):
            follow(an, function, node, Arguments([an.world.outer(thing, f"`{name}`"), this, *value]))


def changed_by_name(an: Interpreter, obj: Obj, name: str | None, node: ast.AST, what: str, *value: Value) -> None:
    """Follow what runs where `setattr` or `delattr` changes an attribute; None: its name is not known."""
    kinds = an.world.classes() if obj.types is None else obj.types
    own = [part for kind in kinds for part in kind.__mro__ if an.world.is_user(part)]
    for word in dict.fromkeys(word for part in own for word in vars(part)) if name is None else (name,):
        run_descriptors(an, obj, word, node, what, *value)


def write_attribute(an: Interpreter, base: Value, target: ast.Attribute) -> None:
    """Note that an attribute of objects changes: where an installed class sees to that itself, all of the object.

    To set `df.v` stores a column, `df.columns` renames them, and `array.flat` is the whole array.
    """
    for obj in base:
        more = any(sets_more(an, kind, target.attr) for kind in obj.types or ())
        an.write({obj}, ANY if more else target.attr)
        if names_labels(target) and is_numeric(obj):
            an.write({obj}, LABELS)


def names_labels(target: ast.Attribute) -> bool:
    """Tell whether an attribute is the name of the labels of a frame, such as `df.index.name`."""
    holder = target.value
    return (
        target.attr in ("name", "names") and isinstance(holder, ast.Attribute) and holder.attr in ("index", "columns")
    )


def sets_more(an: Interpreter, kind: type, name: str) -> bool:
    """Tell whether code of an installed class runs where an attribute is set."""
    if kind is types.CellType:
        return False
    setter, thing = static(kind, "__setattr__"), static(kind, name)
    plain = setter in (static(object, "__setattr__"), static(type, "__setattr__"))
    if not plain and not an.world.is_user(setter):
        return True
    if isinstance(thing, property):
        return not an.world.is_user(thing.fset)
    return hasattr(type(thing), "__set__") and not isinstance(thing, types.MemberDescriptorType)


def passed_on(an: Interpreter, base: Value, method: str) -> Value:
    """Return what some objects hold and pass changes on to, as a chain of dicts does."""
    found = ATOM
    for obj in base:
        entries = [declared.method(kind, method) for kind in obj.types or () if not an.world.is_user(kind)]
        for entry in entries:
            if entry is not None and entry.forbidden:
                an.doubt(Why.FORBIDDEN, f"{obj.shown} {entry.forbidden}", TAKE_OUT)
        if any(entry is not None and "part" in entry.changes for entry in entries):
            found |= any_part(an, obj) | elements_of(an, obj)
    return found


def store_element(an: Interpreter, target: ast.Subscript, value: Value, scope: Scope) -> None:
    """Follow storing an element."""
    with an.at(target, scope):
        base, column = looked_into(an, target, scope)
        if column:
            call_as_labels(an, target, base, an.parts(target.slice, scope))
            an.write(base, column)
            return
        key = an.value(target.slice, scope)
        looked_at(an, key)
        call_as_labels(an, target, base, key)
        if any(map(is_numeric, base)):
            computed(an, target, value, "setitem")
        for obj in base:
            operated(an, "setitem", obj, target, value | key)
        an.write(base, key_of(an, target, scope, base))
        an.write(passed_on(an, base, "__setitem__"), ANY)
        an.put(base, ELEMENT, value | key)
        exact = all(obj.types and set(obj.types) <= CALM_STORES for obj in base)
        if exact and base and not key and scope is an.top:
            an.now.calm = all(set(obj.types or ()) <= {dict} or not obj.types for obj in base)
