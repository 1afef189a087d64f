"""Loops directly inside one another as one loop over the tuples of their items, where the outer one has few items."""

from __future__ import annotations

import ast
import itertools
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from concompare.cells.forms import comprehensions
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

ITEMS = OURS + "items"
PART = OURS + "part"
CHEAP = frozenset(["range", "enumerate", "zip", "reversed", "sorted", "len", "list", "tuple", "set", "min", "max"])
CHEAP_METHODS = frozenset({"items", "keys", "values"})
"""What an inner loop may call to find what it walks: the notebook does that for all of them before the first item."""
WALKS = frozenset(
    {
        itertools.chain,
        itertools.combinations,
        itertools.combinations_with_replacement,
        itertools.islice,
        itertools.pairwise,
        itertools.permutations,
        itertools.product,
        itertools.zip_longest,
    }
)
"""Functions that may be called for the same, whatever they are called in the notebook: what they give ends."""
NONE: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Flat:
    """Nested loops as one.

    Attributes:
        loop: The loop over tuples, one part for each level.
        walk: What gives these tuples, from the outermost items under the name `ITEMS`.
        outer: The target of the outermost loop.
    """

    loop: Loop
    walk: ast.GeneratorExp
    outer: ast.expr


@dataclass(frozen=True)
class Level:
    """One of the nested loops: what each item is bound to, what it walks, and which items it leaves out."""

    target: ast.expr
    items: ast.expr
    tests: tuple[ast.expr, ...] = ()


def flattened(loop: Loop, namespace: Mapping[str, Any] = NONE) -> Flat | None:
    """Return nested `for` statements, or the generators of one comprehension, as one loop; None: they are not that.

    Args:
        loop: The outermost loop.
        namespace: The notebook's names.
    """
    node = loop.node
    if isinstance(node, ast.For):
        nested, body = levels_of(node)
        if len(nested) < 2 or not may_be_one(nested, body, namespace):
            return None
        return flat(replace(loop, body=body), nested)
    if not isinstance(node, names.COMPREHENSIONS) or len(node.generators) < 2 or loop.stops:
        return None
    nested = [Level(part.target, part.iter, tuple(part.ifs)) for part in node.generators]
    value = comprehensions.pair(node) if isinstance(node, ast.DictComp) else node.elt
    if any(part.is_async for part in node.generators) or not may_be_one(nested, [value], namespace):
        return None
    last = nested[-1]
    made = comprehensions.collected(loop.kind, node, last.target, last.items, value, list(last.tests), [])
    made.shape, made.lazy, made.filled = loop.shape, loop.lazy, loop.filled
    return flat(made, nested)


def levels(loop: Loop) -> int:
    """Return how many loops are directly inside one another."""
    node = loop.node
    if isinstance(node, ast.For):
        return len(levels_of(node)[0])
    return len(node.generators) if isinstance(node, names.COMPREHENSIONS) else 1


def levels_of(node: ast.For) -> tuple[list[Level], list[ast.stmt]]:
    """Return the loops that have nothing beside the next one in them, outermost first, and the innermost body."""
    found, body = [Level(node.target, node.iter)], node.body
    while len(body) == 1 and isinstance(body[0], ast.For) and not body[0].orelse:
        found.append(Level(body[0].target, body[0].iter))
        body = body[0].body
    return found, body


def may_be_one(nested: list[Level], body: list[ast.stmt] | list[ast.expr], namespace: Mapping[str, Any]) -> bool:
    """Tell whether all that the inner loops walk may be known before the first item is computed."""
    bound = [name for level in nested for name in names.stored(level.target)]
    if len(set(bound)) < len(bound) or set(bound) & names.writes(*body) or leaves(body):
        return False
    parts = [level.items for level in nested[1:]] + [test for level in nested[:-1] for test in level.tests]
    return all(is_cheap(part, frozenset(), namespace) for part in parts)


def leaves(body: list[ast.stmt] | list[ast.expr]) -> bool:
    """Tell whether a body ends its loop early."""
    return any(isinstance(part, (ast.Break, ast.Return)) for node in body for part in ast.walk(node))


def is_cheap(node: ast.expr, shadowed: frozenset[str], namespace: Mapping[str, Any] = NONE) -> bool:
    """Tell whether an expression does little, calls nothing of the user's and binds nothing.

    Args:
        node: The expression.
        shadowed: Names that do not mean the builtin here.
        namespace: The names that are known, for functions of `itertools`.
    """
    for part in ast.walk(node):
        if isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda, *names.COMPREHENSIONS)):
            return False
        if isinstance(part, ast.Call):
            func = part.func
            known = isinstance(func, ast.Name) and func.id in CHEAP and func.id not in shadowed
            viewed = isinstance(func, ast.Attribute) and func.attr in CHEAP_METHODS and not part.args
            if not known and not viewed and not gives_items(func, namespace):
                return False
    return True


def gives_items(func: ast.expr, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a name, or an attribute of a module with a name, stands for one of `WALKS`."""
    if isinstance(func, ast.Name):
        thing = namespace.get(func.id)
    elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        owner = namespace.get(func.value.id)
        thing = vars(owner).get(func.attr) if isinstance(owner, types.ModuleType) else None
    else:
        return False
    return any(thing is walk for walk in WALKS)


def flat(innermost: Loop, nested: list[Level]) -> Flat:
    """Return levels as one loop whose body is that of the innermost."""
    place = nested[0].items
    generators: list[ast.comprehension] = []
    for number, level in enumerate(nested):
        part = located(ast.Name(f"{PART}{number}", ast.Store()), place)
        walked = level.items if number else located(ast.Name(ITEMS, ast.Load()), place)
        generators.append(ast.comprehension(part, walked, [], 0))
        if number < len(nested) - 1:
            one = located(ast.Tuple([loaded(number, place)], ast.Load()), place)
            generators.append(ast.comprehension(names.copied(level.target), one, list(level.tests), 0))
    parts: list[ast.expr] = [loaded(number, place) for number in range(len(nested))]
    walk = located(ast.GeneratorExp(located(ast.Tuple(parts, ast.Load()), place), generators), place)
    target = located(ast.Tuple([names.copied(level.target) for level in nested], ast.Store()), place)
    whole = replace(innermost, target=target, items=walk, early=True, written=written(nested, target))
    return Flat(whole, walk, nested[0].target)


def written(nested: list[Level], target: ast.expr) -> ast.ListComp:
    """Return what gives the tuples as somebody would write it."""
    generators = [ast.comprehension(level.target, level.items, list(level.tests), 0) for level in nested]
    return ast.ListComp(names.as_read(target), generators)


def loaded(number: int, place: ast.AST) -> ast.Name:
    """Return the name of a level's part."""
    return located(ast.Name(f"{PART}{number}", ast.Load()), place)
