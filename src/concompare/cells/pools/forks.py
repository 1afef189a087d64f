"""State that differs between calls that wait and calls that begin at once, or between forked processes."""

from __future__ import annotations

import ast
import dis
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from concompare.cells.objects import is_atom
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.pools.session import Session

FIXED = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)


def seen_late(session: Session, node: ast.expr) -> str | None:
    """Return why processes that are made at a node of the cell may not be made later, or None."""
    tree = session.tree_of(node)
    place = (node.lineno, node.col_offset)
    around = [part for part in names.nodes_in(tree) if isinstance(part, (ast.For, ast.While))]
    whole = any(node in names.nodes_in(part) for part in around)
    later = [part for part in names.nodes_in(tree) if whole or place_of(part) > place]
    if any(isinstance(part, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)) for part in later):
        return "what is defined after its processes began is not known to them"
    used = {part.id for part in later if isinstance(part, ast.Name)}
    stored = {part.id for part in later if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)}
    for name in sorted(used & read_by_functions(session.namespace, used)):
        value = session.namespace.get(name)
        if name in stored or not (isinstance(value, FIXED) or is_atom(value)):
            return f"its processes see `{name}` as it was when they began"
    return None


def changed_late(session: Session, node: ast.expr) -> frozenset[str]:
    """Return the names that the cell may change while calls of a pool wait that is made at a node of it."""
    tree = session.tree_of(node)
    parts = [part for part in names.nodes_in(tree) if changed_by(part) and is_after(tree, part, node)]
    return frozenset(name for part in parts for name in changed_by(part))


def reused(session: Session, node: ast.expr) -> frozenset[str]:
    """Return the names whose objects the cell may change while calls that were given them wait."""
    tree = session.tree_of(node)
    loops = [part for part in names.nodes_in(tree) if isinstance(part, (ast.For, ast.While))]
    found: set[str] = set()
    for part in names.nodes_in(tree):
        changed = set() if isinstance(part, (ast.Name, ast.FunctionDef, ast.ClassDef)) else changed_by(part)
        if changed and is_after(tree, part, node):
            around = [loop for loop in loops if part in names.nodes_in(loop)]
            found |= changed.difference(*[names.writes(loop) for loop in around])  # else each turn has its own
    return frozenset(found)


HANDING = frozenset({
    *("submit", "map", "starmap", "imap", "imap_unordered", "apply", "apply_async", "map_async", "starmap_async"),
})  # fmt: skip
"""Methods that give a pool calls to make."""


def handed_on(tree: ast.Module) -> set[str]:
    """Return the names that stand in what is handed to a pool."""
    calls = [part for part in names.nodes_in(tree) if isinstance(part, ast.Call)]
    handing = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in HANDING]
    given = [part for call in handing for part in (*call.args, *(word.value for word in call.keywords))]
    return {part.id for value in given for part in names.nodes_in(value) if isinstance(part, ast.Name)}


def is_after(tree: ast.Module, part: ast.AST, node: ast.expr) -> bool:
    """Tell whether a part of the cell may run after another."""
    whole = [around for around in names.nodes_in(tree) if isinstance(around, (ast.For, ast.While))]
    if any(node in names.nodes_in(around) and part in names.nodes_in(around) for around in whole):
        return True
    return place_of(part) > place_of(node)


def changed_by(node: ast.AST) -> set[str]:
    """Return the names that a node gives a value, or whose object it is seen to change."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        return {base_of(node)}
    if isinstance(node, ast.AugAssign):
        return {base_of(node.target)}
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        return {base_of(node.value.func)}
    return set()


def base_of(node: ast.expr) -> str:
    """Return the name that an attribute or a subscript begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def place_of(node: ast.AST) -> tuple[int, int]:
    """Return where a node begins; what has no place is nowhere."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def read_by_functions(namespace: Mapping[str, Any], asked: set[str]) -> set[str]:
    """Return those of some names that functions and methods of the notebook read from it."""
    found: set[str] = set()
    for code in codes_of(namespace):
        if asked.intersection(code.co_names):
            found |= {
                str(step.argval) for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
            }
    return found & asked


def codes_of(namespace: Mapping[str, Any]) -> Iterator[types.CodeType]:
    """Yield the code of every function and method of the notebook, and of what is inside them."""
    stack: list[Any] = [thing for thing in namespace.values() if isinstance(thing, (types.FunctionType, type))]
    seen: set[int] = set()
    while stack:
        thing = stack.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.CodeType):
            yield thing
            stack += [part for part in thing.co_consts if isinstance(part, types.CodeType)]
        elif isinstance(thing, types.FunctionType):
            wrapped = getattr(thing, "__wrapped__", None)
            stack += [thing.__code__] if thing.__globals__ is namespace else []
            stack += [wrapped] if isinstance(wrapped, types.FunctionType) else []
        elif isinstance(thing, type) and thing.__module__ == namespace.get("__name__"):
            stack += [part for part in map(plain, vars(thing).values()) if isinstance(part, types.FunctionType)]


def plain(thing: Any) -> Any:
    """Return the function of a method or property."""
    return getattr(thing, "__func__", None) or getattr(thing, "fget", None) or thing
