"""Methods of the user's classes that methods of the installed classes they are derived from call."""

from __future__ import annotations

import dis
import inspect
import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.attributes import any_part
from concompare.cells.effects.elements import elements_of
from concompare.cells.effects.following import follow
from concompare.cells.effects.live import MISSING, static
from concompare.cells.objects import ATOM, Value

if TYPE_CHECKING:
    import ast

    from concompare.cells.effects.interpreter import Interpreter

DEPTH = 6
"""Methods that call one another up to which it is looked at whom an installed one calls."""
STEPS: dict[str, tuple[str, ...]] = {
    "__setitem__": ("STORE_SUBSCR", "STORE_SLICE"),
    "__delitem__": ("DELETE_SUBSCR",),
    "__setattr__": ("STORE_ATTR",),
    "__delattr__": ("DELETE_ATTR",),
    "__enter__": ("BEFORE_WITH", "LOAD_SPECIAL"),
    "__exit__": ("BEFORE_WITH", "LOAD_SPECIAL"),
    **dict.fromkeys(("__new__", "__del__", "__copy__", "__deepcopy__", "__reduce__", "__reduce_ex__"), ()),
    **dict.fromkeys(("__getstate__", "__setstate__", "__init_subclass__", "__set_name__"), ()),
}
NAMED = {word: {dis.opmap[step] for step in steps if step in dis.opmap} for word, steps in STEPS.items()}
"""Special methods that code calls only by their names or by these steps."""
MAKING = frozenset({"__init__", "__post_init__", *(word for word, steps in STEPS.items() if not steps)})
"""Methods that are called when an object or a class is made, copied or dropped."""
BY_NAME = frozenset({"getattr", "globals", "eval", "exec"})
"""What may call a method by a name that does not stand in the code."""


def call_overridden(an: Interpreter, node: ast.AST, kind: type, name: str, this: Value, given: Arguments) -> None:
    """Follow the user's methods that an inherited installed method may call, with anything that was given."""
    if not an.world.is_user(kind):
        return
    key = kind, name
    if key not in an.world.called_by:
        an.world.called_by[key] = reached(an, kind, name)
    functions = an.world.called_by[key]
    parts = given.all.union(*[any_part(an, obj) | elements_of(an, obj) for obj in given.all]) if functions else ATOM
    for function in functions:
        follow(an, function, node, with_receiver(an, kind, function, this, parts))


def with_receiver(an: Interpreter, kind: type, function: types.FunctionType, this: Value, parts: Value) -> Arguments:
    """Return the arguments of a call of a method of a class, by its own code or by installed code."""
    thing, count = static(kind, function.__name__), function.__code__.co_argcount
    if isinstance(thing, staticmethod):
        return Arguments([parts] * count)
    first = an.world.outer(kind, kind.__name__) if isinstance(thing, classmethod) else this
    return Arguments([first, *[parts] * (count - 1)])


def own_methods(an: Interpreter, kind: type) -> dict[str, types.FunctionType]:
    """Return the functions that the user's classes among a class and its bases have, properties' too, by name."""
    found: dict[str, types.FunctionType] = {}
    for base in reversed(kind.__mro__):
        for word, thing in vars(base).items() if an.world.is_user(base) else ():
            function = getattr(thing, "__func__", getattr(thing, "fget", thing))
            if isinstance(function, types.FunctionType) and an.world.is_user(function):
                found[word] = function
    return found


def called_methods(an: Interpreter, kind: type) -> dict[str, types.FunctionType]:
    """Return the methods of a class of the user's that others may call once there is an object of it."""
    return {name: function for name, function in own_methods(an, kind).items() if name not in MAKING}


def reached(an: Interpreter, kind: type, name: str) -> list[types.FunctionType]:
    """Return the functions of the user's that an installed method of a class may call by `self`."""
    ours = own_methods(an, kind)
    ours.pop(name, None)
    ours.pop("__init__", None)
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    if not ours or owner.__module__ == "builtins":  # whose methods look up none of the object's own
        return []
    met: set[str] = set()
    waiting = [(name, DEPTH)]
    # operators have no names in code
    found = {word: thing for word, thing in ours.items() if word.startswith("__") and word not in NAMED}
    while waiting:
        word, depth = waiting.pop()
        thing: Any = static(kind, word)
        thing = inspect.unwrap(getattr(thing, "__func__", getattr(thing, "fget", thing)))
        words = names_in(thing) if thing is not MISSING else None
        if words is None or words & BY_NAME:
            return list(ours.values())
        for other in words - met if depth else ():
            met.add(other)
            if other in ours:
                found[other] = ours[other]
            elif isinstance(getattr(static(kind, other), "__func__", static(kind, other)), types.FunctionType):
                waiting.append((other, depth - 1))
    return list(found.values())


def names_in(thing: Any) -> set[str] | None:
    """Return the names that stand in the code of a function and those inside it; None: it has no code to look at."""
    if not isinstance(thing, types.FunctionType):
        return None
    found: set[str] = set()
    waiting = [thing.__code__]
    while waiting:
        code = waiting.pop()
        found.update(code.co_names)
        steps = set(code.co_code[::2])
        found.update(word for word, named in NAMED.items() if not steps.isdisjoint(named))
        waiting += [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return found
