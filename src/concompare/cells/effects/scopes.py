"""Scopes: the names that a piece of code sees, and what they stand for."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.live import MISSING
from concompare.cells.frame import is_own
from concompare.cells.ir import RESULT
from concompare.cells.objects import ATOM, ELSEWHERE, NAMED, Obj, Origin, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

CELL = "cell_contents"
"""The field of what holds a name that several functions share."""


@dataclass
class Scope:
    """The names that a piece of code sees.

    Attributes:
        names: Its own names, with what they may stand for.
        local: Those names that are its own; None: all that it assigns (the body of a loop).
        outer: The scope around a function that the body defines.
        module: The live globals; `cells`: the live closure, and `holders` the cells that hold it.
        where: The function's name, for messages; "" for the loop's body.
        returned: What it may return; `yielded`: what it may yield.
        watched: For each `try` around, what its names stand for anywhere in the block.
        jumped: For each inner loop around, its names where it is left or begun again.
        same: The parameters that are surely the same for every item.
        shared: Its names that other code has read.
        own: The parameters that are as they were given, and not alike for several items as far as can be seen.
        body: The statements of the code.
        rebound: What holds those of its names that functions inside it give values.
        texts: All texts that some of its parameters may be, where these are known.
    """

    names: dict[str, Value] = field(default_factory=dict)
    local: frozenset[str] = frozenset()
    outer: Scope | None = None
    module: Any = None
    cells: dict[str, Any] = field(default_factory=dict)
    holders: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    returned: Value = ATOM
    yielded: Value = ATOM
    is_lazy: bool = False
    declared: set[str] = field(default_factory=set)
    watched: list[dict[str, Value]] = field(default_factory=list)
    jumped: list[list[dict[str, Value]]] = field(default_factory=list)
    same: frozenset[str] = frozenset()
    shared: set[str] = field(default_factory=set)
    own: frozenset[str] = frozenset()
    body: Sequence[ast.stmt] = ()
    rebound: dict[str, Obj] = field(default_factory=dict)
    texts: Mapping[str, frozenset[str]] = field(default_factory=dict)


def merged(ends: Iterable[dict[str, Value]]) -> dict[str, Value]:
    """Return what names may stand for after any of several ways."""
    first, *others = ends
    found = dict(first)
    for end in others:
        for name, value in end.items():
            held = found.get(name)
            if value is held:
                continue
            if not held:
                found[name] = value
            elif value:
                found[name] = held | value
    return found


def look_up(an: Interpreter, name: str, scope: Scope) -> Value:
    """Return what a name stands for."""
    if name == RESULT:
        return frozenset({an.result})
    current: Scope | None = scope
    while current is not None:
        if name in current.local and name not in current.declared:
            if current is not scope:
                current.shared.add(name)
            if name in current.rebound:
                an.read(current.rebound[name], CELL)
            if current is an.top:
                an.read(None, name)
                if scope is not an.top and not scope.outer:
                    an.now.globals |= {name}
                return current.names.get(name, ATOM) | an.given.get(name, ATOM)
            return current.names.get(name, ATOM)
        if name in current.holders:
            (holder,) = an.world.outer(current.holders[name], name)
            an.read(holder, CELL)
            found = an.world.outer(current.cells[name], name) if name in current.cells else ATOM
            return found | frozenset(holder.held(CELL))
        if current.outer is None:
            break
        current = current.outer
    return global_value(an, name, scope, current.module if current is not None else an.world.namespace)


def global_value(an: Interpreter, name: str, scope: Scope, module: Any) -> Value:
    """Return what a name of a module, or else of the builtins, stands for."""
    if is_own(an.world.namespace, module, name):
        if scope is not an.top and module is an.world.namespace and name in an.visible:
            assert an.top is not None
            an.read(None, name)
            an.now.globals |= {name}
            an.top.shared.add(name)
            return an.top.names.get(name, ATOM) | (
                an.world.outer(module[name], name, route=NAMED) if name in module else ATOM
            )
        if name in module:
            an.read(None, name)
            if scope is not an.top:
                an.now.globals |= {name}
    given = an.given.get(name, ATOM) if module is an.world.namespace else ATOM
    if name in module:
        return given | an.world.outer(module[name], name, route=NAMED if module is an.world.namespace else ELSEWHERE)
    return given if hasattr(builtins, name) else given | unknown_name(an, name)


def unknown_name(an: Interpreter, name: str) -> Value:
    """Return what stands for a name that has no value yet: any object of the notebook."""
    if name not in an.unknowns:
        an.unknowns[name] = Obj(Origin.OUTER, name, whole=False)
    return frozenset({an.unknowns[name]})


def live_object(an: Interpreter, name: str, scope: Scope) -> Any:
    """Return the live object of a global name or builtin, or MISSING where the code gives the name itself."""
    current: Scope | None = scope
    while current is not None:
        if name in current.local and name not in current.declared:
            return MISSING
        if name in current.cells:
            return current.cells[name]
        if current.outer is None:
            break
        current = current.outer
    module = current.module if current is not None else an.world.namespace
    if module is an.world.namespace and (name in an.visible or name in an.given):
        return MISSING
    return module.get(name, getattr(builtins, name, MISSING))
