"""Finds which work calls of a cell need the work of an item before, by running the plain cell with other results.

The compiler is not asked: where the results of one item's work change the arguments of a later item's calls, or whether
they are made, no order of the items but the plain one can make these calls, whoever writes the code.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import re
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cells import plainly, work_calls

CALL, RESULT, ITEM, END = ("_tests_" + word for word in ("call", "result", "item", "end"))
ITEMS = 3
"""Items of each loop whose results are changed, one after the other."""
RUNS = 12
"""Items whose results are changed at most, of all runs of loops together."""
CHANGES: tuple[Callable[[Any], Any], ...] = (lambda value: value + 7, lambda value: value - 1000)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Key = tuple[int, int]
"""A run of a loop, and one of its items; each call outside of all loops is an item of run 0."""
Trace = dict[Key, list[tuple[int, str]]]
"""The calls of each item: line and arguments."""


@dataclass
class Following:
    """Follows a run of a cell; changes the results of one item."""

    changed: Key | None = None
    change: Callable[[Any], Any] | None = None
    trace: Trace = field(default_factory=lambda: defaultdict(list))
    loop: int = -1
    run: int = 0
    item: int = -1
    alone: int = 0
    left: int = 2 * work_calls.MOST

    def begin(self, loop: int) -> bool:
        """Begin an item of a loop, if it is in no other."""
        if self.loop not in (-1, loop) and self.loop % 2:  # the end of a generator, with an even number, does not show
            return True
        if self.loop != loop:
            self.loop, self.run, self.item = loop, self.run + 1, -1
        self.item += 1
        self.trace[self.key()] = []
        return True

    def end(self, loop: int, value: Any = None) -> Any:
        """End a loop."""
        if self.loop == loop:
            self.loop = -1
        return value

    def key(self) -> Key:
        """Return the item that runs."""
        return (self.run, self.item) if self.loop != -1 else (0, self.alone)

    def call(self, name: str, *arguments: Any) -> None:
        """Note a call of a work function."""
        self.left -= 1
        if self.left < 0:
            raise work_calls.Endless
        if self.loop == -1:
            self.alone += 1
        with contextlib.suppress(Exception):
            shown = re.sub(r" at 0x\w+", "", repr(arguments))
            self.trace[self.key()].append((work_calls.line_of_cell(), f"{name}{shown}"))
        if self.is_changed() and self.change is None and name == "fails":
            raise ValueError("another error")

    def result(self, value: Any) -> Any:
        """Return the result of a call."""
        if self.is_changed() and self.change is not None and type(value) in (int, float):
            return self.change(value)
        return value

    def is_changed(self) -> bool:
        """Tell whether the item that runs is the one whose results change."""
        return self.key() == self.changed


class Marked(ast.NodeTransformer):
    """Marks the items of loops and comprehensions."""

    def __init__(self) -> None:
        self.loops = 0

    def number(self, odd: bool) -> int:
        """Return a number for a loop."""
        self.loops += 2
        return self.loops + odd

    def visit_For(self, node: ast.For) -> ast.AST:
        """Mark the items of a loop, and its end."""
        return self.loop(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        """Mark the turns of a loop, and its end."""
        return self.loop(node)

    def loop(self, node: ast.For | ast.While) -> ast.AST:
        number = self.number(odd=True)
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(call(ITEM, number)))
        return ast.copy_location(ast.Try([node], [], [], [ast.Expr(call(END, number))]), node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Mark the items of a comprehension."""
        if not isinstance(node, COMPREHENSIONS):
            return super().generic_visit(node)
        number = self.number(odd=not isinstance(node, ast.GeneratorExp))
        super().generic_visit(node)
        node.generators[0].ifs.insert(0, call(ITEM, number))
        return node if isinstance(node, ast.GeneratorExp) else ast.copy_location(call(END, number, node), node)


def call(name: str, number: int, *more: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [ast.Constant(number), *more], [])


@functools.cache
def codes_of(setup: str, filename: str) -> dict[str, types.CodeType]:
    """Return the codes of the setup's work functions that note their calls and hand their results over."""
    tree = ast.parse(setup)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in work_calls.WORK:
            for part in ast.walk(node):
                if isinstance(part, ast.Return) and part.value is not None:
                    name = ast.copy_location(ast.Name(RESULT, ast.Load()), part.value)
                    part.value = ast.copy_location(ast.Call(name, [part.value], []), part.value)
            names = [part.arg for part in (*node.args.args, node.args.vararg) if part is not None]
            work_calls.placed_first(node, f"{CALL}({node.name!r}, {', '.join(names)})")
    return work_calls.codes_in(tree, filename)


def followed(cell: str, setup: str, following: Following) -> Following:
    """Run a cell plainly, followed."""
    namespace = plainly.fresh(setup)
    tree = ast.fix_missing_locations(Marked().visit(ast.parse(cell)))
    plain = plainly.compiled(setup)
    left = plainly.Left(namespace)
    codes = work_calls.with_codes(namespace, codes_of(setup, plain.co_filename), plain)
    with seen_by(following), codes, plainly.ended(left), contextlib.suppress(Exception):
        plainly.execute(tree, namespace)
    return following


@contextlib.contextmanager
def seen_by(following: Following) -> Iterator[None]:
    """Let the marks of a cell call one that follows it."""
    steps = {CALL: following.call, RESULT: following.result, ITEM: following.begin, END: following.end}
    vars(builtins).update(steps)
    try:
        yield
    finally:
        for name in steps:
            del vars(builtins)[name]


def carried(cell: str, setup: str) -> dict[int, float]:
    """Return for each line the part of its work calls that need the work of an item before."""
    plain = followed(cell, setup, Following()).trace
    bound: set[tuple[Key, int]] = set()
    changes: list[Callable[[Any], Any] | None] = [*CHANGES, *([None] if "fails" in cell else [])]
    lasts = last_items(plain)
    changed = [(run, item) for run, last in lasts.items() for item in range(min(ITEMS, last))]
    for run, item in changed[:RUNS]:
        for change in changes:
            other = followed(cell, setup, Following((run, item), change)).trace
            bound |= {found for found in missed(plain, other) if found[0][0] == run and found[0][1] > item}
    lines = Counter(line for calls in plain.values() for line, _ in calls)
    kept = Counter(plain[key][place][0] for key, place in bound)
    return {line: kept[line] / lines[line] for line in kept}


def last_items(trace: Trace) -> dict[int, int]:
    """Return the last item of each run of a loop."""
    lasts: dict[int, int] = {}
    for run, item in trace:
        lasts[run] = max(item, lasts.get(run, 0))
    return lasts


def missed(plain: Trace, other: Trace) -> Iterator[tuple[Key, int]]:
    """Yield the calls that are not made, or with other arguments, in an item that another run came to the end of."""
    lasts = last_items(other)
    for key, calls in plain.items():
        run, item = key
        if run not in lasts or item > lasts[run]:
            continue  # the loop ended before: workers may have done it all the same
        found = other.get(key, [])
        if item == lasts[run] and found == calls[: len(found)]:
            continue
        left = Counter(found)
        for place, one in enumerate(calls):
            if left[one]:
                left[one] -= 1
            else:
                yield key, place
