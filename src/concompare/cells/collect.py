"""The notebook's side of a comprehension, map or call: its values, in the place of the expression."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from concompare.cells import names
from concompare.cells.bind import ITEM_NAME, PLACE, Items, Program, compiled, run, run_rest
from concompare.cells.loops import RESULT, located


class Collect:
    """The notebook's side of a comprehension, map or call: collects values, and puts them in the expression's place."""

    def __init__(self, program: Program, namespace: dict[str, Any], items: Items) -> None:
        self.program, self.namespace, self.items = program, namespace, items
        self.shape = program.loop.shape
        self.result: list[Any] = []
        self.made: Any = {"set": set, "dict": dict}.get(self.shape, list)()
        self.names = program.parts.carried
        self.position = 0
        self.broken = False
        self.bar: Any = None
        tail = program.tail()
        self.direct = len(tail) == 1 and is_plain_append(tail[0], self.names) and not program.by_name
        self.replay = None if self.direct else self.replaying(tail)
        self.insert = self.inserter() if self.shape in ("set", "dict") else None

    def replaying(self, tail: list[ast.stmt]) -> Callable[..., Any]:
        """Compile the tail as a function, for the names of a comprehension are its own."""
        target, place = self.program.loop.target, tail[0]
        arguments = [RESULT, ITEM_NAME, *self.names]
        bound: list[ast.stmt] = []
        if self.program.loop.kind != "call":
            bound = [ast.Assign([target], ast.Name(ITEM_NAME, ast.Load()))]
        args = ast.arguments(
            [], [ast.arg(name) for name in arguments], None, [], [], None, [ast.Constant(None) for _ in self.names]
        )
        made = ast.FunctionDef("tail", args, [*bound, *tail], [], None)
        module = ast.fix_missing_locations(ast.Module([located(made, place)], []))
        made.lineno = 1  # IPython counts the lines of "<module>" from co_firstlineno
        code = compiled(module, self.program.filename, "exec", self.namespace)
        inner = next(part for part in code.co_consts if isinstance(part, types.CodeType))
        function = types.FunctionType(inner.replace(co_name="<module>"), self.namespace, "tail")
        function.__defaults__ = (None,) * len(self.names)
        return function

    def inserter(self) -> Callable[[Any, Any], None]:
        """Return what puts a value into the set or dict, at the line of the comprehension."""
        text = "made.add(part)" if self.shape == "set" else "made[part[0]] = part[1]"
        tree = ast.parse(f"def insert(made, part):\n    {text}")
        for node in ast.walk(tree):
            located(node, self.program.loop.node)
            if isinstance(node, ast.Attribute):
                node.end_lineno, node.end_col_offset = node.lineno, node.col_offset
        code = compile(tree, self.program.filename, "exec", dont_inherit=True)
        inner = next(part for part in code.co_consts if isinstance(part, types.CodeType))
        return types.FunctionType(inner.replace(co_name="<module>"), {})

    def apply(self, position: int, value: Any) -> bool:
        """Collect the values of one item; True: the consumer would stop here."""
        self.position = position + 1
        if self.bar is not None:
            self.bar.update(1)
        before = len(self.result)
        item = self.items.take(position)
        try:
            if self.replay is None:
                self.result.append(value)
            elif self.program.by_name:
                self.replay(self.result, item, **value)
            elif len(self.names) == 1:
                self.replay(self.result, item, value)
            else:
                self.replay(self.result, item, *(value or ()))
            if self.insert is not None:
                for part in self.result[before:]:
                    self.insert(self.made, part)
            return self.stops(before)
        except BaseException:
            self.broken = True
            raise

    def stops(self, before: int) -> bool:
        """Tell whether the consumer takes nothing after the values from `before` on."""
        stops = self.program.loop.stops
        if stops is None:
            return False
        fresh = self.result[before:]
        return bool(fresh) if stops == "next" else any(bool(value) is (stops == "any") for value in fresh)

    def value(self) -> Any:
        """Return what stands in the expression's place."""
        if self.shape == "one":
            return self.result[0]
        if self.program.loop.lazy:
            return (value for value in self.result)
        return self.result if self.shape == "list" else self.made

    def finish(self, found: Mapping[str, Any]) -> Any:
        """Put the values in the expression's place and run the statement and what follows it."""
        self.namespace[PLACE] = self.value()
        try:
            return run_rest(self.program, self.namespace, self.program.after)
        finally:
            self.clean()

    def fail(self, found: Mapping[str, Any]) -> None:
        """An item raised: a consumer that takes values one by one still takes those before it."""
        error = sys.exc_info()[1]
        if self.broken or not self.program.loop.lazy or not isinstance(error, Exception):
            self.clean()
            return

        def values() -> Iterator[Any]:
            yield from self.result
            raise error

        self.namespace[PLACE] = values()
        trace = error.__traceback__
        try:
            run(self.program.after[:1] or self.last_statement(), self.namespace, self.program.filename)
        except BaseException as raised:
            if raised is not error:
                raise
        finally:
            error.with_traceback(trace)
            self.clean()

    def last_statement(self) -> list[ast.stmt]:
        """Return the final expression as a statement."""
        last = self.program.last
        return [located(ast.Expr(last), last)] if last is not None else []

    def clean(self) -> None:
        """Take our own names out of the notebook."""
        self.namespace.pop(PLACE, None)
        if self.bar is not None:
            self.bar.close()


def is_plain_append(statement: ast.stmt, carried: list[str]) -> bool:
    """Tell whether a tail only collects the one value that the head gives back."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call) or len(carried) != 1:
        return False
    call = statement.value
    argument = call.args[0]
    appends = isinstance(call.func, ast.Attribute) and call.func.attr == "append"
    return appends and isinstance(argument, ast.Name) and argument.id == carried[0]


def replaced(statement: ast.stmt, node: ast.AST, name: str) -> ast.stmt:
    """Return a copy of a statement with a name in the place of one expression."""
    stand_in = located(ast.Name(name, ast.Load()), node)
    return names.copied(statement, lambda part: stand_in if part is node else None)
