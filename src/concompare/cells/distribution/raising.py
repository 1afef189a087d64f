"""Exceptions that the parts of a body may raise by themselves."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterable
from typing import Any

from concompare.cells.distribution.nodes import operands
from concompare.cells.distribution.uses import START, Uses
from concompare.cells.effects.live import static
from concompare.cells.ir import OURS, Analysed, Order
from concompare.cells.objects import ANY, Obj

QUIET = (
    *(
        ast.Constant,
        ast.expr_context,
        ast.operator,
        ast.cmpop,
        ast.boolop,
        ast.unaryop,
        ast.Expr,
        ast.Assign,
        ast.AnnAssign,
    ),
    *(
        ast.keyword,
        ast.Pass,
        ast.Break,
        ast.Continue,
        ast.If,
        ast.IfExp,
        ast.Global,
        ast.Slice,
        ast.Lambda,
        ast.arguments,
    ),
    *(ast.arg, ast.NamedExpr, ast.FunctionDef),
)
"""Nodes that raise nothing themselves."""
MAY_RAISE: tuple[tuple[Any, tuple[type[BaseException], ...]], ...] = (
    ((ast.BinOp, ast.AugAssign, ast.UnaryOp, ast.Compare, ast.BoolOp), (TypeError, ArithmeticError)),
    (ast.Subscript, (LookupError, TypeError)),
    (ast.Attribute, (AttributeError,)),
    ((ast.JoinedStr, ast.FormattedValue), (TypeError, ValueError)),
    (ast.Assert, (AssertionError,)),
    (ast.Starred, (TypeError,)),
    ((ast.Dict, ast.Set), (TypeError,)),
)


class Raising:
    """Tells what the parts of one body may raise."""

    def __init__(self, analysed: Analysed, uses: Uses, assigned: set[str]) -> None:
        self.analysed = analysed
        self.loop = analysed.loop
        self.uses = uses
        self.assigned = assigned

    def calm(self, node: ast.AST) -> bool:
        """Tell whether a part of the tail cannot raise and shows nothing."""
        found = self.analysed.effects.get(node)
        return not (found is not None and Order.OUTPUT in found.order) and not self.raises(node)

    def raises(self, node: ast.AST) -> tuple[type[BaseException], ...]:
        """Return what a node may raise by itself."""
        found = self.analysed.of(node)
        if found.calm or isinstance(node, QUIET):
            return ()
        if isinstance(node, ast.Name):
            return (NameError,) if isinstance(node.ctx, ast.Load) and not self.is_bound(node) else ()
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and not self.is_bound(node):
            return (NameError, TypeError, ArithmeticError)
        if found.heavy or found.order or any(place.obj is not None for place in found.writes):
            return (BaseException,)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and self.is_there(node):
            return ()
        if isinstance(node, (ast.Tuple, ast.List)):
            return (TypeError, ValueError) if isinstance(node.ctx, ast.Store) else ()
        for kinds, errors in MAY_RAISE:
            if isinstance(node, kinds):
                plain = not any(self.analysed.values.get(part) for part in operands(node))
                return errors if plain or not isinstance(node, ast.BinOp) else (*errors, ValueError)
        return (BaseException,)

    def is_there(self, node: ast.Attribute) -> bool:
        """Tell whether all objects of the notebook that a part may stand for have an attribute, and keep it."""
        objects = self.analysed.values.get(node.value)
        if not objects or not all(obj.whole and obj.live for obj in objects):
            return False
        if any(obj in objects and field in (node.attr, ANY) for obj, field in self.taken):
            return False
        return all(has_itself(thing, node.attr) for obj in objects for thing in obj.live)

    @functools.cached_property
    def taken(self) -> set[tuple[Obj, str]]:
        """The attributes that calls or `del` may take from objects: a statement that sets one leaves it there."""
        found: set[tuple[Obj, str]] = set()
        for node, effects in self.analysed.effects.items():
            if isinstance(node, ast.Call) or isinstance(getattr(node, "ctx", None), ast.Del):
                found |= {(place.obj, place.field) for place in effects.writes if place.obj is not None}
        return found

    def is_bound(self, node: ast.AST) -> bool:
        """Tell whether a name surely has a value where it is read."""
        name = (
            node.target.id
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
            else getattr(node, "id", "")
        )
        namespace = self.loop.__dict__.get("namespace", {})
        if name in self.uses.deleted:
            return False
        if name.startswith(OURS):
            return True
        known = name in namespace or (name not in self.assigned and hasattr(builtins, name))
        return known or START not in self.uses.reads.get(node, {START})

    def kinds(self, node: ast.expr | None) -> tuple[type[BaseException], ...]:
        """Return what an `except` catches."""
        if isinstance(node, ast.Tuple):
            return tuple(kind for part in node.elts for kind in self.kinds(part))
        namespace = self.loop.__dict__.get("namespace", {})
        name = node.id if isinstance(node, ast.Name) else ""
        found = namespace.get(name, getattr(builtins, name, None)) if name not in self.assigned else None
        return (found,) if isinstance(found, type) and issubclass(found, BaseException) else (BaseException,)


def has_itself(thing: Any, name: str) -> bool:
    """Tell whether an object of a class of the user's holds an attribute that is read without running anything."""
    kind = type(thing)
    own = kind.__module__ == "__main__" and static(kind, "__getattribute__") is object.__getattribute__
    return own and name in getattr(thing, "__dict__", ()) and not hasattr(type(static(kind, name)), "__get__")


def meets(raised: Iterable[type[BaseException]], caught: Iterable[type[BaseException]]) -> bool:
    """Tell whether any of some errors may be caught."""
    return any(issubclass(one, other) or issubclass(other, one) for one in raised for other in caught)
