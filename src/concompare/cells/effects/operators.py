"""Operators: the special methods that they run, and what they make."""

from __future__ import annotations

import ast
import collections
import datetime
import types
from collections.abc import Iterable
from typing import TYPE_CHECKING

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import user_method
from concompare.cells.effects.elements import elements_of, is_array_of_values, looked_up, walk_over
from concompare.cells.effects.following import follow
from concompare.cells.effects.inherited import reached
from concompare.cells.effects.kinds import DICTS, inert, is_changed_in_place, is_container
from concompare.cells.effects.live import MISSING, definition_of, is_fixed, static
from concompare.cells.ir import Effects, Why
from concompare.cells.objects import ANY, ATOM, ELEMENT, Obj, Value, is_atom_type
from concompare.cells.syntax import names
from concompare.cells.syntax.own_code import is_installed_file

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.MatMult: "matmul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.LShift: "lshift", ast.RShift: "rshift", ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le",
    ast.Gt: "gt", ast.GtE: "ge", ast.In: "contains", ast.NotIn: "contains", ast.USub: "neg", ast.UAdd: "pos",
    ast.Invert: "invert",
}  # fmt: skip
WORDS = {
    "contains": ("__contains__", "__iter__", "__eq__"),
    "ne": ("__ne__", "__eq__"),
    "getitem": ("__getitem__", "__missing__"),
    "copy": ("__copy__", "__getstate__", "__reduce__", "__reduce_ex__", "__setstate__"),
    "pickled": ("__getstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__"),
    "deepcopy": ("__deepcopy__", "__getstate__", "__reduce__", "__reduce_ex__", "__setstate__"),
}
SHOWING = {"shown": ("__str__", "__repr__"), "formatted": ("__format__", "__str__", "__repr__")}
"""Methods of which the first that a class has gives the text; `object` has all of them, and asks for the next."""
CONVERSIONS = {ord("r"): "repr", ord("a"): "repr", ord("s"): "shown"}
"""What an f-string asks of an object, by its conversion."""
SWAPPED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
"""What the right operand of a comparison is asked."""
IMPLICIT = (
    *(
        "hash",
        "eq",
        "lt",
        "gt",
        "le",
        "ge",
        "ne",
        "len",
        "iter",
        "next",
        "getitem",
        "contains",
        "str",
        "repr",
        "format",
    ),
    *("index", "int", "float", "complex", "bool", "bytes", "fspath", "instancecheck", "subclasscheck", "length_hint"),
)
"""The special methods that code may run of an object that it is given."""
DERIVING = frozenset({"functools", "collections.abc", "collections", "numbers"})
"""Modules that write operators for a class out of other methods of that class."""
ZONES = ("utcoffset", "dst", "tzname", "fromutc")
"""The methods that dates and times ask a time zone for."""
DEEPEST = 3
"""Containers and records inside one another up to which it is looked at what installed code sees."""
CONTAINERS = frozenset({list, tuple, set, frozenset, dict, *DICTS})
HOLDING = (list, tuple, set, frozenset, dict)
OPENED = CONTAINERS | {collections.deque}
"""Containers of which it is looked at what they hold."""
PLAIN = frozenset({*OPENED, range, type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType})
"""Types whose objects have no fields of a data class."""
LOOKING = frozenset({
    *("len", "hash", "repr", "str", "int", "float", "bool", "abs", "min", "max", "sum", "tuple", "list", "set"),
    *("isinstance", "type", "iter", "range", "zip", "enumerate", "round", "any", "all", "dict", "frozenset", "id"),
    *("join", "format", "items", "keys", "values", "get", "lower", "upper", "strip", "split", "startswith", "sorted"),
    *("__eq__", "__hash__", "__lt__", "__iter__", "__len__", "__repr__", "__getitem__", "__contains__", "__str__"),
})  # fmt: skip
"""Names of what is called without changing anything."""
INSTALLED = ast.Pass()
"""Stands for the place in installed code."""


def binary(an: Interpreter, name: str, left: Value, right: Value, node: ast.AST, *, result: bool = True) -> Value:
    """Follow a binary operator; `result`: its value may hold what the operands hold."""
    if not left and not right:
        return of_members(an, name, node)
    found = ATOM
    installed = ATOM
    asked: set[Obj] = set()
    looked_up(an, right if name == "mod" else ATOM)  # text looks up by name what it is given
    if not (left and right):
        looked_at(an, left | right)  # text and numbers ask the other operand
    for obj in left | right:
        if inert(obj):
            continue
        kinds = [kind for kind in obj.types or () if an.world.is_user(kind)]
        if obj.types is None or len(kinds) < len(obj.types) or any(definer(an, kind, name) for kind in kinds):
            installed |= {obj}
            an.deep(frozenset({obj}))
        if kinds or obj.types is None:
            asked.add(obj)
    stored_anew(an, name, node, left, right)
    found |= operated(an, name, left & asked, node, right)
    found |= operated(an, SWAPPED.get(name, f"r{name}"), right & asked, node, left)
    if not installed or not result:
        return found
    kinds_known = {definer(an, kind, name) or kind for obj in installed for kind in obj.types or (object,)}
    types = tuple(kinds_known) if len(kinds_known) == 1 and object not in kinds_known else None
    if types is not None and all(is_atom_type(kind) for kind in types) and types[0].__module__ != "pathlib":
        return found
    made = an.made(node, "a new object", types)
    note_values(an, made, left | right)
    for obj in installed:
        if obj.types and all(issubclass(kind, HOLDING) for kind in obj.types):
            an.put({made}, ELEMENT, elements_of(an, obj))
        elif obj.types is None:
            an.put({made}, ANY, frozenset(obj.held(ANY)))
    return found | {made}


def stored_anew(an: Interpreter, name: str, node: ast.AST, left: Value, right: Value) -> None:
    """Follow `|` and `|=` of an `OrderedDict`, which store by the `__setitem__` of a class of the user's."""
    for obj in left | right if name in ("or", "ior") else ATOM:
        own = [kind for kind in obj.types or () if issubclass(kind, collections.OrderedDict) and an.world.is_user(kind)]
        if own:
            parts = (left | right).union(*[elements_of(an, part) for part in left | right])
            operated(an, "setitem", obj, node, parts)


def of_members(an: Interpreter, name: str, node: ast.AST) -> Value:
    """Follow an operator that members of the user's enumerations may have: nobody can change these."""
    found = ATOM
    for word in SHOWING.get(name, ()) or WORDS.get(name, ()) or (f"__{name}__",):
        for thing in an.world.of_members(word):
            if isinstance(thing, types.FunctionType) and an.world.is_user(thing):
                found |= follow(an, thing, node, Arguments([ATOM] * thing.__code__.co_argcount))
    return found


def definer(an: Interpreter, kind: type, name: str) -> type | None:
    """Return what a class of the user's has an operator from, where that is an installed class; comparisons aside.

    What a builtin class makes is of that class; what numpy and pandas make, of the class of the operands.
    """
    if name in SWAPPED or not an.world.is_user(kind):
        return None
    for word in (f"__{name}__", f"__r{name}__"):
        found = next((base for base in kind.__mro__ if word in vars(base)), object)
        if found is not object and not an.world.is_user(found):
            return found if found.__module__ == "builtins" else kind
    return None


def note_values(an: Interpreter, made: Obj, operands: Value) -> None:
    """Note that what an operator makes holds numbers, as all its operands do, and no more once one may not."""
    before = made.of_values
    made.of_values = before is not False and all(obj.of_values is True for obj in operands)
    if before and not made.of_values:
        an.changed = an.missed = an.intertwined = True


def operated(an: Interpreter, name: str, asked: Obj | Value, node: ast.AST, operands: Value) -> Value:
    """Follow the special methods of the user's classes that an operator runs."""
    methods: dict[types.FunctionType, set[Obj]] = {}
    receivers: Iterable[Obj] = (asked,) if isinstance(asked, Obj) else asked
    for obj in receivers:
        an.budget.step()
        if obj.types is not None and all(map(is_fixed, obj.types)):
            continue  # no method of theirs is the user's
        for thing in special_methods(an, obj, name):
            methods.setdefault(thing, set()).add(obj)
    found = ATOM
    for thing, having in methods.items():
        count = thing.__code__.co_argcount
        arguments = [frozenset(having), *[operands] * (count - 1)]
        found |= follow(an, thing, node, Arguments(arguments))
    return found


def special_methods(an: Interpreter, obj: Obj, name: str) -> list[types.FunctionType]:
    """Return the methods of the user's that an operator may run of an object, found once for each type."""
    found = an.special.get((obj.types, name))
    if found is None:
        found = []
        words = WORDS.get(name, ()) or (f"__{name}__",)
        if name in SHOWING:
            words = SHOWING[name] if obj.types is None else tuple({first_of(kind, name): None for kind in obj.types})
        for word in words:
            things = [static(kind, word) for kind in obj.types or ()]
            if obj.types is None:
                things = [thing for _, thing in an.world.methods(word)]
            found += [thing for thing in things if isinstance(thing, types.FunctionType) and an.world.is_user(thing)]
            found += [method for kind in obj.types or () for method in called_by_inherited(an, kind, word)]
        an.special[obj.types, name] = found
    return found


def called_by_inherited(an: Interpreter, kind: type, word: str) -> list[types.FunctionType]:
    """Return the user's methods that an operator calls which a class has from `total_ordering` or an abstract base."""
    thing = static(kind, word)
    written = isinstance(thing, types.FunctionType) and thing.__globals__.get("__name__") in DERIVING
    return reached(an, kind, word) if written and an.world.is_user(kind) else []


def first_of(kind: type, name: str) -> str:
    """Return the one of some methods of SHOWING that gives the text of an object."""
    return next((word for word in SHOWING[name] if static(kind, word) is not getattr(object, word)), "__repr__")


def looked_at(an: Interpreter, value: Value) -> None:
    """Follow what installed code may run of the user's objects that it sees, as far as that changes anything."""
    if not value or an.looking:
        return
    an.looking = True
    for part in value | seen_in(an, value, DEEPEST):
        if part.types is None or all(map(is_fixed, part.types)):
            continue
        for thing in implicit_methods(an, part):
            given = Arguments([frozenset({part}), *[value] * (thing.__code__.co_argcount - 1)])
            if called_unseen(an, thing, given) and thing.__name__ in ZONES:
                an.doubt(Why.OPAQUE, f"{part.shown} changes something whenever a time is asked for its zone")
    an.looking = False


def seen_in(an: Interpreter, value: Value, depth: int) -> Value:
    """Return what containers hold and what the fields of records hold, whose methods ask for those of the fields."""
    found: list[Value] = []
    for obj in value:
        if obj.types is None:
            continue  # of which no class is known, whose fields could be
        if not OPENED.isdisjoint(obj.types):
            found.append(elements_of(an, obj))
        if not PLAIN.issuperset(obj.types):
            found.append(fields_of(an, obj))
    held = ATOM.union(*found) - value if found else ATOM
    return held | seen_in(an, held, depth - 1) if held and depth > 1 else held


def fields_of(an: Interpreter, obj: Obj) -> Value:
    """Return what the fields of a data class's object hold, or those of a namespace, which asks all of them."""
    found = ATOM
    kinds = [kind for kind in obj.types or () if not is_fixed(kind)]
    names = [name for kind in kinds for name in getattr(kind, "__dataclass_fields__", ())]
    if obj.types == (types.SimpleNamespace,):
        names += [*obj.all_held(), *(name for thing in obj.live for name in vars(thing))]
    for name in dict.fromkeys(names):
        found |= frozenset(obj.held(name)) | (an.world.attribute(obj, name) or ATOM)
    return found


def called_unseen(an: Interpreter, function: types.FunctionType, given: Arguments) -> bool:
    """Follow a method that installed code may call, as far as that changes anything; tells whether it does."""
    with an.recording(Effects()) as done:
        for made in follow(an, function, INSTALLED, given):
            if made.lazy is not None:  # a generator, which is walked
                an.now.add(made.lazy)
            following = user_method(an, made, "__next__") if function.__name__ == "__iter__" else None
            if following is not None:
                follow(an, following, INSTALLED, Arguments([frozenset({made})]))
    changes = bool(done.writes or done.order)
    if changes:
        done.heavy, done.doubts = False, ()
        an.now.add(done)
    return changes


def implicit_methods(an: Interpreter, obj: Obj) -> list[types.FunctionType]:
    """Return the methods of the user's that installed code may run of an object without a call, found once."""
    found = an.special.get((obj.types, "implicit"))
    if found is None:
        every = [thing for word in IMPLICIT for thing in special_methods(an, obj, word)]
        zones = [kind for kind in obj.types or () if issubclass(kind, datetime.tzinfo) and an.world.is_user(kind)]
        things = [static(kind, word) for kind in zones for word in ZONES]
        every += [thing for thing in things if isinstance(thing, types.FunctionType) and an.world.is_user(thing)]
        found = an.special[obj.types, "implicit"] = [thing for thing in every if not only_looks(thing)]
    return found


def only_looks(function: types.FunctionType) -> bool:
    """Tell whether a function changes nothing as far as its syntax shows."""
    node = definition_of(function.__code__, function.__name__)
    if node is None or is_installed_file(function.__code__.co_filename):
        return True  # what `dataclass` makes, mostly
    found: bool | None = node.__dict__.get("concompare_only_looks")
    if found is None:
        found = node.__dict__["concompare_only_looks"] = not any(map(may_change, names.nodes_in(node)))
    return found


def may_change(node: ast.AST) -> bool:
    """Tell whether a part of a function may change something, as far as syntax shows."""
    if isinstance(node, ast.Call):
        func = node.func
        return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")) not in LOOKING
    stored = isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)) and not isinstance(
        node, (ast.Name, ast.Tuple)
    )
    return stored or isinstance(node, (ast.Global, ast.Nonlocal, ast.Await))


def in_place(an: Interpreter, name: str, held: Value, value: Value, node: ast.AST) -> Value:
    """Follow an operator that may change its left operand."""
    found = ATOM if held and not value and all(map(is_array_of_values, held)) else binary(an, name, held, value, node)
    found |= operated(an, f"i{name}", held, node, value)
    for obj in held:
        user = [kind for kind in obj.types or () if an.world.is_user(kind)]
        inherits = any(is_inherited(an, kind, f"__i{name}__") for kind in user)
        if obj.types is None or inherits or any(is_changed_in_place(kind, name) for kind in {*obj.types} - {*user}):
            an.write({obj}, ELEMENT)
            an.put({obj}, ELEMENT, walk_over(an, value, node, values=True) if value else ATOM)
            found |= {obj}
        elif any(static(kind, f"__i{name}__") is not MISSING for kind in user):
            found |= {obj}
    return found


def is_inherited(an: Interpreter, kind: type, name: str) -> bool:
    """Tell whether a class of the user's has a special method from an installed class that it derives from."""
    thing = static(kind, name)
    return thing is not MISSING and not (isinstance(thing, types.FunctionType) and an.world.is_user(thing))


def ask_truth(an: Interpreter, value: Value, node: ast.AST) -> None:
    """Follow asking whether something is true."""
    for obj in value:
        if not inert(obj):
            an.read(obj, ELEMENT)
            operated(an, "bool", obj, node, ATOM)
            operated(an, "len", obj, node, ATOM)


def formatted(an: Interpreter, value: Value, node: ast.FormattedValue) -> None:
    """Follow making text of objects."""
    an.deep(value)
    name = CONVERSIONS.get(node.conversion, "formatted")
    operated(an, name, value, node, ATOM)
    if not value:
        of_members(an, name, node)
    for obj in value:
        if not obj.live or is_container(type(obj.live[0])):
            operated(an, "repr", elements_of(an, obj), node, ATOM)
