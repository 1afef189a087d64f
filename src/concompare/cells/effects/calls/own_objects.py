"""Methods of the user's objects that installed code calls, of objects that it is given or holds.

Which these are is seen by what the user's class derives from (`argparse.Action`, `logging.Handler`), by the names in
the code of the installed function, and, of compiled code, by the table here.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.calls.drawing import functions_of, names_in
from concompare.cells.effects.following import follow
from concompare.cells.effects.inherited import called_methods, with_receiver
from concompare.cells.effects.operators import called_unseen, only_looks
from concompare.cells.objects import ATOM, Obj, Value, reachable

if TYPE_CHECKING:
    import ast

    from concompare.cells.effects.interpreter import Interpreter

ELSEWHERE = frozenset({"builtins", "collections", "itertools", "functools", "operator", "numpy", "pandas", "types"})
"""Packages whose objects call nothing in their methods that the tables do not say."""
LOOKING = frozenset({"typing", "abc", "enum", "dataclasses", "inspect", "weakref", "copy", "pickle"})
"""Packages whose functions take objects of all classes and call special methods only."""
OF_TARGETS = frozenset({"start", "end", "data", "comment", "pi", "doctype", "start_ns", "end_ns", "close"})
ASKED = {
    "xml": OF_TARGETS,
    "sqlite3": frozenset({"__conform__"}),
    "contextlib.closing": frozenset({"close"}),
    "contextlib.aclosing": frozenset({"aclose"}),
    "contextlib.ExitStack": frozenset({"__enter__", "__exit__"}),
}
"""The methods that compiled code calls, or code which does so by special steps: by package, or by function or type."""
MOST = 100
"""Functions of a package that are looked at for one call."""
WORDS: dict[types.CodeType, frozenset[str]] = {}


def is_of_standard_library(package: str) -> bool:
    """Tell whether what a package calls is looked for: others are trusted to change nothing that they are given."""
    return package in sys.stdlib_module_names and package not in ELSEWHERE and package not in LOOKING


def call_own(an: Interpreter, node: ast.AST, thing: Any, home: str, value: Value, *, declared: bool) -> None:
    """Follow the methods that installed code calls of the user's objects among some.

    Args:
        an: The interpreter.
        node: The call.
        thing: The function, class or method that is called.
        home: The dotted name of the function, or of the class that the method is of.
        value: What it is given, and what it belongs to.
        declared: Whether tables say what else it does.
    """
    package = home.partition(".")[0].lstrip("_")
    if an.looking or not is_of_standard_library(package) or not an.world.classes():
        return
    words = ASKED.get(package, frozenset()) | ASKED.get(home, frozenset())
    found = [obj for obj in reachable(value) if obj.types or obj.lazy is not None]
    for obj in found:
        if package == "contextlib" and obj.lazy is not None:
            an.now.add(obj.lazy)  # what `contextmanager` has made of a generator
        for own in obj.types or ():
            if an.world.is_user(own):
                named = words if declared else words | words_of(thing)
                call_methods(an, obj, own, named, every=is_derived(an, own, package))
    for obj in found if not declared else ():
        for own in obj.live:
            if isinstance(own, type) and an.world.is_user(own) and is_derived(an, own, package):
                call_given(an, node, obj, Arguments(spread=value))


def call_methods(an: Interpreter, obj: Obj, kind: type, words: frozenset[str], *, every: bool) -> None:
    """Follow methods of an object by their names, or all of them, as far as they change anything."""
    an.looking = True
    for name, function in called_methods(an, kind).items():
        if (every or name in words) and not only_looks(function):
            called_unseen(an, function, with_receiver(an, kind, function, frozenset({obj}), ATOM))
    an.looking = False


def call_given(an: Interpreter, node: ast.AST, obj: Obj, given: Arguments) -> Value:
    """Follow a call of a function that installed code was given; of a class, its methods are called as well."""
    found = an.call_obj(node, obj, given, obj.label)
    for kind in obj.live:
        if isinstance(kind, type) and an.world.is_user(kind):
            for function in called_methods(an, kind).values():
                follow(an, function, node, with_receiver(an, kind, function, found, given.all))
    return found


def is_derived(an: Interpreter, kind: type, package: str) -> bool:
    """Tell whether a class of the user's derives from one of an installed package."""
    bases = [base for base in kind.__mro__ if not an.world.is_user(base)]
    return any(base.__module__.partition(".")[0].lstrip("_") == package for base in bases)


def words_of(thing: Any) -> frozenset[str]:
    """Return the names in the code of an installed function, and of what it calls in its own package."""
    first = next(functions_of(thing), None)
    if first is None:
        return frozenset()
    if first.__code__ not in WORDS:
        WORDS[first.__code__] = found_words(thing)
    return WORDS[first.__code__]


def found_words(thing: Any) -> frozenset[str]:
    """Collect these names."""
    waiting, met, found = [*functions_of(thing)], set[types.CodeType](), set[str]()
    while waiting and len(met) < MOST:
        function = waiting.pop()
        if function.__code__ in met:
            continue
        met.add(function.__code__)
        words = {*names_in(function.__code__)}
        found |= words
        package = (function.__module__ or "").partition(".")[0]
        for value in (function.__globals__.get(word) for word in words):
            module = getattr(value, "__module__", None)
            if isinstance(module, str) and module.partition(".")[0] == package:
                parts = vars(value).values() if isinstance(value, type) else (value,)
                waiting += [part for part in parts if isinstance(part, types.FunctionType)]
    return frozenset(found)
