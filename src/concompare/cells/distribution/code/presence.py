"""Decide whether a look-up in the notebook's objects surely finds something; else the tail looks first."""

from __future__ import annotations

import ast
import collections
from typing import Any

from concompare.cells.distribution.code.generated import Action
from concompare.cells.distribution.code.holding import Holding
from concompare.cells.distribution.code.lifter import Lifter
from concompare.cells.effects.live import MISSING, static
from concompare.cells.ir import Stage
from concompare.cells.objects import Obj

EXACT = (list, tuple, dict)
PLAIN_LOOK_UP: Any = object.__getattribute__
BARE = (int, float, str, list, dict, set)
"""What a `defaultdict` calls that raises nothing."""


def makes_missing(obj: Obj) -> bool:
    """Tell whether an object gives something for every key."""
    if not obj.live:
        return obj.types == (collections.Counter,)
    made = [type(thing) is collections.Counter or getattr(thing, "default_factory", None) in BARE for thing in obj.live]
    return all(made) and set(map(type, obj.live)) <= {collections.Counter, collections.defaultdict}


class Presence:
    """Answers for the look-ups of one loop."""

    def __init__(self, holding: Holding) -> None:
        self.holding = holding
        self.staged = holding.staged
        self.lifter = Lifter(holding, str, Action(-1, []))

    def is_in_doubt(self, node: ast.AST) -> bool:
        """Tell whether an expression of the head is looked up by the notebook all the same, and may not be there."""
        if not isinstance(node, (ast.Attribute, ast.Subscript)) or self.staged.of(node) is not Stage.HEAD:
            return False
        if not isinstance(node.ctx, ast.Load) or self.holding.has_tail(node):
            return False
        left = self.lifter.is_of_notebook(node) or (self.lifter.is_lookup(node) and self.lifter.holds_outer(node))
        return left and not self.is_there(node)

    def is_there(self, node: ast.expr) -> bool:
        """Tell whether a look-up finds something whatever the loop does."""
        if isinstance(node, ast.Subscript):
            values = self.staged.analysed.values
            holders = values.get(node.value, frozenset())
            if holders and not values.get(node.slice) and all(map(makes_missing, holders)):
                return True
        return bool(self.things(node))

    def things(self, node: ast.expr) -> list[Any]:
        """Return the live object that an expression surely stands for during the whole loop, alone; or nothing."""
        namespace = self.holding.loop.__dict__.get("namespace", {})
        if isinstance(node, ast.Name):
            return [namespace[node.id]] if node.id in namespace and node.id not in self.holding.uses.defs else []
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            return []
        for holder in self.things(node.value):
            if isinstance(node, ast.Attribute):
                return self.attribute(holder, node.attr)
            if isinstance(node.slice, ast.Constant):
                return self.element(holder, node.slice.value)
        return []

    def attribute(self, holder: Any, name: str) -> list[Any]:
        """Return what an object holds under a name, if nothing that the loop does can take it away."""
        if static(type(holder), "__getattribute__") is not PLAIN_LOOK_UP or self.is_written(holder, name):
            return []
        found = vars(holder).get(name, MISSING) if hasattr(holder, "__dict__") else MISSING
        return [found] if found is not MISSING and static(type(holder), name) is MISSING else []

    def element(self, holder: Any, key: Any) -> list[Any]:
        """Return an element of a builtin container that does not change."""
        if type(holder) not in EXACT or self.is_written(holder):
            return []
        try:
            return [holder[key]]
        except (LookupError, TypeError):
            return []

    def is_written(self, holder: Any, name: str | None = None) -> bool:
        """Tell whether the loop changes an object itself, or one attribute of it."""
        for effects in self.staged.analysed.effects.values():
            for place in effects.writes:
                here = place.obj is not None and any(thing is holder for thing in place.obj.live)
                if here and (name is None or place.field in (name, "*")):
                    return True
        return False

    def is_plain(self, node: ast.expr) -> bool:
        """Tell whether looking something up twice does what looking once does."""
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            return False
        holders = self.staged.analysed.values.get(node.value, frozenset())
        return bool(holders) and all(
            obj.types
            and all(
                kind.__module__ in ("builtins", "collections", "numpy", "array")
                or (isinstance(node, ast.Attribute) and static(kind, node.attr) is MISSING)
                for kind in obj.types
            )
            for obj in holders
        )
