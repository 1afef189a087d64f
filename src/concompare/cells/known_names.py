"""Names that a cell or a file gives values which are known without running it."""

from __future__ import annotations
import __future__

import ast
import contextlib
import functools
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from concompare.cells.objects import MISSING
from concompare.cells.syntax import names

OURS = "concompare.api"
"""The module of our own decorator, which only wraps as well."""
SAFE = {
    "abc": ("abstractmethod",),
    "contextlib": ("contextmanager",),
    "dataclasses": ("dataclass",),
    "functools": ("cache", "lru_cache", "cached_property", "total_ordering"),
    "typing": ("final", "no_type_check", "override"),
    "builtins": ("staticmethod", "classmethod", "property"),
}
"""Decorators that call nothing of the user's, by their modules."""


def learn(statement: ast.stmt, known: dict[str, Any], filename: str) -> None:
    """Add the names that a statement gives values which can be told without running it; take the others away."""
    for name in names.writes(statement):
        known.pop(name, None)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        with contextlib.suppress(ValueError):
            known[statement.targets[0].id] = ast.literal_eval(statement.value)
    if is_plain_definition(statement, known):
        define(statement, known, filename)
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        known.update(imported(statement))


def define(statement: ast.stmt, known: dict[str, Any], filename: str) -> None:
    """Define a function or class; annotations stay text, so that none is looked up.

    Where a base or a default has no value yet, nothing is defined.
    """
    flags = __future__.annotations.compiler_flag
    code = compile(ast.Module([statement], []), filename, "exec", flags, dont_inherit=True)
    with contextlib.suppress(Exception):
        exec(code, known)


def defined_apart(tree: ast.Module, known: dict[str, Any], filename: str) -> Iterator[types.FunctionType]:
    """Yield the functions and methods of a file, without decorators and defaults, as far as they are nobody's inside.

    They see the names that are known, and are made to be looked at, not called.
    """
    for holder, node in defined_in(tree.body, ""):
        made = names.copied(node)
        made.decorator_list, made.args.defaults = [], [ast.Constant(None)] * len(made.args.defaults)
        made.args.kw_defaults = [part and ast.Constant(None) for part in made.args.kw_defaults]
        scratch: dict[str, Any] = {}
        module = ast.fix_missing_locations(ast.Module([made], []))
        code = compile(module, filename, "exec", __future__.annotations.compiler_flag, dont_inherit=True)
        codes = [part for part in code.co_consts if isinstance(part, types.CodeType) and part.co_name == node.name]
        if not codes:  # a function with type parameters is made by another
            continue
        first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        inner = codes[0].replace(co_qualname=holder + node.name, co_firstlineno=first)
        exec(code, known, scratch)
        found: types.FunctionType = scratch[node.name]
        found.__code__, found.__qualname__ = inner, inner.co_qualname
        yield found


def defined_in(statements: Sequence[ast.stmt], holder: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions that statements define, with the name of the class that they are in and a dot."""
    for node in statements:
        if isinstance(node, ast.FunctionDef):
            yield holder, node
        elif isinstance(node, ast.ClassDef):
            yield from defined_in(node.body, f"{holder}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from defined_in(node.body, holder)
            yield from defined_in(getattr(node, "orelse", []), holder)


def imported(statement: ast.Import | ast.ImportFrom) -> dict[str, Any]:
    """Return what a statement imports from modules that are loaded already: nothing of them runs again."""
    found: dict[str, Any] = {}
    for part in statement.names:
        if isinstance(statement, ast.ImportFrom):
            module = sys.modules.get(statement.module or "") if statement.level == 0 else None
            thing = vars(module).get(part.name, MISSING) if module is not None else MISSING
            thing = sys.modules.get(f"{statement.module}.{part.name}", MISSING) if thing is MISSING else thing
        else:
            thing = sys.modules.get(part.name if part.asname else part.name.partition(".")[0], MISSING)
        if thing is not MISSING:
            whole = part.name if isinstance(statement, ast.ImportFrom) else part.name.partition(".")[0]
            found[part.asname or whole] = thing
    return found


def is_plain_definition(statement: ast.stmt, known: dict[str, Any]) -> bool:
    """Tell whether a statement defines functions only, so that nothing of the user's runs when it does."""
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    if not all(is_safe(decorator, known) for decorator in statement.decorator_list):
        return False
    if isinstance(statement, ast.ClassDef):
        plain = (ast.Pass, ast.Expr, ast.Assign, ast.AnnAssign)
        inner = all(is_plain_definition(part, known) or isinstance(part, plain) for part in statement.body)
        values = [part.value for part in statement.body if isinstance(part, plain[1:]) and part.value is not None]
        calls = any(ast.Call in names.kinds_in(part) for part in [*values, *statement.bases])
        return inner and not statement.keywords and not calls
    args = statement.args
    return all(isinstance(part, (ast.Constant, ast.Name)) for part in [*args.defaults, *args.kw_defaults] if part)


def is_safe(decorator: ast.expr, known: dict[str, Any]) -> bool:
    """Tell whether a decorator calls nothing of the user's: one of Python's own that only wrap."""
    if isinstance(decorator, ast.Call):
        given = [*decorator.args, *[part.value for part in decorator.keywords]]
        return all(isinstance(part, ast.Constant) for part in given) and is_safe(decorator.func, known)
    if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter"):
        return isinstance(decorator.value, ast.Name)
    thing = meant(decorator, known)
    return getattr(thing, "__module__", "") == OURS or any(thing is safe for safe in safe_decorators())


@functools.cache
def safe_decorators() -> tuple[Any, ...]:
    """Return the decorators that call nothing of the user's, of the modules that are loaded."""
    import abc
    import contextlib
    import dataclasses
    import typing

    modules = {module.__name__: module for module in (abc, contextlib, dataclasses, functools, typing)}
    modules["builtins"] = sys.modules["builtins"]
    found = (getattr(modules[module], name, MISSING) for module, words in SAFE.items() for name in words)
    return tuple(thing for thing in found if thing is not MISSING)


def meant(node: ast.expr, known: dict[str, Any]) -> Any:
    """Return the object that a dotted name stands for, as far as modules hold it; else None."""
    if isinstance(node, ast.Name):
        return known.get(node.id, vars(sys.modules["builtins"]).get(node.id))
    if isinstance(node, ast.Attribute):
        holder = meant(node.value, known)
        return vars(holder).get(node.attr) if isinstance(holder, type(ast)) else None
    return None
