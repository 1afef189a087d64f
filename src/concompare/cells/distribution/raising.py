"""Exceptions that the parts of a body may raise by themselves."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from typing import Any

from concompare.cells.distribution.nodes import operands
from concompare.cells.distribution.uses import START, Uses
from concompare.cells.ir import OURS, Analysed, Order

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
        if isinstance(node, (ast.Tuple, ast.List)):
            return (TypeError, ValueError) if isinstance(node.ctx, ast.Store) else ()
        for kinds, errors in MAY_RAISE:
            if isinstance(node, kinds):
                plain = not any(self.analysed.values.get(part) for part in operands(node))
                return errors if plain or not isinstance(node, ast.BinOp) else (*errors, ValueError)
        return (BaseException,)

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


def meets(raised: Iterable[type[BaseException]], caught: Iterable[type[BaseException]]) -> bool:
    """Tell whether any of some errors may be caught."""
    return any(issubclass(one, other) or issubclass(other, one) for one in raised for other in caught)
