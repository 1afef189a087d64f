"""Iterators whose items are tied to the walk itself, as lists: groups of `itertools.groupby`, folders of `os.walk`.

A group is gone when the next one is asked for, and `os.walk` looks at a list of folders again that the body may have
changed. Where the body takes the whole group at one place, or changes the folders by statements of its own at its
beginning, all items can be had before the first is computed, and each stands alone.
"""

from __future__ import annotations

import ast
import collections
import inspect
import itertools
import os
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from concompare.cells.ir import OURS, Loop, Order
from concompare.cells.replay.binding import Lifted
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

ITEMS = OURS + "listed"
MOST = 100_000
"""Elements of all groups together."""
FOLDERS = 10_000
WALKS, ARGUMENTS = ("walk", "_walk"), ("top", "topdown", "onerror", "followlinks")
TAKING = frozenset(["list", "tuple", "sorted", "set", "frozenset", "sum", "min", "max", "any", "all", "dict"])
"""Builtins that take the elements of their first argument one by one, once."""
ENDING = frozenset({ast.Break, ast.Return, ast.Yield, ast.YieldFrom, ast.Await})
SCOPES = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
TOUCHING = frozenset({Order.FILES, Order.ONE_FILE, Order.APPENDS, Order.PROGRAMS, Order.PROCESS})
LOOKING = frozenset({"len", "sorted", "list", "tuple", "set", "print", "str", "repr", "sum", "enumerate", "reversed"})
"""Builtins that leave their argument as it is."""
CALM = LOOKING | frozenset({"startswith", "endswith", "lower", "upper", "sort", "fnmatch", "match", "search"})


@dataclass
class Listed:
    """A loop over a list of what an iterator gives.

    Attributes:
        loop: The loop; `items`: the list.
        again: What the plain loop walks, from the items that are left.
        touching: Its items have to be left in peace on disk meanwhile.
        group: The name of a group, and what it stands for when its turn is over.
        whole: All that the iterator gives is in the list.
    """

    loop: Loop
    items: list[Any]
    again: Callable[[Any], Any]
    touching: bool = False
    group: tuple[str, Any] | None = None
    whole: bool = True

    def left(self, namespace: dict[str, Any]) -> None:
        """Give the name of a group what the plain loop leaves there: one that has nothing more to give."""
        if self.group is not None and any(namespace.get(self.group[0]) is part for _, part in self.items):
            namespace[self.group[0]] = self.group[1]

    def keeps_still(self, lifted: Lifted) -> bool:
        """Tell whether nothing of a loop may show that all was found before."""
        return not self.touching or not any(TOUCHING & part.order for part in lifted.staged.analysed.effects.values())


def listed(loop: Loop, items: Any, namespace: Mapping[str, Any], harmless: Callable[[Loop], bool]) -> Listed | None:
    """Return a loop over a list instead of an iterator that is tied to it, or None.

    Args:
        loop: The loop.
        items: What it walks.
        namespace: The notebook's names.
        harmless: Tells whether all items may be found before the first is computed.
    """
    if not isinstance(loop.items, ast.Call) or not isinstance(loop.node, (ast.For, *names.COMPREHENSIONS)):
        return None
    if type(items) is itertools.groupby:
        return groups(loop, items) if takes_whole(loop, namespace) and harmless(loop) else None
    if isinstance(items, types.GeneratorType) and items.gi_code.co_filename == os.walk.__code__.co_filename:
        own = items.gi_code.co_name in WALKS and inspect.getgeneratorstate(items) == inspect.GEN_CREATED
        return folders(loop, items, namespace) if own else None
    return None


# -------------------------------------------------------------------------------------------------------------- groups


def takes_whole(loop: Loop, namespace: Mapping[str, Any]) -> bool:
    """Tell whether the body takes each group at one place, all of it, once."""
    target = loop.target
    if not isinstance(target, ast.Tuple) or len(target.elts) != 2 or not isinstance(target.elts[1], ast.Name):
        return False
    word = target.elts[1].id
    if word in names.stored(target.elts[0]) | names.writes(*loop.body):
        return False
    if any(not ENDING.isdisjoint(names.kinds_in(part)) for part in loop.body):
        return False
    uses = [use for part in loop.body for use in uses_of(word, part, ())]
    return len(uses) == 1 and is_taken(uses[0], namespace)


def uses_of(word: str, node: ast.AST, above: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, ...]]:
    """Yield the places of a name, each with what is around it, outermost first."""
    if isinstance(node, ast.Name) and node.id == word:
        yield (*above, node)
        return
    for part in names.children_of(node):
        yield from uses_of(word, part, (*above, node))


def is_taken(path: tuple[ast.AST, ...], namespace: Mapping[str, Any]) -> bool:
    """Tell whether a group is taken to its end at a place that each turn comes to at most once."""
    *above, node = path
    around = above[-1] if above else node
    outer = above[:-1]
    if isinstance(around, ast.comprehension):
        made = outer[-1]
        first = isinstance(made, names.COMPREHENSIONS) and made.generators[0] is around and around.iter is node
        outer = outer[:-1]
        if (
            not first
            or around.is_async
            or (isinstance(made, ast.GeneratorExp) and not is_taker(outer[-1:], made, namespace))
        ):
            return False
    elif isinstance(around, ast.For):
        if around.iter is not node:
            return False
    elif not is_taker([around], node, namespace):
        return False
    return not any(isinstance(part, (ast.For, ast.While, *names.COMPREHENSIONS, *SCOPES)) for part in outer)


def is_taker(around: Sequence[ast.AST], node: ast.AST, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a call takes all of its first argument, or what it wants of it, once."""
    call = around[0] if around else None
    if not isinstance(call, ast.Call) or not call.args or call.args[0] is not node:
        return False
    func = call.func
    if isinstance(func, ast.Attribute):
        return func.attr == "join" and isinstance(func.value, ast.Constant)
    if not isinstance(func, ast.Name):
        return False
    counter = namespace.get(func.id) is collections.Counter
    return counter or (func.id in TAKING and func.id not in namespace)


def groups(loop: Loop, items: Any) -> Listed:
    """Return a loop over the groups, each as a list."""
    assert isinstance(loop.target, ast.Tuple)
    assert isinstance(loop.target.elts[1], ast.Name)
    found: list[tuple[Any, list[Any]]] = []
    count, group = 0, None
    errors: list[BaseException] = []
    try:
        for key, group in items:
            found.append((key, []))
            for element in group:
                found[-1][1].append(element)
                count += 1
            if count > MOST:
                break
    except Exception as error:  # the plain loop meets it in its turn
        errors.append(error)

    def again(left: Any) -> Any:
        more = [] if count <= MOST or errors else [items]
        return itertools.chain(regrouped(left, errors), *more)

    word = (loop.target.elts[1].id, group)
    whole = replace(loop, early=True, written=located(ast.Name(ITEMS, ast.Load()), loop.items or loop.node))
    made = Listed(whole, found, again, whole=not errors and count <= MOST)
    made.group = word if isinstance(loop.node, ast.For) else None
    return made


def regrouped(left: Any, errors: list[BaseException]) -> Any:
    """Return groups that were taken as what gives them one by one once more, with the keys that they had."""
    keys: list[Any] = []

    def elements() -> Iterator[Any]:
        for key, part in left:
            for element in part:
                keys.append(key)
                yield element
        for error in errors:
            raise error

    return itertools.groupby(elements(), key=lambda element: keys.pop())


# ------------------------------------------------------------------------------------------------------------- folders


def folders(loop: Loop, items: Any, namespace: Mapping[str, Any]) -> Listed | None:
    """Return a loop over the folders that `os.walk` comes to, after what the body does to these first."""
    target, given = loop.target, {name: items.gi_frame.f_locals.get(name) for name in ARGUMENTS}
    if not isinstance(target, ast.Tuple) or not all(isinstance(part, ast.Name) for part in target.elts):
        return None
    if len(target.elts) != 3 or given.get("onerror") is not None or given.get("topdown") is not True:
        return None
    word = target.elts[1].id  # type: ignore[attr-defined]
    first = list(itertools.takewhile(lambda part: is_pruning(part, word), loop.body))
    rest = loop.body[len(first) :]
    if (
        not rest
        or word in names.writes(*rest)
        or not all(looks(path) for part in rest for path in uses_of(word, part, ()))
    ):
        return None
    read = names.reads(*first) - {word}
    if read & {*names.writes(*rest), *names.stored(target)} or not read <= {*namespace, *LOOKING}:
        return None
    if any(part.id in namespace for node in first for part in called_in(node)):
        return None
    code = compile(ast.fix_missing_locations(ast.Module([names.copied(part) for part in first], [])), "<walk>", "exec")
    found = []
    try:
        for folder in os.walk(**given):
            exec(code, {**namespace, word: folder[1]}) if first else None
            found.append(folder)
            if len(found) > FOLDERS:
                return None
    except Exception:  # the plain loop meets it in its turn
        return None
    whole = replace(loop, items=located(ast.Name(ITEMS, ast.Load()), loop.items or loop.node), body=rest)
    return Listed(whole, found, iter, touching=True)


def called_in(node: ast.stmt) -> Iterator[ast.Name]:
    """Yield the names of functions that a statement calls."""
    for part in names.nodes_in(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            yield part.func


def is_pruning(node: ast.stmt, word: str) -> bool:
    """Tell whether a statement only sorts the list of folders, or puts some of them into it."""
    calls = [part for part in names.nodes_in(node) if isinstance(part, ast.Call)]
    if any(getattr(call.func, "id", getattr(call.func, "attr", "")) not in CALM for call in calls):
        return False
    if isinstance(node, ast.Expr):
        func = node.value.func if isinstance(node.value, ast.Call) else None
        return isinstance(func, ast.Attribute) and func.attr == "sort" and getattr(func.value, "id", "") == word
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or names.kinds_in(node) & {ast.NamedExpr, ast.Lambda}:
        return False
    place = node.targets[0]
    whole = isinstance(place, ast.Subscript) and isinstance(place.slice, ast.Slice) and place.slice.step is None
    return whole and getattr(getattr(place, "value", None), "id", "") == word


def looks(path: tuple[ast.AST, ...]) -> bool:
    """Tell whether the list of folders is only looked at."""
    *above, node = path
    around = above[-1] if above else node
    if isinstance(around, (ast.For, ast.comprehension)):
        return around.iter is node
    if isinstance(around, ast.Call):
        return isinstance(around.func, ast.Name) and around.func.id in LOOKING and node in around.args
    return isinstance(around, (ast.FormattedValue, ast.Compare, ast.If, ast.UnaryOp))
