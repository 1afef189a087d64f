"""Names that the notebook holds while the tail runs, and those that the head leaves behind."""

from __future__ import annotations

import ast
import functools
import types

from concompare.cells.distribution.code.generated import Action
from concompare.cells.distribution.code.repeating import unrepeatable
from concompare.cells.distribution.handing import is_uncrossable
from concompare.cells.distribution.nodes import is_cheap
from concompare.cells.distribution.staging import Staged
from concompare.cells.ir import OURS, Stage
from concompare.cells.objects import Obj, Origin, reachable
from concompare.cells.syntax import names


class Holding:
    """The names of one loop by who gives them values.

    Attributes:
        shared: Those of them whose objects the head makes and may go on changing.
        in_tail: The names that the tail gives values; the head's assignments of them are repeated there.
        targets: The nodes of the loop's own target but those of a star, which are `starred`; `own`: those of its body;
            `tails`: those with a part in the tail.
    """

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        self.loop = staged.analysed.loop
        self.uses = staged.uses
        target = names.nodes_in(self.loop.target) if self.loop.target is not None else []
        stars = [node for node in target if isinstance(node, ast.Starred) and not self.loop.collects]
        self.starred = [part for node in stars for part in names.nodes_in(node)]
        self.targets = set(target).difference(self.starred)  # a star makes a list of its own
        nodes = [node for statement in self.loop.body for node in names.nodes_in(statement)]
        self.own = set(nodes)
        self.tails: set[ast.AST] = set()
        stage, tail = staged.stage, Stage.TAIL
        for node in reversed(nodes):  # inner ones come first
            if stage.get(node) is tail or not self.tails.isdisjoint(names.children_of(node)):
                self.tails.add(node)
        self.augmented = {
            node.target for node in nodes if isinstance(node, ast.AugAssign) and staged.of(node) is Stage.TAIL
        }
        self.makers: dict[ast.stmt, bool] = {}
        effects = staged.analysed.effects.values()
        self.written = {place.obj for found in effects for place in found.writes if place.obj is not None}
        makers = [node for node in nodes if isinstance(node, ast.stmt) and self.makes_function(node)]
        self.functions = {part for node in makers for part in names.nodes_in(node)}
        self.deletes = {node for node in nodes if isinstance(node, ast.Delete) and names.writes(node)}
        self.removed = {name for node in self.deletes for name in names.writes(node)}
        self.in_tail = self.held_in_notebook()
        self.shared: set[str] = set()
        self.changed: set[Obj] | None = None

    def held_in_notebook(self) -> set[str]:
        """Return the names that the tail gives values; the head's assignments of them are repeated there."""
        found = set()
        for name, nodes in self.uses.defs.items():
            if (
                any(self.bound_in_tail(node) for node in nodes)
                or (nodes & (self.staged.both | self.functions))
                or name in self.removed
            ):
                found.add(name)
                self.staged.both |= {node for node in nodes if not self.bound_in_tail(node)}
        return found

    def changed_in_head(self) -> set[Obj]:
        """Return the objects that the head changes."""
        if self.changed is None:
            found = self.staged.analysed.effects.items()
            head = [effects for node, effects in found if self.staged.of(node) is Stage.HEAD]
            self.changed = {place.obj for effects in head for place in effects.writes if place.obj is not None}
        return self.changed

    def bound_in_tail(self, node: ast.AST) -> bool:
        """Tell whether an assignment is made in the tail."""
        return self.staged.of(node) is Stage.TAIL or node in self.augmented

    def may_change(self, node: ast.expr) -> bool:
        """Tell whether an expression reads a name to which the head gives an object that it may go on changing."""
        found = names.reads(node)
        both = [part for name in found & self.in_tail for part in self.uses.defs[name] if not self.bound_in_tail(part)]
        return bool(found & self.shared) or bool(both)

    def has_tail(self, node: ast.AST) -> bool:
        """Tell whether a node or a part of it is in the tail."""
        if node in self.own:
            return node in self.tails
        tail = self.staged.of(node) is Stage.TAIL
        return tail or any(map(self.has_tail, names.children_of(node)))  # made by us, of parts of the body

    def has_both(self, node: ast.AST) -> list[ast.AST]:
        """Return the assignments in a node that the notebook needs as well."""
        both = self.staged.both
        inner = names.nodes_in(node)
        return [part for part in inner if part in both] if not both.isdisjoint(inner) else []

    def makes_function(self, node: ast.stmt) -> bool:
        """Tell whether a statement names a function, or a part of the notebook's objects: the notebook does it too."""
        if node not in self.makers:
            self.makers[node] = self.found_maker(node)
        return self.makers[node]

    def found_maker(self, node: ast.stmt) -> bool:
        """Find whether a statement has to be done by the notebook too."""
        if self.loop.collects:
            return False
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return True
        if not isinstance(node, ast.Assign) or self.has_tail(node):
            return False
        found = self.staged.analysed.values.get(node.value, frozenset())
        if any(obj.origin is Origin.OUTER and not is_code(obj) for obj in found):
            return is_cheap(node.value, self.staged.analysed)
        made = [obj for obj in found if obj.origin is Origin.FUNCTION and isinstance(obj.code, tuple)]
        if not made:
            return False
        done = self.staged.analysed.inside([node.value])
        changed = self.written.intersection(reachable(made))
        others = any(obj not in self.items for obj in changed if obj.origin is not Origin.ITEM)
        # Else it would be done twice, and there would be two functions with a state each.
        return not (done.heavy or done.order or others)

    @functools.cached_property
    def items(self) -> set[Obj]:
        """The objects that the loop's own target stands for, which the notebook has too, and all in them."""
        given = {part.id for part in self.targets if isinstance(part, ast.Name)}
        own = {name for name in given if self.uses.defs.get(name, set()) <= self.targets}
        return set(reachable(obj for name in own for obj in self.staged.analysed.bound.get(name, ())))

    def is_repeated(self, node: ast.stmt) -> bool:
        """Tell whether a block holds statements that the notebook has to do as well."""
        inner = [part for part in names.nodes_in(node) if isinstance(part, ast.stmt)]
        return any(
            isinstance(part, (ast.AnnAssign, ast.Global)) or self.makes_function(part) or part in self.deletes
            for part in inner
        )

    def names_given(self, node: ast.stmt) -> list[ast.AST]:
        """Return the targets of `:=` in a statement of the tail that the head computes and the notebook needs."""
        inner = [part.target for part in names.nodes_in(node) if isinstance(part, ast.NamedExpr)]
        return [part for part in inner if part in self.staged.both and not self.bound_in_tail(part)]

    def kept_names(self) -> list[str]:
        """Return the names that the head assigns and the plain loop leaves behind."""
        target = names.stored(self.loop.target) if self.loop.target is not None else set()
        found = [
            name
            for name, nodes in self.uses.defs.items()
            if name not in self.in_tail and not name.startswith(OURS) and not nodes <= self.targets
        ]
        return sorted(name for name in found if name not in self.uses.deleted or name in target)

    def crossing(self, kept: list[str]) -> list[str]:
        """Return the names among those that are left behind whose values can be handed over."""
        bound = self.staged.analysed.bound
        return [name for name in kept if not any(map(is_uncrossable, reachable(bound.get(name, ()))))]

    def shared_names(self, actions: list[Action], kept: list[str], *, direct: bool) -> set[str]:
        """Return the names of the head that the notebook has to hold from where they are assigned.

        These are names of objects that the tail is given too, for both have to be one object, and all names where a
        head must not run a second time to see what it had assigned when the tail failed; or those that it would give
        other values then.
        """
        bound = self.staged.analysed.bound
        emitted = frozenset[Obj]()
        handed: set[str] = set()
        for action in actions:
            for node in action.operands:
                emitted |= self.staged.analysed.values.get(node, frozenset())
            handed |= {*action.names, *action.unsure}
        handed |= {name for name in self.in_tail if not all(map(self.bound_in_tail, self.uses.defs.get(name, ())))}
        for name in handed:
            emitted |= bound.get(name, frozenset())
        crossing = {*self.crossing(kept), *(name for name in kept if emitted & bound.get(name, frozenset()))}
        if self.staged.items_change:
            emitted |= {obj for found in bound.values() for obj in reachable(found) if obj.origin is Origin.ITEM}
        named = set(actions[0].names) if direct else set()
        crossing -= self.uses.deleted | self.in_tail | named
        if not crossing or self.staged.runs_once():
            return crossing
        inner, other = set(reachable(emitted)), unrepeatable(self.staged)
        return {
            name
            for name in sorted(crossing)
            if name in other or not inner.isdisjoint(reachable(bound.get(name, frozenset())))
        }


def is_code(obj: Obj) -> bool:
    """Tell whether an object of the notebook is a function, class or module that is the same when it comes back."""
    return bool(obj.live) and all(
        isinstance(thing, (types.ModuleType, type))
        or (isinstance(thing, types.FunctionType) and thing.__module__ != "__main__")  # else a copy, with its own names
        for thing in obj.live
    )
