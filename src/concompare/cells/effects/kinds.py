"""What is known of live types and objects without their notebook."""

from __future__ import annotations

import builtins
import collections
import enum
import functools
import io
import re
import sys
import types
from typing import Any

from concompare.cells import memory
from concompare.cells.effects.live import MISSING, static
from concompare.cells.objects import Obj, all_atoms

NUMBERS = (int, float, complex, bool)
DEFAULTING = (collections.defaultdict,)
CALM_STORES = {dict, list, collections.defaultdict, collections.OrderedDict, collections.Counter}
CALM_METHODS: dict[type, set[str]] = {list: {"append"}, collections.deque: {"append", "appendleft"}}
INERT = (types.ModuleType, types.BuiltinFunctionType, types.FunctionType, type, types.MethodDescriptorType)
LAZY_TYPES = (map, filter, zip, enumerate, reversed, types.GeneratorType)
CACHE = type(functools.lru_cache(maxsize=1)(lambda: None))
MATCHES = type(re.finditer("", ""))
"""The type of what gives the matches of a pattern."""
SCANNER: type = type(re.compile("").scanner(""))  # type: ignore[attr-defined]
"""The type of what gives the matches of a pattern call by call."""
FILES = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)
MADE_FOR_THREADS = frozenset({"threading", "_thread"})
"""Modules whose objects are there to be shared by threads; they cannot be sent to processes."""
INDEXERS = frozenset({"loc", "at", "iloc", "iat"})
DICTS = {dict, collections.defaultdict, collections.OrderedDict, collections.Counter}
PLAIN_CONTAINERS = {list, tuple, dict, set, frozenset, collections.deque, *DICTS}
HOLDING = (dict, list, set, collections.deque)
MOCKS = "unittest.mock"
"""The module of objects that keep how they were called."""
PURE = "Run with --assume-pure if it changes nothing; results are then checked against the plain loop"


def is_frame(kind: type) -> bool:
    """Tell whether a type is that of pandas' frames."""
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame"


def is_table(kind: type) -> bool:
    """Tell whether a type is that of pandas' frames or columns, whose attributes may be what they hold."""
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ in ("Series", "DataFrame")


def inert(obj: Obj) -> bool:
    """Tell whether reading an object can tell nothing of what a loop changes: a module, an installed function."""
    live = obj.live
    return isinstance(live[0], INERT) if len(live) == 1 else bool(live) and all(isinstance(one, INERT) for one in live)


def is_lazy_type(kind: type) -> bool:
    """Tell whether objects of a builtin type do their work when they are walked."""
    return kind in LAZY_TYPES


def is_changed_in_place(kind: type, name: str) -> bool:
    """Tell whether an operator such as `+=` changes an object of a type itself."""
    return static(kind, f"__i{name}__") is not MISSING and not issubclass(kind, NUMBERS)


def is_container(kind: type) -> bool:
    """Tell whether objects of a type hold elements and nothing else."""
    return kind.__module__ in ("builtins", "collections", "itertools")


def is_bare(kind: type) -> bool:
    """Tell whether objects of a type are equal only to themselves, and are copied when they cross."""
    return static(kind, "__eq__") is object.__eq__ and not issubclass(kind, (*INERT, enum.Enum))


def holds_values(obj: Obj) -> bool:
    """Tell whether a frame holds nothing that can be changed by itself."""
    return bool(obj.live) and all(
        thing[name].dtype != object or all_atoms(list(thing[name]))
        for thing in obj.live
        if hasattr(type(thing), "columns") and thing.columns.is_unique
        for name in thing.columns
    )


def may_hold_objects(obj: Obj) -> bool:
    """Tell whether an array or a frame of the notebook may hold objects that can be changed by themselves."""
    kinds = [kind for kind in obj.types or () if kind.__module__.partition(".")[0] in ("numpy", "pandas")]
    if not (obj.outer and kinds):
        return False
    if obj.of_values is None:  # asked for every method of a column, and a frame has many cells
        obj.of_values = bool(obj.live) and obj.whole and all(map(is_of_values, obj.live))
    return not obj.of_values


def is_of_values(thing: Any) -> bool:
    """Tell whether a live array, column or frame holds nothing that can be changed by itself."""
    if hasattr(type(thing), "columns"):  # not its columns by their names: a derived class would be asked to make them
        return all(map(is_of_values, thing._mgr.arrays)) if memory.is_frame(thing) else False
    dtypes = getattr(thing, "dtypes", getattr(thing, "dtype", None))
    return dtypes is not None and (str(dtypes) != "object" or all_atoms(list(getattr(thing, "flat", thing))))


DICT_VIEWS = {kind.__name__: kind for kind in map(type, ({}.keys(), {}.values(), {}.items()))}
"""The types of what `keys`, `values` and `items` give, which no module has under their names."""
UNSHOWN: dict[str, type] = {**DICT_VIEWS, "_sre.SRE_Scanner": SCANNER}
"""Types that no module shows, by their names."""
MAKERS = {
    "zlib.Compress": "compressobj",
    "zlib.Decompress": "decompressobj",
    "decimal.ContextManager": "localcontext",
}
"""What makes objects of types that their module does not show."""


def type_named(dotted: str) -> type | None:
    """Return the type of a dotted name, if its module is loaded: it may be by the next cell."""
    if dotted in UNSHOWN:
        return UNSHOWN[dotted]
    module, _, name = dotted.rpartition(".")
    held = vars(sys.modules.get(module or "builtins", builtins))
    found = type(held[MAKERS[dotted]]()) if MAKERS.get(dotted) in held else held.get(name)
    return found if isinstance(found, type) else None


def is_bar(obj: Obj) -> bool:
    """Tell whether an object is a progress bar, which changes nothing of what it is around: that is walked instead."""
    return bool(obj.types) and all(kind.__module__.partition(".")[0] == "tqdm" for kind in obj.types or ())


def is_composed(obj: Obj) -> bool:
    """Tell whether an object of the notebook keeps what it has in attributes, as a `queue.Queue` does in a deque.

    These others may change; loggers, which hold each other, are told apart by their order.
    """
    things = [thing for thing in obj.live if hasattr(thing, "__dict__") and not isinstance(thing, HOLDING)]
    roots = [type(thing).__module__.partition(".")[0] for thing in things]
    return any(root in sys.stdlib_module_names and root not in ("builtins", "logging") for root in roots)


def is_drawn(obj: Obj) -> bool:
    """Tell whether an object is a part of a figure, which stays in the notebook whatever holds it."""
    return bool(obj.types) and all(kind.__module__.startswith("matplotlib.") for kind in obj.types or ())


def copies_on_write() -> bool:
    """Tell whether pandas copies what something else refers to before it is changed."""
    pandas: Any = sys.modules["pandas"]
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    try:
        return pandas.get_option("mode.copy_on_write") is True
    except (KeyError, AttributeError):
        return False
