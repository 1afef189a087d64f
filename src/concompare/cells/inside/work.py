"""Find functions that hold work: a loop with a call that may take long, in themselves or in a function they call."""

from __future__ import annotations

import ast
import builtins
import functools
import types
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from concompare.cells.decorated import meant_by
from concompare.cells.effects.live import MISSING, World, definition_of, static
from concompare.cells.forms import finding, joined, known_pools
from concompare.cells.forms.streams import name_of
from concompare.cells.ir import Loop
from concompare.cells.syntax import names

DEEPEST = 5
"""Functions that are followed one inside the other."""
POOLS = frozenset({*known_pools.NAMES, "get_context"}) - {"Thread", "Process"}
"""Names of what makes pools."""
LIGHT = frozenset(
    name for kind in (list, dict, set, str, bytes, tuple, int, float) for name in dir(kind) if not name.startswith("__")
) | frozenset(["popleft", "appendleft", "most_common", "item", "tolist", "write", "strip"])
"""Methods of containers and text: a loop that calls nothing else has no work."""
GENERATOR = 32
"""Flag of the code of generators."""
REFLECTING = frozenset(["locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe", "inspect"])
"""What shows a function its own frame, which is another one when its loops are lifted."""


def makes_pool(definition: names.FunctionNode) -> bool:
    """Tell whether a function may make a pool, as far as the names of what it calls tell."""
    calls = [part for part in names.nodes_in(definition) if isinstance(part, ast.Call)]
    return any(name_of(call.func) in POOLS for call in calls)


def simple_function(thing: Any) -> types.FunctionType | None:
    """Return the Python function that a call of something runs, or None."""
    while isinstance(thing, (types.MethodType, functools.partial)):
        thing = thing.__func__ if isinstance(thing, types.MethodType) else thing.func
    if not isinstance(thing, types.FunctionType):
        thing = static(type(thing), "__call__")
    return meant_by(thing) if isinstance(thing, types.FunctionType) else None


class Work:
    """Tells which functions hold work, as far as their source and the live objects show.

    Args:
        world: The notebook.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: dict[types.CodeType, bool] = {}
        self.worlds = {id(world.namespace): world}

    def holds(self, function: types.FunctionType, depth: int = 0) -> bool:
        """Tell whether a function of the user's holds work."""
        code = function.__code__
        if code not in self.found:
            self.found[code] = False  # it may call itself
            if depth < DEEPEST and self.world.is_user(function):
                definition = definition_of(code, function.__name__)
                self.found[code] = definition is not None and self.in_body(function, definition, depth)
        return self.found[code]

    def in_body(self, function: types.FunctionType, definition: names.FunctionNode, depth: int) -> bool:
        """Tell whether the body of a function holds work."""
        if isinstance(definition, ast.AsyncFunctionDef) or reflects(definition):
            return False
        if joined.windows_of(body_of(definition)) or makes_pool(definition):
            return True
        loops = loops_of(definition, function)
        if any(self.is_heavy(loop, function) for loop in loops):
            return True
        return any(self.may_hold(call.func, function, depth + 1) for call in calls_outside(body_of(definition), loops))

    def may_hold(self, node: ast.expr, function: types.FunctionType, depth: int) -> bool:
        """Tell whether what a function calls may hold work."""
        if isinstance(node, ast.Lambda):
            return bool(finding.loops_in(body_of(node), shadowed_in(function)))
        return any(thing is MISSING or self.holds(thing, depth) for thing in self.meant(node, function))

    def world_of(self, function: types.FunctionType) -> World:
        """Return what knows the classes that a function's module knows."""
        module = function.__globals__
        if id(module) not in self.worlds:
            self.worlds[id(module)] = World(module)
        return self.worlds[id(module)]

    def meant(self, node: ast.expr, function: types.FunctionType) -> list[Any]:
        """Return the functions that an expression may stand for; MISSING: one of the function's own names."""
        if isinstance(node, ast.Name):
            thing = named_in(function, node.id)
            if thing is MISSING:
                return [MISSING] if node.id in local_names(function.__code__) else []
            found = simple_function(thing)
            return [found] if found is not None else []
        if not isinstance(node, ast.Attribute):
            return []
        holder = live(node.value, function)
        if holder is not MISSING:
            kind = holder if isinstance(holder, type) else type(holder)
            thing = getattr(holder, "__dict__", {}).get(node.attr, static(kind, node.attr))
            found = simple_function(getattr(thing, "__func__", thing))
            return [found] if found is not None else []
        methods = [*self.world.methods(node.attr), *self.world_of(function).methods(node.attr)]
        things = [simple_function(getattr(thing, "__func__", thing)) for _, thing in methods]
        return [thing for thing in things if thing is not None]

    def loops_heavy(self, function: types.FunctionType) -> bool:
        """Tell whether a loop of a function itself calls something that may take long."""
        definition = definition_of(function.__code__, function.__name__)
        loops = loops_of(definition, function) if isinstance(definition, ast.FunctionDef) else []
        return any(self.is_heavy(loop, function) for loop in loops)

    def is_heavy(self, loop: Loop, function: types.FunctionType) -> bool:
        """Tell whether a loop calls something that may take long."""
        if isinstance(loop.node, ast.expr) and loop.kind not in ("comprehension", "map"):
            return True
        parts = [part for statement in loop.body for part in names.nodes_in(statement)]
        if any(isinstance(part, ast.Call) and not is_light(part.func, function) for part in parts):
            return True
        return isinstance(loop.node, ast.For) and self.is_given_work(loop.node.iter, function)

    def is_given_work(self, node: ast.expr, function: types.FunctionType) -> bool:
        """Tell whether what is walked comes from a generator function whose loop does work."""
        if not isinstance(node, ast.Call):
            return False
        made = [thing for thing in self.meant(node.func, function) if isinstance(thing, types.FunctionType)]
        if any(thing.__code__.co_flags & GENERATOR and self.loops_heavy(thing) for thing in made):
            return True
        return any(self.is_given_work(part, function) for part in node.args)


def is_light(node: ast.expr, function: types.FunctionType) -> bool:
    """Tell whether a call is sure to be over soon: of a builtin, or of a method that containers and text have."""
    if isinstance(node, ast.Attribute):
        return node.attr in LIGHT
    if not isinstance(node, ast.Name):
        return False
    thing = named_in(function, node.id)
    if thing is MISSING:
        return hasattr(builtins, node.id) and node.id not in local_names(function.__code__)
    return isinstance(thing, (type, types.BuiltinFunctionType)) and thing.__module__ == "builtins"


def live(node: ast.expr, function: types.FunctionType) -> Any:
    """Return the live object of a dotted name whose parts modules and classes hold themselves, or MISSING."""
    if isinstance(node, ast.Name):
        return named_in(function, node.id)
    if isinstance(node, ast.Attribute):
        holder = live(node.value, function)
        return vars(holder).get(node.attr, MISSING) if isinstance(holder, (types.ModuleType, type)) else MISSING
    return MISSING


def named_in(function: types.FunctionType, name: str) -> Any:
    """Return what a function's closure or module has under a name, or MISSING."""
    code = function.__code__
    if name in code.co_freevars:
        try:
            return (function.__closure__ or ())[code.co_freevars.index(name)].cell_contents
        except ValueError:
            return MISSING
    return MISSING if name in local_names(code) else function.__globals__.get(name, MISSING)


def local_names(code: types.CodeType) -> frozenset[str]:
    """Return the names that only a function sees, and those of the functions around it that it uses."""
    return frozenset((*code.co_varnames, *code.co_cellvars, *code.co_freevars))


def body_of(definition: names.FunctionNode) -> list[ast.stmt]:
    """Return the statements of a function."""
    return [ast.Expr(definition.body)] if isinstance(definition, ast.Lambda) else definition.body


def shadowed_in(function: types.FunctionType) -> frozenset[str]:
    """Return the names of builtins that mean something else in a function."""
    known = vars(builtins).keys()  # fewer than a notebook may have names
    return frozenset((known & local_names(function.__code__)) | (known & function.__globals__.keys()))


def loops_of(definition: names.FunctionNode, function: types.FunctionType) -> list[Loop]:
    """Return the loops of a function, found once for each set of shadowed names."""
    kept: dict[frozenset[str], list[Loop]] = definition.__dict__.setdefault("concompare_loops", {})
    shadowed = shadowed_in(function)
    if shadowed not in kept:
        kept[shadowed] = finding.loops_in(body_of(definition), shadowed)
    return kept[shadowed]


def reflects(definition: names.FunctionNode) -> bool:
    """Tell whether a function may look at its own frame."""
    words = {getattr(part, "id", None) or getattr(part, "attr", None) for part in names.nodes_in(definition)}
    return bool(words & REFLECTING)


def calls_outside(nodes: Sequence[ast.AST], loops: Collection[Loop]) -> Iterator[ast.Call]:
    """Yield the calls that code makes once: not those in loops, comprehensions and definitions."""
    walked = {id(loop.node): loop.items for loop in loops}
    waiting = [*reversed(nodes)]
    while waiting:
        node = waiting.pop()
        if id(node) in walked or isinstance(node, (ast.For, ast.While, *names.COMPREHENSIONS)):
            items = walked[id(node)] if id(node) in walked else getattr(node, "iter", None)
            waiting += [items] if items is not None else []
        elif not isinstance(node, finding.DEFINITIONS):
            if isinstance(node, ast.Call):
                yield node
            waiting += reversed(names.children_of(node))


__all__ = ["DEEPEST", "Work", "loops_of", "simple_function"]
