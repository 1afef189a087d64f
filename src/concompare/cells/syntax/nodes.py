"""Nodes that are made, at the places of nodes that the user wrote."""

from __future__ import annotations

import ast
import functools
from typing import TypeVar

from concompare.cells.syntax import names

Node = TypeVar("Node", bound=ast.AST)
HOLDING = (ast.stmt, ast.ExceptHandler, ast.match_case)
"""What a statement holds of other statements, or of what holds these."""
PLACE_OF = ("lineno", "col_offset", "end_lineno", "end_col_offset")


def located(node: Node, place: ast.AST) -> Node:
    """Give a made node the place of one that the user wrote."""
    if node._attributes:
        known, own = place.__dict__, node.__dict__
        for name in PLACE_OF:
            if name in known:
                own[name] = known[name]
    return node


@functools.lru_cache(256)
def template(text: str) -> ast.Module:
    """Return the tree of a text of ours, parsed once: to be copied."""
    return ast.parse(text)


def statements_at(text: str, place: ast.AST) -> list[ast.stmt]:
    """Return the statements of a text of ours, at the place of a node that the user wrote."""
    made = [names.copied(statement) for statement in template(text).body]
    for statement in made:
        for node in ast.walk(statement):
            located(node, place)
    return made


def method(holder: ast.expr, name: str, place: ast.AST) -> ast.Attribute:
    """Return a method of ours, on the first line of its place: Python shows a call at the last line of its method."""
    made = located(ast.Attribute(holder, name, ast.Load()), place)
    made.end_lineno, made.end_col_offset = made.lineno, made.col_offset
    return made


def gathered_of(node: ast.AST) -> ast.ListComp | None:
    """Return `await asyncio.gather(*[f(x) for x in xs])` as `[await f(x) for x in xs]`; None: it is something else."""
    call = node.value if isinstance(node, ast.Await) else None
    if not isinstance(call, ast.Call) or call.keywords or len(call.args) != 1:
        return None
    if ast.unparse(call.func) not in ("asyncio.gather", "gather") or not isinstance(call.args[0], ast.Starred):
        return None
    made = call.args[0].value
    if not isinstance(made, (ast.ListComp, ast.GeneratorExp)) or isinstance(made.elt, ast.Await):
        return None
    return located(ast.ListComp(located(ast.Await(made.elt), made.elt), made.generators), made)


def awaits_items(statement: ast.stmt) -> bool:
    """Tell whether all that a statement awaits is one coroutine for each item of a comprehension or of `gather`."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr)):
        return False
    made = gathered_of(statement.value) if statement.value is not None else None
    comp = made or statement.value
    if not isinstance(comp, ast.ListComp) or not isinstance(comp.elt, ast.Await) or len(comp.generators) != 1:
        return False
    waits = {ast.Await, ast.AsyncFor, ast.AsyncWith}
    others: list[ast.AST] = [comp.elt.value, comp.generators[0]]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        others += statement.targets if isinstance(statement, ast.Assign) else [statement.target, statement.annotation]
    return not comp.generators[0].is_async and not any(names.kinds_in(part) & waits for part in others)


def number_in(statement: ast.stmt, node: ast.AST) -> int:
    """Return the number of a node in a statement in the order of `ast.walk`, 0 where it is not in it."""
    return next((number for number, part in enumerate(ast.walk(statement)) if part is node), 0)


def ends_at_once(body: list[ast.stmt]) -> bool:
    """Tell whether a loop with this body is over after its first item unless that fails, as where a call is retried."""
    for statement in body:
        if isinstance(statement, (ast.Break, ast.Return)):
            return True
        if isinstance(statement, ast.Continue) or (may_go_on(statement) and not isinstance(statement, ast.Try)):
            return False
        if isinstance(statement, ast.With) and ends_at_once(statement.body):
            return True
        if isinstance(statement, ast.Try):
            tried = [*statement.body, *statement.orelse]
            if ends_at_once(tried):
                return True
            if any(map(may_go_on, tried)):
                return False
    return False


def may_go_on(statement: ast.stmt) -> bool:
    """Tell whether a statement may let the loop around it take its next item."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Continue):
            return True
        if isinstance(node, (ast.For, ast.While, ast.AsyncFor)):
            waiting += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            waiting += [part for part in ast.iter_child_nodes(node) if isinstance(part, HOLDING)]
    return False
