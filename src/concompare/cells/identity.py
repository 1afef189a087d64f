"""Comparing objects by what they are, not by what they hold: a worker process compares copies."""

from __future__ import annotations

import ast
import enum
import types
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from concompare.cells import calls, known
from concompare.cells.values import MARKS, Value
from concompare.cells.world import MISSING
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.purity import Analyzer

BY_KEY = frozenset(known.words("count get index pop remove setdefault"))
"""Methods that look for their first argument."""
BY_NAME = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, enum.Enum, bool, type(None))
"""Kinds of objects that are themselves in a worker process too: they are sent by name."""
CONTAINERS = (list, tuple, set, frozenset, dict)
ENOUGH = 1000
"""Objects inside one container that are looked at."""


def follow_compare(an: Analyzer, node: ast.Compare, both: Value) -> None:
    """Record a comparison of identities, or of objects that may know no other equality."""
    operands = [node.left, *node.comparators]
    for position, operator in enumerate(node.ops):
        pair = operands[position : position + 2]
        if isinstance(operator, (ast.Is, ast.IsNot)):
            roots = (an.value(pair[0]).own | an.value(pair[1]).own) - MARKS
            roots |= {"a number" for part in pair if isinstance(calls.resolve(an, part), float)}  # as in `v is np.nan`
            if roots and not any(is_by_name(an, part) for part in pair):
                what = ast.unparse(node)[:40]
                an.effect("identity", node, f"asks whether `{what}`, of which a worker process has copies", roots)
        elif isinstance(operator, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)):
            follow_keys(an, [part for part in pair if isinstance(part, ast.Name)])


def follow_keys(an: Analyzer, keys: Iterable[ast.expr]) -> None:
    """Follow expressions that are compared; record those of them that are whole objects."""
    for key in keys:
        roots = an.value(key).own - MARKS
        if roots and isinstance(key, ast.Name):
            an.reading.compared |= roots


def is_by_name(an: Analyzer, node: ast.expr) -> bool:
    """Tell whether an expression is something that every process has itself: None, a class, a function, a member."""
    if isinstance(node, ast.Constant):
        return node.value is None or node.value is ... or isinstance(node.value, bool)
    if isinstance(node, ast.Call):
        return calls.resolve(an, node.func) is type
    thing = calls.resolve(an, node)
    return thing is not MISSING and isinstance(thing, BY_NAME)


def refuse_identities(things: Iterable[Any], line: int) -> None:
    """Refuse objects that are equal to nothing but themselves, where a worker process would compare copies of them."""
    kinds = set(map(type, things))
    if inner := kinds & set(CONTAINERS):
        for thing in things:
            if type(thing) in inner:
                kinds |= set(map(type, islice(thing, ENOUGH)))
                kinds |= set(map(type, islice(thing.values(), ENOUGH))) if type(thing) is dict else set()
    for kind in kinds:
        plain: Any = object.__eq__
        if kind.__eq__ is plain and kind not in known.ATOMS and not issubclass(kind, (*BY_NAME, types.GeneratorType)):
            text = f"the workers compare objects of `{kind.__name__}`, which are equal to nothing but themselves"
            raise CellRefused(f"{text}, and a worker process has copies. Compare a value, or give it `__eq__`.", line)
