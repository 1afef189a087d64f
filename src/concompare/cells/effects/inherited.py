"""Methods of the user's classes that methods of the installed classes they are derived from call."""

from __future__ import annotations

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
        follow(an, function, node, Arguments([this, *[parts] * (function.__code__.co_argcount - 1)]))


def reached(an: Interpreter, kind: type, name: str) -> list[types.FunctionType]:
    """Return the functions of the user's that an installed method of a class may call by `self`."""
    ours = {
        word: thing
        for base in reversed(kind.__mro__)
        if an.world.is_user(base)
        for word, thing in vars(base).items()
        if isinstance(thing, types.FunctionType) and an.world.is_user(thing)
    }
    ours.pop(name, None)
    ours.pop("__init__", None)
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    if not ours or owner.__module__ == "builtins":  # whose methods look up none of the object's own
        return []
    met: set[str] = set()
    waiting = [(name, DEPTH)]
    found = {word: thing for word, thing in ours.items() if word.startswith("__")}  # operators have no names in code
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
        waiting += [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return found
