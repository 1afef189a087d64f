"""Decide which loops can be taken out of a function: nobody else may see what they do with its names."""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from concompare.cells import alias
from concompare.cells.frame import Frame, frame_of
from concompare.cells.ir import OURS, Analysed, Loop
from concompare.cells.objects import Obj, reachable
from concompare.cells.syntax import names
from concompare.cells.syntax.definitions import definitions_of_file


@dataclass(frozen=True)
class Taken:
    """What is done between two values of a generator: containers that change, and names that are given values."""

    into: list[Any]
    names: frozenset[str]


def can_be_taken(loop: Loop, function: types.FunctionType, definition: names.FunctionNode) -> bool:
    """Tell whether a loop does with a function's names what it would do with the notebook's."""
    node, code = loop.node, function.__code__
    if not is_known(loop) or names.kinds_in(node) & {ast.Await, ast.AsyncFor, ast.AsyncWith}:
        return False
    if isinstance(node, ast.expr) and ast.NamedExpr in names.kinds_in(node):
        return False
    parts = names.nodes_in(node)
    if any(isinstance(part, (ast.Global, ast.Nonlocal)) or is_bare_super(part) for part in parts):
        return False
    written, read = names.writes(node), names.reads(node)
    if written & captured(definition, loop) or written - {*code.co_varnames, *code.co_cellvars}:
        return False
    cells = read & {*code.co_cellvars, *code.co_freevars}
    return not cells & rebound(function, definition)


def is_known(loop: Loop) -> bool:
    """Tell whether a loop is of a form that can go on as it was written."""
    node = loop.node
    if loop.caller is not None or loop.method is not None:
        return True
    if isinstance(node, ast.For):
        return loop.items is node.iter or loop.kind == "map"
    return isinstance(node, (ast.While, *names.COMPREHENSIONS)) or loop.plainly is not None or loop.kind == "map"


def is_bare_super(node: ast.AST) -> bool:
    """Tell whether this asks for the class around, which only the method itself knows."""
    return isinstance(node, ast.Name) and node.id in ("super", "__class__")


def captured(definition: names.FunctionNode, loop: Loop) -> set[str]:
    """Return the names that functions inside a function, but outside of a loop of it, take from it."""
    own = {definition, *names.nodes_in(loop.node)}
    found: set[str] = set()
    for part in names.nodes_in(definition):
        if part not in own and isinstance(part, names.FUNCTIONS):
            found |= names.free_names(part).keys()
        elif part not in own and isinstance(part, (ast.GeneratorExp, ast.ClassDef)):
            found |= names.reads(part)
    return found


def rebound(function: types.FunctionType, definition: names.FunctionNode) -> set[str]:
    """Return the names that another function may give a value by `nonlocal`."""
    trees: list[ast.AST] = [definition]
    if function.__code__.co_freevars:
        trees += [part for parts in definitions_of_file(function.__code__.co_filename).values() for part in parts]
    return {
        name for tree in trees for part in names.nodes_in(tree) if isinstance(part, ast.Nonlocal) for name in part.names
    }


def keeps_function(analysed: Analysed) -> bool:
    """Tell whether a function or generator that a loop makes is left when it has ended: it would see other names."""
    found = {obj for value in analysed.values.values() for obj in value if obj.outer}
    written = [place.obj for effects in analysed.effects.values() for place in effects.writes]
    found |= {obj for obj in written if obj is not None and obj.outer}
    if not analysed.loop.collects:
        found |= {obj for value in analysed.bound.values() for obj in value}
    roots = [obj for obj in found if obj.outer or not analysed.loop.collects]
    return any(isinstance(obj.code, tuple) or is_generator(obj) for obj in reachable(roots))


def is_generator(obj: Obj) -> bool:
    """Tell whether an object may be a generator: a `zip` sees no names."""
    return obj.lazy is not None and (obj.types is None or types.GeneratorType in obj.types)


def is_seen(analysed: Analysed, taken: Taken, namespace: Mapping[str, Any], yielded: Any) -> bool:
    """Tell whether a loop can tell when its values are taken, or whoever takes them what the loop has done."""
    frame = frame_of(namespace)
    own = frame.local if frame is not None else frozenset[str]()
    effects = analysed.effects.values()
    changed = [thing for part in effects for place in part.writes if place.obj is not None for thing in place.obj.live]
    if any(part.order for part in effects) or any(thing is not yielded for thing in changed):
        return True
    seen = {name for part in effects for name in part.globals} | names.reads(*analysed.loop.body)
    if (seen - own) & taken.names:
        return True
    read = [place.obj for part in effects for place in part.reads if place.obj is not None]
    read += [obj for part in effects for obj in part.deep]
    things = [thing for obj in read for thing in obj.live]
    return alias.overlap([], taken.into, [*things, *(namespace[name] for name in own if name in namespace)], namespace)


def gives_value_read(analysed: Analysed, frame: Frame) -> bool:
    """Tell whether a function that a loop calls gives a global name another value, which the loop itself reads."""
    places = [place for part in analysed.effects.values() for place in part.writes if place.obj is None]
    written = {place.field for place in places if not place.field.startswith(OURS)}
    return bool((written - frame.local) & names.reads(*analysed.loop.body))
