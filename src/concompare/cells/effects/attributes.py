"""Attributes: what an object or its class gives under a name."""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import re
import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects import declared
from concompare.cells.effects.arguments import Arguments, Method
from concompare.cells.effects.following import follow
from concompare.cells.effects.kinds import is_table, may_hold_objects
from concompare.cells.effects.live import MISSING, objects_in, static
from concompare.cells.effects.scopes import CELL
from concompare.cells.ir import Why
from concompare.cells.objects import ANY, ATOM, ATTRIBUTES, ATTRS, ELEMENT, Obj, Origin, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from concompare.cells.effects.interpreter import Interpreter


OF_PROPERTY = {"fget": "fget", "fset": "fset", "fdel": "fdel", "__set__": "fset", "__delete__": "fdel"}
"""Attributes of a property, and the function of it that each of them calls or is."""
MEMBERS = frozenset({"__members__", "_member_map_", "_value2member_map_"})
"""Attributes of an enumeration that hold its members."""
BEHIND = (functools.partialmethod, functools.singledispatchmethod)
"""What stands for methods of a class."""
MADE_BY_CLASSES = (types.FunctionType, classmethod, staticmethod, type)
OF_NAMES = {"__dict__": types.ModuleType, "__globals__": types.FunctionType}
"""Attributes that hold all names of a module, and what has them."""


def is_compiled_method(thing: Any) -> bool:
    """Tell whether what a class has under a name is a method that is not written in Python."""
    return callable(thing) and hasattr(type(thing), "__get__") and not isinstance(thing, MADE_BY_CLASSES)


def attribute(an: Interpreter, base: Value, name: str, node: ast.AST) -> Value:
    """Return what an attribute of some objects may be."""
    found = ATOM
    for obj in base:
        found |= notes_of(an, obj) if name == ATTRS and has_notes(obj) else attribute_of(an, obj, name, node)
    return found if base else of_member(an, name, node)


def of_member(an: Interpreter, name: str, node: ast.AST) -> Value:
    """Return what a property of a member of one of the user's enumerations gives, which nobody can change itself."""
    found = ATOM
    for thing in an.world.of_members(name):
        if isinstance(thing, property) and isinstance(thing.fget, types.FunctionType):
            found |= follow(an, thing.fget, node, Arguments([ATOM]))
    return found


def has_notes(obj: Obj) -> bool:
    """Tell whether an object may be a frame or a column of pandas, or of a class that is derived from these."""
    return any(is_table(base) for kind in obj.types or () for base in kind.__mro__)


def attribute_of(an: Interpreter, obj: Obj, name: str, node: ast.AST) -> Value:
    """Return what an attribute of one object may be."""
    if name in OF_ALL and (name == "__class__" or not is_shared_by_all(obj)):
        return OF_ALL[name](an, obj)
    refuse_names(an, frozenset({obj}), OF_NAMES.get(name))
    if name == "__kwdefaults__":
        refuse_defaults(an, obj)
    an.read(obj, name)
    if (every := user_method(an, obj, "__getattribute__")) is not None:
        follow(an, every, node, Arguments([frozenset({obj}), ATOM]))
    stored = frozenset({*obj.held(name), *obj.held(ANY)})
    live = an.world.attribute(obj, name) if not is_computed(an, obj, name) else None
    if live is not None and not (obj.live and isinstance(obj.live[0], type)):
        return live | stored
    if obj.live and isinstance(obj.live[0], type):
        return stored | class_attribute(an, obj, name, node)
    if name == CELL and obj.types == (types.CellType,):
        return in_cell(an, obj)
    function = function_in(obj, name)
    if obj.types is None:
        return of_unknown(an, obj, name, stored, node) if function is None else an.world.outer(function, name)
    found, known = stored | (an.world.outer(function, name) if function is not None else ATOM), False
    for kind in obj.types:
        thing = static(kind, name)
        hook = static(kind, "__getattr__") if thing is MISSING or may_lack(an, thing) else MISSING
        asked = isinstance(hook, types.FunctionType) and an.world.is_user(hook)
        found |= follow(an, hook, node, Arguments([frozenset({obj}), ATOM])) if asked else ATOM
        found |= bound_to(an, obj, kind, thing, name, node) if thing is not MISSING else ATOM
        known = known or asked or thing is not MISSING
    if known or (obj.has(name) and not obj.outer):
        return found
    if not obj.outer and all(an.is_plain_class(kind) for kind in obj.types):
        return found | frozenset(obj.held(ANY))
    return found | any_part(an, obj)


def may_lack(an: Interpreter, thing: Any) -> bool:
    """Tell whether what a class has under a name may raise for one of its objects that there is no such attribute."""
    if isinstance(thing, property):
        return isinstance(thing.fget, types.FunctionType) and an.world.is_user(thing.fget)
    return isinstance(thing, types.MemberDescriptorType) or getter_of(an, thing) is not None


def function_in(obj: Obj, name: str) -> Any:
    """Return the function that a property or a method of the user's has under a name, or None."""
    if obj.live and isinstance(obj.live[0], property) and name in OF_PROPERTY:
        return getattr(obj.live[0], OF_PROPERTY[name])
    return obj.code if name == "__func__" and isinstance(obj.code, types.FunctionType) else None


def attributes_of(an: Interpreter, obj: Obj) -> Value:
    """Return the dictionary of an object's attributes, always the same one."""
    found = an.sites.get(("attributes", obj))
    if found is None:
        own = getattr(obj.live[0], "__dict__", None) if len(obj.live) == 1 and obj.whole else None
        label = f"{obj.label}.__dict__"
        (found,) = an.world.outer(own, label, obj.origin) if type(own) is dict else (Obj(obj.origin, label, (dict,)),)
        found.method, found.owner = ATTRIBUTES, found.owner | {obj}
        an.sites["attributes", obj] = found
        an.changed = an.missed = an.intertwined = True  # it may have been met as any other before
    an.read(obj, ANY)
    return frozenset({found})


def refuse_names(an: Interpreter, base: Value, kind: type | None) -> None:
    """Doubt the dictionary of all names of the notebook, which its module and the functions in it have."""
    things = [thing for obj in base for thing in obj.live if kind is not None and isinstance(thing, kind)]
    names = [getattr(thing, "__name__" if kind is types.ModuleType else "__module__") for thing in things]
    if an.world.module in names and not an.world.assume_pure:
        an.doubt(Why.FORBIDDEN, "reaches every name of the notebook", "Keep the values in a dict of your own")


def refuse_defaults(an: Interpreter, obj: Obj) -> None:
    """Doubt the dictionary of the defaults of a function: what is stored there is what later calls are given."""
    if any(isinstance(thing, (types.FunctionType, types.MethodType)) for thing in obj.live):
        text = f"`{obj.label}.__kwdefaults__` is what the function is called with, everywhere"
        an.doubt(Why.FORBIDDEN, text, "Give it as an argument")


def notes_of(an: Interpreter, obj: Obj) -> Value:
    """Return the dictionary of notes that a frame or a column has, always the same one."""
    an.read(obj, ATTRS)
    found = an.sites.get((ATTRS, obj))
    if found is None:
        own = getattr(obj.live[0], "__dict__", {}).get("_attrs") if len(obj.live) == 1 and obj.whole else None
        label = f"{obj.label}.{ATTRS}"
        (found,) = an.world.outer(own, label, obj.origin) if type(own) is dict else (Obj(obj.origin, label, (dict,)),)
        found.method, found.owner = ATTRS, found.owner | {obj}
        an.sites[ATTRS, obj] = found
        an.changed = an.missed = an.intertwined = True  # it may have been met as any other before
        if found.live:
            an.put({obj}, ANY, an.world.element(found))
    return frozenset({found})


def is_shared_by_all(obj: Obj) -> bool:
    """Tell whether an object is a module or a class of the notebook's process."""
    return any(isinstance(thing, (types.ModuleType, type)) for thing in obj.live)


def values_of_attributes(an: Interpreter, obj: Obj) -> Value:
    """Return what the dictionary of an object's attributes may hold."""
    found: Value = ATOM
    for holder in obj.owner:
        found |= holder.held_anywhere()
        for name in dict.fromkeys(name for thing in holder.live for name in getattr(thing, "__dict__", ())):
            value = an.world.attribute(holder, name)
            found |= any_part(an, holder) if value is None else value
        if holder.outer and not (holder.live and holder.whole):
            found |= any_part(an, holder)
    return found


def of_unknown(an: Interpreter, obj: Obj, name: str, found: Value, node: ast.AST) -> Value:
    """Return what an attribute of an object may be whose type is not known."""
    for kind, thing in an.world.methods(name):
        found |= bound_to(an, obj, kind, thing, name, node)
    return found | any_part(an, obj)


def in_cell(an: Interpreter, obj: Obj) -> Value:
    """Return what a variable of a function may be that another one sees."""
    inside = [thing.cell_contents for thing in obj.live if thing != types.CellType()]
    return frozenset(obj.held(CELL)).union(*[an.world.outer(thing, obj.label) for thing in inside])


def class_of(an: Interpreter, obj: Obj) -> Value:
    """Return the class of an object; where its type is not known, all of the user's."""
    found = ATOM
    for kind in an.world.classes() if obj.types is None else obj.types:
        found |= an.world.outer(kind, kind.__name__)
    return found


OF_ALL: dict[str, Callable[[Interpreter, Obj], Value]] = {"__class__": class_of, "__dict__": attributes_of}
"""Attributes that objects of all classes have."""


def class_attribute(an: Interpreter, obj: Obj, name: str, node: ast.AST) -> Value:
    """Return what a class holds under a name."""
    thing = static(obj.live[0], name)
    members = getattr(obj.live[0], "__members__", None)
    if isinstance(obj.live[0], enum.EnumMeta) and members and name in members:
        return an.world.outer(members[name], f"{obj.label}.{name}")
    if isinstance(obj.live[0], enum.EnumMeta) and name in MEMBERS:
        return an.world.outer(vars(obj.live[0])["_member_map_"], f"{obj.label}.{name}")
    if thing is MISSING:
        return of_metaclass(an, obj, obj.live[0], name, node)
    if isinstance(thing, classmethod):
        return bound_method(an, name, thing.__func__, obj)
    if isinstance(thing, staticmethod):
        thing = thing.__func__
    getter = getter_of(an, thing)
    if getter is not None:
        owner = an.world.outer(thing, f"{obj.label}.{name}")
        return follow(an, getter, node, Arguments([owner, ATOM, frozenset({obj})]))
    given = hasattr(thing, "__get__") and not isinstance(thing, (types.FunctionType, type, property))
    if given and not callable(thing):
        return frozenset({obj})
    read_from_class(an, obj.live[0], name)
    return an.world.outer(thing, f"{obj.label}.{name}")


def of_metaclass(an: Interpreter, obj: Obj, kind: type, name: str, node: ast.AST) -> Value:
    """Return what a class has under a name from the user's class of it, as any object has from its class."""
    meta: type[Any] = type(kind)
    thing = static(meta, name)
    holder = next((base for base in inspect.getmro(meta) if name in vars(base)), meta)
    if thing is not MISSING:
        return bound_to(an, obj, meta, thing, name, node) if an.world.is_user(holder) else ATOM
    hook = static(meta, "__getattr__")
    if isinstance(hook, types.FunctionType) and an.world.is_user(hook):
        return follow(an, hook, node, Arguments([frozenset({obj}), ATOM]))
    return ATOM


def read_from_class(an: Interpreter, kind: type, name: str) -> None:
    """Note that an attribute is read of a class, or of one that it is derived from."""
    for base in kind.__mro__:
        for holder in an.world.outer(base, base.__name__) if an.world.is_user(base) or base is kind else ():
            an.read(holder, name)


def bound_to(an: Interpreter, obj: Obj, kind: type, thing: Any, name: str, node: ast.AST) -> Value:
    """Return what a class gives an object under a name: a method, the value of a property, an attribute."""
    this = frozenset({obj})
    if is_compiled_method(thing) and not an.world.is_user(thing):
        return bound_method(an, name, Method(name), obj, kind)
    if not isinstance(thing, types.FunctionType) and is_atom_of(an, kind, name):
        return ATOM
    getter = getter_of(an, thing)
    if getter is not None:
        owner = an.world.outer(thing, f"{kind.__name__}.{name}")
        found = follow(an, getter, node, Arguments([owner, this, ATOM]))
        return found | property_value(an, thing.fget, obj, node) if isinstance(thing, property) else found
    if isinstance(thing, property):
        return property_value(an, thing.fget, obj, node)
    if type(thing).__name__ == "cached_property":
        an.write(this, name)
        value = property_value(an, thing.func, obj, node)
        an.put(this, name, value)
        return value
    if isinstance(thing, (types.FunctionType, classmethod, staticmethod, *BEHIND)):
        return bound_method(an, name, thing, obj, kind)
    if an.world.is_user(kind):
        if isinstance(thing, (types.MemberDescriptorType, types.GetSetDescriptorType)):
            return frozenset(obj.held(name))
        if type(thing).__name__ == "_tuplegetter":  # a field of a named tuple
            held = frozenset({*obj.held(name), *obj.held(ELEMENT)})
            return held | (an.world.element(obj) if obj.live or obj.outer else ATOM)
        if isinstance(static(type(thing), "__get__"), types.FunctionType):
            return any_part(an, obj)
        read_from_class(an, kind, name)
        return an.world.outer(thing, f"{kind.__name__}.{name}")
    return any_part(an, obj)


def is_computed(an: Interpreter, obj: Obj, name: str) -> bool:
    """Tell whether a class of the user's computes an attribute whatever the object itself has under that name."""
    things = [static(kind, name) for kind in obj.types or ()]
    return any(getter_of(an, thing) is not None and hasattr(type(thing), "__set__") for thing in things)


def getter_of(an: Interpreter, thing: Any) -> types.FunctionType | None:
    """Return the method of the user's that gives an attribute of a class, where that is a descriptor of theirs."""
    getter = static(type(thing), "__get__")
    return getter if isinstance(getter, types.FunctionType) and an.world.is_user(getter) else None


def computed_attributes(an: Interpreter, value: Value, node: ast.AST) -> None:
    """Follow reading every attribute that the user's classes compute: properties, and what other descriptors give."""
    for obj in value:
        kinds = an.world.classes() if obj.types is None else obj.types
        own = [part for kind in kinds for part in kind.__mro__ if an.world.is_user(part)]
        for name in dict.fromkeys(name for part in own for name in vars(part)):
            things = [static(kind, name) for kind in kinds]
            if any(isinstance(thing, property) or getter_of(an, thing) is not None for thing in things):
                attribute_of(an, obj, name, node)


def is_atom_of(an: Interpreter, kind: type, name: str) -> bool:
    """Tell whether an attribute of an installed class is declared as something that nobody can change."""
    entry = declared.method(kind, name) if not an.world.is_user(kind) else None
    return entry is not None and set(entry.returns) == {"atom"}


def bound_method(an: Interpreter, name: str, code: Any, obj: Obj, *kinds: type) -> Value:
    """Return a method that is bound to an object, always the same one."""
    found = an.sites.get(("method", obj, code))
    if found is None:
        found = Obj(Origin.FUNCTION, name, code=code, owner=frozenset({obj}), types=kinds or None)
        an.sites["method", obj, code] = found
    return frozenset({found})


def property_value(an: Interpreter, function: Any, obj: Obj, node: ast.AST) -> Value:
    """Return the value of a property."""
    if isinstance(function, types.FunctionType) and an.world.is_user(function):
        return follow(an, function, node, Arguments([frozenset({obj})]))
    return any_part(an, obj)


def any_part(an: Interpreter, obj: Obj) -> Value:
    """Return what may be found in an object of which nothing else is known: itself, or what it holds."""
    found = {obj, *obj.held(ANY), *obj.held(ELEMENT), *cells_of(an, obj)}
    only_text = obj.types == (re.Match,) and not obj.outer
    return frozenset(found - {obj} if only_text else found)


def cells_of(an: Interpreter, obj: Obj) -> Value:
    """Return what the cells of an array or a frame of the notebook may hold: objects that have methods of their own."""
    if not may_hold_objects(obj):
        return ATOM
    site = ("cells", obj)
    if obj.live and obj.whole and objects_in(obj.live) is not None:
        return an.world.element(obj) - {obj}
    if site not in an.sites:
        an.sites[site] = Obj(obj.origin, f"{obj.label}[…]", None, (), whole=False, owner=frozenset({obj}))
    return frozenset({an.sites[site]})


def user_method(an: Interpreter, obj: Obj, name: str) -> Any:
    """Return the user's method of an object, if its class has one."""
    for kind in obj.types or ():
        thing = static(kind, name)
        if isinstance(thing, types.FunctionType) and an.world.is_user(thing):
            return thing
    return None
