"""What a loop walks: where its items come from, when they are made, and who may change them."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable
from itertools import islice
from typing import Any

from concompare.cells import calls, known, names
from concompare.cells.loops import Loop
from concompare.cells.purity import Analyzer
from concompare.cells.values import Value
from concompare.cells.world import MISSING, World, qualified
from concompare.errors import CellRefused

ITEMS = Value(frozenset({"the items"}), frozenset({"the items"}))


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
    for part in names.nodes_in(node):
        if isinstance(part, ast.GeneratorExp):
            return True
        if isinstance(part, ast.Name):
            thing = world.object(part.id)
            if thing is map or thing is filter or calls.is_used_up(Analyzer(world), part):
                return True
            code = getattr(thing, "__code__", None)
            if code is not None and code.co_flags & 0x20:
                return True
            definition = world.definitions.get(part.id)
            if definition is not None and any(
                isinstance(inner, (ast.Yield, ast.YieldFrom, ast.GeneratorExp)) for inner in names.nodes_in(definition)
            ):
                return True
    return False


def refuse_reuse(world: World, loop: Loop, nodes: list[ast.expr]) -> None:
    """Refuse items that change when the next one is made: all are made before the last tail is replayed."""
    for node in nodes:
        for part in names.nodes_in(node):
            if isinstance(part, ast.Call) and called(world, part.func) == "itertools.groupby":
                text = "a group of `groupby` is gone once the next one is taken"
                remedy = "Walk [(k, list(g)) for k, g in groupby(...)]"
                raise CellRefused(f"{text}. {remedy}.", getattr(part, "lineno", loop.line))
            name = part.func.id if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) else ""
            definition = world.definitions.get(name) if name in world.definitions else world.object(name)
            if isinstance(definition, types.FunctionType) and world.is_user(definition):
                definition = world.source(definition)
            if isinstance(definition, ast.FunctionDef) and (again := given_again(definition)) is not None:
                text = f"`{name}` gives the same object `{again}` again and again, changed. Let it give a copy."
                raise CellRefused(text, getattr(part, "lineno", loop.line))


def called(world: World, func: ast.expr) -> str:
    """Return the dotted name of an installed function that a call names, or nothing."""
    if isinstance(func, ast.Name) and (imported := world.imports(func.id)) is not None:
        return imported
    thing = world.part(func)
    return qualified(thing) if thing is not MISSING else ast.unparse(func)


def given_again(definition: ast.FunctionDef) -> str | None:
    """Return the name of an object that a generator gives more than once while changing it, or None."""
    changed = {root for part in names.nodes_in(definition) for root in [changed_name(part)] if root is not None}
    loops = [part for part in names.nodes_in(definition) if isinstance(part, (ast.For, ast.While))]
    gives = [
        part for part in names.nodes_in(definition) if isinstance(part, ast.Yield) and isinstance(part.value, ast.Name)
    ]
    for part in gives:
        assert isinstance(part.value, ast.Name)
        name = part.value.id
        if name not in changed:
            continue
        inside = [loop for loop in loops if any(inner is part for inner in names.nodes_in(loop))]
        if inside and name not in names.writes(
            *inside[-1].body, *([inside[-1].target] if isinstance(inside[-1], ast.For) else [])
        ):
            return name
        if not inside and sum(isinstance(other.value, ast.Name) and other.value.id == name for other in gives) > 1:
            return name
    return None


def changed_name(node: ast.AST) -> str | None:
    """Return the name of the object that a node changes, or None."""
    held: ast.AST | None = None
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
        held = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr not in known.READERS:
        held = node.func.value
    elif isinstance(node, ast.AugAssign):
        held = node.target
    while isinstance(held, (ast.Subscript, ast.Attribute)):
        held = held.value
    return held.id if isinstance(held, ast.Name) else None


def count_of(world: World, items: Any) -> int | None:
    """Return the number of items, where it is known and asking for it does nothing else."""
    method = getattr(type(items), "__len__", None)
    if method is None:
        return None
    if isinstance(method, types.FunctionType) and world.is_user(method):
        analyzer = Analyzer(world)
        with analyzer.fresh() as reading:
            calls.follow(analyzer, method, ast.Constant(None, lineno=1, col_offset=0), [ITEMS])
        if reading.effects:
            return None
    return len(items)


ENOUGH = 100
"""Parts of an item, or items made one by one, that are looked at for iterators."""


def refuse_iterators(items: Iterable[Any], line: int, *, unpacked: bool) -> None:
    """Refuse items that are iterators or open files, or hold some: a worker process would use up a copy.

    Generators cannot be copied, so that only threads take them, which use up the notebook's own.

    Args:
        items: The items.
        line: The line of the loop.
        unpacked: The notebook takes items apart as the workers do, which would use up generators twice.
    """
    kinds = set(map(type, items))
    if inner := {tuple, list, dict} & kinds:
        for item in items:
            if type(item) in inner:
                kinds |= set(map(type, islice(item.values() if type(item) is dict else item, ENOUGH)))
    for kind in kinds:
        if hasattr(kind, "__next__") and (kind is not types.GeneratorType or unpacked):
            text = f"the items are or hold iterators (`{kind.__name__}`), which a worker process would use up as copies"
            raise CellRefused(f"{text}. Make a list of each first.", line)


def walks_atoms(world: World, loop: Loop) -> bool:
    """Tell whether no item can be changed by anybody."""
    return all(gives_atoms(world, part) for part in loop.items)


def gives_atoms(world: World, node: ast.expr) -> bool:
    """Tell whether an iterable surely gives items that nobody can change."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(isinstance(part, ast.Constant) for part in node.elts)
    if isinstance(node, ast.Name):
        thing = world.object(node.id)
        if not world.steady and not known.is_atom(thing):
            return False
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
