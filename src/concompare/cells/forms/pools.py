"""Parallel code that a cell has already: where it makes executors and pools, and what of it cannot be put off."""

from __future__ import annotations

import ast
import itertools
import types
from collections.abc import Mapping
from typing import Any

from concompare.cells.forms import known_pools
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

SOME = 10
"""Elements of a container that are looked at."""
LONG = 60
"""Seconds that nobody waits for: a time-out like this only lets the cell be interrupted."""
ASKING = frozenset({"cancel", "cancelled", "done", "running", "ready", "successful", "is_alive"})
"""Methods that tell how far a call is by now."""
WAITING = frozenset([
    *("sleep", "run_in_executor", "wrap_future", "to_thread", "Manager", "Pipe", "Timer"),
    *("Event", "Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "JoinableQueue", "Condition", "Barrier"),
    *("Semaphore", "BoundedSemaphore"),
])  # fmt: skip
"""What lets the cell wait for its calls without asking for a result."""


def makers(tree: ast.Module, namespace: Mapping[str, Any]) -> list[ast.expr]:
    """Return the functions and classes that the cell calls, outside of definitions, and that may make a pool."""
    given = {name: name for name in names.writes(*tree.body)} | imported(tree)
    found: list[ast.expr] = []
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Call) and may_make(node.func, given, namespace):
            found.append(node.func)
        stack += names.children_of(node)
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def imported(tree: ast.Module) -> dict[str, str]:
    """Return what the imports of a cell call something else, by the name that they give it."""
    parts = [part for part in names.nodes_in(tree) if isinstance(part, ast.ImportFrom)]
    return {alias.asname: alias.name for part in parts for alias in part.names if alias.asname}


def may_make(func: ast.expr, given: Mapping[str, str], namespace: Mapping[str, Any]) -> bool:
    """Tell whether a function that is called may be one that makes a pool; the run looks at the object itself.

    Args:
        func: The function.
        given: What the cell gives values, with the name that an import takes it from.
        namespace: The notebook.
    """
    if isinstance(func, ast.Attribute):
        holder = (
            namespace.get(func.value.id) if isinstance(func.value, ast.Name) and func.value.id not in given else None
        )
        if isinstance(holder, types.ModuleType):
            return known_pools.kind_of(vars(holder).get(func.attr)) is not None
        return func.attr in known_pools.NAMES
    if not isinstance(func, ast.Name):
        return False
    if func.id in given:
        return given[func.id] in known_pools.NAMES
    return known_pools.kind_of(namespace.get(func.id)) is not None


def stand_in(node: ast.expr, number: int, hook: str) -> ast.expr:
    """Return the expression of what the cell calls in the place of something that may make a pool."""
    given: list[ast.expr] = [located(ast.Constant(number), node), node]
    return located(ast.Call(located(ast.Name(hook, ast.Load()), node), given, []), node)


def holds(node: ast.AST, found: list[ast.expr]) -> bool:
    """Tell whether a node contains one of some others."""
    return any(part in found for part in names.nodes_in(node))


def is_delayed(node: ast.AST) -> bool:
    """Tell whether a node only makes calls for joblib, one for each item."""
    made = node.elt if isinstance(node, (ast.ListComp, ast.GeneratorExp)) else None
    func = made.func.func if isinstance(made, ast.Call) and isinstance(made.func, ast.Call) else None
    return (func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")) == "delayed"


def urgent(tree: ast.Module, namespace: Mapping[str, Any]) -> str | None:
    """Return why the calls of a cell cannot wait until their results are asked for, or None."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        why = why_urgent(node, namespace)
        if why is not None:
            return f"{why} (line {node.lineno})"  # type: ignore[attr-defined]
        stack += names.children_of(node)
    return None


def why_urgent(node: ast.AST, namespace: Mapping[str, Any]) -> str | None:
    """Return what in a node depends on how far the calls are, or waits for them in a way that nobody sees."""
    if isinstance(node, (ast.While, ast.Await, ast.AsyncFor, ast.AsyncWith)):
        return "something waits"
    if isinstance(node, ast.Name) and node.id in namespace:
        thing = namespace[node.id]
        return f"`{node.id}` ties calls to each other" if known_pools.ties(thing) and not is_handle(thing) else None
    if isinstance(node, names.COMPREHENSIONS):
        own = set().union(*[names.stored(part.target) for part in node.generators])
        made = [part for part in names.nodes_in(node) if isinstance(part, ast.Lambda)]
        late = any(own & names.free_names(part).keys() for part in made)
        return "a function reads what changes from item to item" if late else None
    if not isinstance(node, ast.Call):
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in WAITING:
        return f"`{name}`"
    if isinstance(node.func, ast.Attribute) and name in ASKING and not node.args:
        return f"`.{name}()` asks how far a call is"
    given = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
    given += node.args[:1] if name in ("result", "exception") else []
    if not all(map(is_long, given)):
        return "the time-out depends on when a call begins"
    if any(part.arg == "return_when" and "ALL_COMPLETED" not in ast.unparse(part.value) for part in node.keywords):
        return "`return_when` depends on which call ends first"
    return None


def is_long(node: ast.expr) -> bool:
    """Tell whether a time-out is none, or so long that it does not matter."""
    return isinstance(node, ast.Constant) and (
        node.value is None or (isinstance(node.value, (int, float)) and node.value >= LONG)
    )


def concerns(node: ast.AST, items: Any, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a loop handles futures, threads or pools, so that it runs as it is: their calls are the work."""
    read = {part.id for part in names.nodes_in(node) if isinstance(part, ast.Name)}
    return is_handle(items) or any(is_handle(namespace[name]) for name in read if name in namespace)


def is_handle(thing: Any, depth: int = 3) -> bool:
    """Tell whether an object is a future, a thread or a pool, or a container that begins with one."""
    kind = type(thing)
    own = [base for base in kind.__mro__ if known_pools.package_of(base) in known_pools.PACKAGES]
    if any(base.__name__ in known_pools.HANDLES for base in own):
        return True
    if kind is types.MethodType:
        return is_handle(thing.__self__, 0)
    if not depth or kind not in (list, tuple, dict, set):
        return False
    parts = [*thing.items()] if kind is dict and len(thing) < SOME else [*itertools.islice(thing, SOME)]
    return any(is_handle(part, depth - 1) for part in parts)
