"""The notebook's live objects, as the analysis looks them up: nothing is run and no property is called."""

from __future__ import annotations

import collections
import enum
import functools
import gc
import inspect
import itertools
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from concompare.cells import memory, readers
from concompare.cells.objects import (
    ATOM,
    ATTRIBUTE,
    ATTRIBUTES,
    ELEMENT,
    ELSEWHERE,
    ENOUGH,
    MANY,
    MISSING,
    NAMED,
    NUMBERS,
    STREAM,
    Obj,
    Origin,
    Value,
    all_atoms,
    is_atom,
    is_atom_type,
)
from concompare.cells.syntax.definitions import definition_of
from concompare.cells.syntax.own_code import is_installed_file, is_user_module

SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
CONTAINERS = (
    *(list, tuple, set, frozenset, dict),
    *(collections.deque, collections.OrderedDict, collections.Counter),
)
ITERATORS = (*(type(iter(kind())) for kind in (list, tuple, dict)), type(iter(range(0))), type(iter("")))
VIEWS = frozenset({"T", "mT", "flat", "real", "imag", "data", "flags", "base", "ctypes"})
"""Attributes of arrays that are the array itself in another form, made when they are asked for."""
FIXED = 1 << 8
"""Of the flags of a type: nobody can set its attributes (Py_TPFLAGS_IMMUTABLETYPE)."""
CODE = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)
STREAMS = ("stdout", "stderr")
FUNCTIONS = (types.FunctionType, types.MethodType)
OF_FUNCTIONS = frozenset({"__defaults__", "__kwdefaults__", "__closure__", "__self__", "__func__"})
"""What functions and methods hold beside their attributes."""


def holds_functions(thing: Any) -> bool:
    """Tell whether a tuple holds builtin functions, which do something when they are called."""
    return isinstance(thing, tuple) and types.BuiltinFunctionType in set(map(type, thing))


def dictionaries_behind(thing: Any) -> list[Any]:
    """Return what a live view of a dictionary shows, or a mapping looks into that is made of several."""
    found, waiting = list[Any](), [thing]
    while waiting and len(found) < ENOUGH:
        one = waiting.pop()
        if type(one) in VIEWING:
            shown = one if type(one) is types.MappingProxyType else getattr(one, "mapping", None)
            behind = one.maps if type(one) is collections.ChainMap else gc.get_referents(shown)
            found += behind
            waiting += behind
    return found


def referent(proxy: Any) -> Any:
    """Return the object that a weak proxy stands for, or the proxy itself where that is gone or hides itself."""
    try:
        found = proxy.__reduce_ex__.__self__
    except Exception:
        return proxy
    return found if proxy.__class__ is type(found) else proxy


def held_in(obj: Obj) -> list[Any] | None:
    """Return the parts of XML elements, which are such too, or the objects that columns hold; None for others.

    Of weak containers it returns what they hold now.
    """
    if all(type(thing) in WEAK for thing in obj.live):
        return [part for thing in obj.live for part in WEAK[type(thing)](thing)]
    if all(map(is_tree, obj.live)):
        return list(itertools.islice((part for thing in obj.live for part in thing.iter()), MANY))
    return objects_in([thing.to_numpy() for thing in obj.live]) if all(map(is_column, obj.live)) else None


def members_of(obj: Obj) -> Value:
    """Return what stands for the members of archives, which are found while these are walked."""
    kinds = tuple({thing.tarinfo for thing in obj.live})
    return frozenset({Obj(obj.origin, f"{obj.label}[…]", kinds, (), whole=False, owner=frozenset({obj}))})


def is_column(thing: Any) -> bool:
    """Tell whether an object is a column of pandas that holds objects."""
    kind = type(thing)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "Series" and thing.dtype == object


def is_tree(thing: Any) -> bool:
    """Tell whether an object is an element of an XML tree, whose parts are all of its kind."""
    return type(thing).__module__ == "xml.etree.ElementTree" and type(thing).__qualname__ == "Element"


VIEW_METHODS = ("keys", "values", "items")
OF_DICTIONARIES: list[Any] = [
    getattr(kind(), name)() for kind in (dict, collections.OrderedDict) for name in VIEW_METHODS
]
VIEWING = frozenset({types.MappingProxyType, collections.ChainMap, *map(type, OF_DICTIONARIES)})
"""Types of what shows the content of dictionaries of which others may know as well."""
WEAK: dict[type, Callable[[Any], list[Any]]] = {
    weakref.WeakSet: list,
    weakref.WeakValueDictionary: lambda held: [*held.values()],
    weakref.WeakKeyDictionary: lambda held: [*held, *held.values()],
}
"""How the containers of weak references give what they hold."""


class World:
    """The notebook's names and what their objects are.

    Args:
        namespace: The names that the loop's body sees.
        assume_pure: Take every call that cannot be seen as one that changes nothing.

    `caches` tells whether functions with a cache are called; with `reads_caches` the cell asks what is in them.
    """

    def __init__(self, namespace: Mapping[str, Any], *, assume_pure: bool = False) -> None:
        NUMBERS[-1] = itertools.count()
        self.namespace = namespace
        self.assume_pure = assume_pure
        self.caches = self.reads_caches = False
        self.module = str(namespace.get("__name__", "__main__"))
        self.known: dict[int, Obj] = {}
        self.elements: dict[int, Value] = {}
        self.attributes: dict[tuple[int, str], Value | None] = {}
        self.same: dict[tuple[Origin, frozenset[int]], Value] = {}
        self.kept: list[Any] = []
        self.by_name: dict[str, list[tuple[type, Any]]] = {}
        self.called_by: dict[tuple[type, str], list[types.FunctionType]] = {}
        self.held_by: dict[int, list[Any]] = {}
        self.streams: dict[str, Obj] = {}
        self.held_in_cells: dict[Obj, Value] = {}

    def is_user(self, thing: Any) -> bool:
        """Tell whether a function or class is the user's own, so that it must be followed."""
        if isinstance(thing, types.FunctionType):
            if thing.__globals__ is self.namespace or thing.__module__ == self.module:
                return True
            return not is_installed_file(thing.__code__.co_filename) and is_user_module(thing.__module__ or "__main__")
        module = getattr(thing, "__module__", None)
        return isinstance(module, str) and (module == self.module or is_user_module(module))

    def outer(self, thing: Any, label: str, origin: Origin = Origin.OUTER, route: int = ELSEWHERE) -> Value:
        """Return the abstract object of a live one; ATOM where nobody can change it."""
        thing = referent(thing) if type(thing) in weakref.ProxyTypes else thing
        found = self.known.get(id(thing))
        if found is None:
            may_be_atom = type(thing).__module__ != "pathlib" and not isinstance(thing, types.ModuleType)
            if may_be_atom and not callable(thing) and is_atom(thing) and not holds_functions(thing):
                return ATOM
            found = self.known[id(thing)] = Obj(origin, label, (type(thing),), (thing,))
            self.kept.append(thing)
            if type(thing) is dict:
                self.link(found, thing)
        if found.route < route:
            found.route = route
        return frozenset({found})

    def link(self, obj: Obj, attributes: dict[Any, Any]) -> None:
        """Know a dictionary as that of the attributes of an object with a name, where it is that: `d = vars(thing)`."""
        for name, thing in list(self.namespace.items()):
            if self.is_user(type(thing)) and getattr(thing, "__dict__", None) is attributes:
                obj.method, obj.owner = ATTRIBUTES, obj.owner | self.outer(thing, name, route=NAMED)

    def element(self, obj: Obj) -> Value:
        """Return what the elements of an outer object are."""
        if id(obj) not in self.elements:
            self.elements[id(obj)] = self.found_element(obj)
        return self.elements[id(obj)] | frozenset(obj.held(ELEMENT))

    def cells(self, obj: Obj) -> Value:
        """Return what the cells of live arrays, columns and frames hold, beside what can only be seen by its parts."""
        if obj not in self.held_in_cells:
            held = [part for thing in obj.live for part in in_cells(thing)]
            self.held_in_cells[obj] = self.summary(held, f"{obj.label}[…]", obj) if held else ATOM
        return self.held_in_cells[obj] | frozenset(obj.held(ELEMENT))

    def element_apart(self, obj: Obj) -> Value:
        """Return the same as other objects than what is found in an outer object by its name: the item, and all."""
        return self.found_element(obj) | frozenset(obj.held(ELEMENT))

    def found_element(self, obj: Obj) -> Value:
        """Look the elements of an outer object up."""
        if obj.live and all(map(readers.is_archive, obj.live)):
            return members_of(obj)
        return self.elements_in(obj, f"{obj.label}[…]")

    def elements_in(self, obj: Obj, label: str) -> Value:
        """Look the elements of an outer object up that is no archive."""
        if not obj.live and obj.types is None and obj.owner:
            return frozenset({obj})  # a part of a part of something that cannot be looked into
        if obj.of_values and obj.types and all(kind.__module__.partition(".")[0] == "pandas" for kind in obj.types):
            return ATOM
        if obj.live and all(isinstance(thing, enum.EnumMeta) for thing in obj.live):
            return self.summary([part for thing in obj.live for part in thing.__members__.values()], label, obj)
        if obj.live and all(isinstance(thing, CODE) for thing in obj.live):
            return ATOM
        sources = walked_by_all(obj)
        if sources is not None:
            return self.summary(sources, label, obj)
        held = held_in(obj) if obj.live and obj.whole else None
        if held is not None:
            return self.summary(held, label, obj)
        if not obj.live or not obj.whole or any(type(thing) not in CONTAINERS for thing in obj.live):
            if obj.live and all(map(all_atoms, obj.live)):
                return ATOM
            kinds = tuple({type(thing) for thing in obj.live})
            if all(kind.__module__ == "numpy" for kind in kinds) and kinds:
                held = objects_in(obj.live) if obj.whole else None
                return frozenset({obj}) if held is None else self.summary(held, label, obj) | {obj}
            return frozenset({Obj(obj.origin, label, None, (), whole=False, owner=frozenset({obj}))})
        parts: list[Any] = []
        for thing in obj.live:
            if len(thing) > MANY:
                return frozenset({Obj(obj.origin, label, None, (), whole=False, owner=frozenset({obj}))})
            parts += thing.values() if isinstance(thing, dict) else thing
        return self.summary(parts, label, obj)

    def summary(self, parts: list[Any], label: str, holder: Obj) -> Value:
        """Return one abstract object for several live ones."""
        kinds = set(map(type, parts))
        if kinds.intersection(weakref.ProxyTypes):
            parts = [referent(part) if type(part) in weakref.ProxyTypes else part for part in parts]
            kinds = set(map(type, parts))
        # What nobody can change, but does something.
        called = types.BuiltinFunctionType in kinds or (tuple in kinds and any(map(holds_functions, parts)))
        paths = any(kind.__module__ == "pathlib" for kind in kinds)
        atoms = all(map(is_atom_type, kinds)) or (len(parts) <= ENOUGH and all(map(is_atom, parts)))
        if atoms and not called and not paths:
            return ATOM
        if len(parts) == 1:
            return self.outer(parts[0], label, holder.origin)
        seen = tuple(parts[:ENOUGH])
        self.kept += seen
        whole = len(parts) <= ENOUGH
        return frozenset({Obj(holder.origin, label, tuple(kinds), seen, whole, owner=frozenset({holder}))})

    def attribute(self, obj: Obj, name: str) -> Value | None:
        """Return what an attribute of the live objects is, as far as they hold it themselves; None: not told."""
        if not obj.live:
            return None
        if (id(obj), name) not in self.attributes:
            self.attributes[id(obj), name] = self.found_attribute(obj, name)
        return self.attributes[id(obj), name]

    def found_attribute(self, obj: Obj, name: str) -> Value | None:
        """Look an attribute of the live objects up."""
        found: list[Any] = []
        for thing in obj.live:
            part = held(thing, name)
            if part is MISSING:
                return None
            found.append(part)
        if len(found) == 1:
            return self.held(obj, name, found[0])
        made = self.parts_of(found, f"{obj.label}.{name}", obj)
        if not obj.whole and not made:
            return None
        return made

    def parts_of(self, parts: list[Any], label: str, holder: Obj) -> Value:
        """Return what an attribute of several live objects is, the same for the same objects.

        In what leads back to itself, such as trees that know their parents, a walk would find new ones for ever.
        """
        if not holder.whole or len(parts) > ENOUGH:
            return self.summary(parts, label, holder)
        self.same.setdefault((holder.origin, frozenset(map(id, holder.live))), frozenset({holder}))
        key = holder.origin, frozenset(map(id, parts))
        if key not in self.same:
            self.same[key] = self.summary(parts, label, holder)
        found = self.same[key]
        for obj in found:
            if obj.owner:
                obj.owner |= {holder}
        return found

    def held(self, obj: Obj, name: str, thing: Any) -> Value:
        """Return the abstract object of an attribute, which knows by which objects it was reached."""
        if obj.live[0] is sys and name in STREAMS:
            return frozenset({self.streams.setdefault(name, stream(name, thing))})
        own = getattr(obj.live[0], "__dict__", None)
        is_plain = isinstance(own, dict) and name in own
        value = self.outer(thing, f"{obj.label}.{name}", obj.origin, ATTRIBUTE if is_plain else ELSEWHERE)
        for found in value:
            found.via |= {obj}
        return value

    def parts_met(self, obj: Obj) -> list[Obj]:
        """Return the parts of an object that were looked up before, but for those that others have as well."""
        found = [value for (number, _), value in self.attributes.items() if number == id(obj) and value]
        found.append(self.elements.get(id(obj), ATOM))
        return [part for value in found for part in value if part is not obj and part.owner == {obj}]

    def shown_by(self, obj: Obj) -> Value:
        """Return the dictionaries of the notebook that live views show, or mappings made of several."""
        found = ATOM
        for thing in obj.live if type(obj.live[0]) in VIEWING else ():
            for shown in dictionaries_behind(thing):
                found |= self.outer(shown, obj.label)
        return found

    def methods(self, name: str) -> list[tuple[type, Any]]:
        """Return every method or property of that name in the user's classes, with its class."""
        if name not in self.by_name:
            self.by_name[name] = [(kind, vars(kind)[name]) for kind in self.classes() if name in vars(kind)]
        return self.by_name[name]

    def of_members(self, name: str) -> list[Any]:
        """Return what the user's enumerations have under a name."""
        return [thing for kind, thing in self.methods(name) if issubclass(kind, enum.Enum)]

    def classes(self) -> list[type]:
        """Return the user's classes: of the notebook and of its objects."""
        if not hasattr(self, "found"):
            found: dict[int, type] = {}
            for value in list(self.namespace.values()):
                kinds = [value] if isinstance(value, type) else [type(value)]
                if isinstance(value, types.ModuleType) and is_user_module(value.__name__):
                    kinds = [part for part in vars(value).values() if isinstance(part, type)]
                for kind in kinds:
                    for part in kind.__mro__:
                        if part is not object and id(part) not in found and self.is_user(part):
                            found[id(part)] = part
            self.found = list(found.values())
        return self.found


def stream(name: str, thing: Any) -> Obj:
    """Return what `sys` has for output, as another object than the same one under a name: see STREAM."""
    return Obj(Origin.OUTER, f"sys.{name}", (type(thing),), (thing,), method=STREAM)


def part_of(module: types.ModuleType, name: str) -> Any:
    """Return what a module holds under a name, or MISSING; an installed one may load it now, as numpy does `random`."""
    found = vars(module).get(name, MISSING)
    if found is not MISSING or "__getattr__" not in vars(module) or is_user_module(module.__name__):
        return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is deprecated the user is told where it is used
        try:
            return getattr(module, name, MISSING)
        except Exception:
            return MISSING


def held(thing: Any, name: str) -> Any:
    """Return an attribute that an object holds itself, in its `__dict__`, its slots or its module, or MISSING."""
    if isinstance(thing, types.ModuleType):
        return part_of(thing, name)
    if isinstance(thing, type):
        return static(thing, name)
    if name in OF_FUNCTIONS and isinstance(thing, FUNCTIONS):
        return getattr(thing, name, MISSING)
    inside = getattr(thing, "__dict__", None)
    if isinstance(inside, dict) and name in inside:
        return inside[name]
    found = static(type(thing), name)
    if isinstance(thing, enum.Enum) and found is static(enum.Enum, "value"):
        return vars(thing).get("_value_", MISSING)
    if isinstance(found, SLOTS) and type(thing).__module__ not in ("builtins",):
        if name in VIEWS and found.__objclass__.__name__ == "ndarray" and not thing.dtype.hasobject:
            return MISSING
        try:
            return found.__get__(thing)
        except Exception:
            return MISSING
    return MISSING


def static(kind: type, name: str) -> Any:
    """Return what a class defines under a name, without binding it, or MISSING."""
    return of_fixed(kind, name) if kind.__flags__ & FIXED else found_in(kind, name)


def is_fixed(kind: type) -> bool:
    """Tell whether a class and its bases are built in, so that nobody can give them other methods."""
    return bool(kind.__flags__ & FIXED)


def found_in(kind: type, name: str) -> Any:
    """Look up what a class defines under a name."""
    for part in kind.__mro__:
        if name in vars(part):
            return vars(part)[name]
    return MISSING


of_fixed = functools.cache(found_in)


def objects_in(things: Iterable[Any]) -> list[Any] | None:
    """Return what arrays of objects hold, as those of axes do; None: they hold values."""
    found: list[Any] = []
    for thing in things:
        array: Any = getattr(thing, "base", None) if type(thing).__name__ == "flatiter" else thing
        kind: Any = getattr(array, "dtype", None) if hasattr(array, "ravel") else None
        if not getattr(kind, "hasobject", False) or kind.names or array.size > ENOUGH:  # pandas' own types lack it
            return None
        found += array.ravel().tolist()
    return found


def in_cells(thing: Any) -> list[Any]:
    """Return the objects in the cells of an array, a column or a frame, of many the first; none where it holds values.

    No method of a class that is derived from one of pandas is asked.
    """
    if memory.is_frame(thing):
        return [part for values in thing._mgr.arrays for part in in_cells(values)]
    array: Any = getattr(thing, "base", None) if type(thing).__name__ == "flatiter" else thing
    kind: Any = getattr(array, "dtype", None)
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(array, numpy.ndarray) or not getattr(kind, "hasobject", False):
        return []
    if kind.names:
        return [part for name in kind.names for part in in_cells(numpy.ndarray.__getitem__(array, name))]
    return list(itertools.islice(numpy.ndarray.flat.__get__(array), ENOUGH))


def walked_by_all(obj: Obj) -> list[Any] | None:
    """Return what the iterators of the notebook that an object stands for have not given yet; None: not known."""
    found: list[Any] = []
    for thing in obj.live if obj.origin is Origin.OUTER else ():
        parts = walked_by(thing)
        if parts is None:
            return None
        found += parts
    return found if obj.live and obj.origin is Origin.OUTER else None


def walked_by(thing: Any) -> list[Any] | None:
    """Return what an iterator over a builtin container has not given yet and may be changed; None: not known."""
    if type(thing) is itertools.count:
        return []
    if type(thing) in (zip, enumerate):
        sources = [walked_by(part) for part in thing.__reduce__()[1] if hasattr(part, "__next__")]
        return [] if all(source is not None and all(map(is_atom, source)) for source in sources) else None
    if type(thing) not in ITERATORS:
        return None
    source = thing.__reduce__()[1][0]
    return [] if isinstance(source, (range, str)) else list(source) if len(source) <= ENOUGH else None


def is_iterator(thing: Any) -> bool:
    """Tell whether walking over a live object uses it up."""
    return static(type(thing), "__next__") is not MISSING


__all__ = ["MISSING", "World", "definition_of", "held", "inspect", "is_iterator", "objects_in", "static"]


def is_plain_method(method: types.MethodType) -> bool:
    """Tell whether a method is what its owner has under the method's name, as one of its class."""
    owner, name = method.__self__, method.__name__
    if isinstance(owner, type) or name in getattr(owner, "__dict__", ()):
        return False
    return static(type(owner), name) is method.__func__
