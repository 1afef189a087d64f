"""What a loop walks: where its items come from, when they are made, and who may change them."""

from __future__ import annotations

import ast
from typing import Any

from concompare.cells import known, names
from concompare.cells.loops import Loop
from concompare.cells.purity import Analyzer
from concompare.cells.world import MISSING, World, is_iterator


def walked_roots(world: World, loop: Loop) -> frozenset[str]:
    """Return the objects that are walked step by step."""
    analyzer = Analyzer(world)
    with analyzer.fresh():
        return frozenset(root for part in loop.items for root in analyzer.value(part).all)


def copied_roots(world: World, loop: Loop) -> set[str]:
    """Return what the loop walks a copy of, as `list(d)` makes, where only the container itself is changed."""
    found = set()
    for part in loop.items:
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and len(part.args) == 1 and not part.keywords:
            if (
                any(world.object(part.func.id) is kind for kind in (list, tuple, sorted, set, frozenset))
                and part.func.id not in world.definitions
            ):
                found |= names.reads(part.args[0])
        elif isinstance(part, (ast.ListComp, ast.SetComp)):
            found |= names.reads(part)
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Slice) and isinstance(part.value, ast.Name):
            found |= {part.value.id} if type(world.object(part.value.id)) in (list, tuple, str) else set()
    return found


def walks_at(world: World, loop: Loop, root: str, index: str) -> bool:
    """Tell whether the loop walks a container itself, and the index names the element that is walked."""
    node, target = loop.items[0] if len(loop.items) == 1 else None, loop.target
    if isinstance(node, ast.Name) and node.id == root:
        return isinstance(target, ast.Name) and target.id == index and kind_of_name(world, root) is dict
    if not isinstance(node, ast.Call) or node.keywords:
        return False
    pair = (
        isinstance(target, ast.Tuple)
        and len(target.elts) == 2
        and isinstance(target.elts[0], ast.Name)
        and target.elts[0].id == index
    )
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id == root:
        keys = isinstance(target, ast.Name) and target.id == index and node.func.attr == "keys"
        return kind_of_name(world, root) is dict and (keys or (pair and node.func.attr == "items"))
    if isinstance(node.func, ast.Name) and world.object(node.func.id) is enumerate and len(node.args) == 1:
        walked = node.args[0]
        return (
            pair
            and isinstance(walked, ast.Name)
            and walked.id == root
            and kind_of_name(world, root) in (list, "ndarray")
        )
    return False


def kind_of_name(world: World, name: str) -> Any:
    """Return the type of what a name stands for, as far as it matters for walking it."""
    definition = world.definitions.get(name)
    if name in world.definitions:
        return {ast.List: list, ast.ListComp: list, ast.Dict: dict, ast.DictComp: dict}.get(type(definition))
    thing = world.object(name)
    return "ndarray" if type(thing).__module__ == "numpy" and type(thing).__name__ == "ndarray" else type(thing)


def is_lazy(world: World, node: ast.expr) -> bool:
    """Tell whether an iterable may compute its items only as they are taken."""
    for part in ast.walk(node):
        if isinstance(part, ast.GeneratorExp):
            return True
        if isinstance(part, ast.Name):
            thing = world.object(part.id)
            if thing is map or thing is filter or (thing is not MISSING and is_iterator(thing)):
                return True
            code = getattr(thing, "__code__", None)
            if code is not None and code.co_flags & 0x20:
                return True
            definition = world.definitions.get(part.id)
            if definition is not None and any(
                isinstance(inner, (ast.Yield, ast.YieldFrom, ast.GeneratorExp)) for inner in ast.walk(definition)
            ):
                return True
    return False


def walks_atoms(world: World, loop: Loop) -> bool:
    """Tell whether no item can be changed by anybody."""
    return all(gives_atoms(world, part) for part in loop.items)


def gives_atoms(world: World, node: ast.expr) -> bool:
    """Tell whether an iterable surely gives items that nobody can change."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(isinstance(part, ast.Constant) for part in node.elts)
    if isinstance(node, ast.Name):
        thing = world.object(node.id)
        if thing is not MISSING:
            return known.all_atoms(thing)
        definition = world.definitions.get(node.id)
        return isinstance(definition, ast.expr) and gives_atoms(world, definition)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        thing = world.object(node.func.id)
        if thing is range:
            return True
        if any(thing is kind for kind in (enumerate, zip, list, tuple, sorted, set, reversed)) and not node.keywords:
            return (
                all(gives_atoms(world, part) for part in node.args[:1] if thing is enumerate)
                if thing is enumerate
                else all(gives_atoms(world, part) for part in node.args)
            )
        return (
            getattr(thing, "__name__", "") in ("tqdm", "trange")
            and bool(node.args)
            and gives_atoms(world, node.args[0])
        )
    if isinstance(node, ast.ListComp):
        return isinstance(node.elt, (ast.Constant, ast.JoinedStr))
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and gives_atoms(world, node.value)
