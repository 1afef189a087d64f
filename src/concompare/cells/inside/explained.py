"""Explain the loops inside the functions that a cell calls, as far as can be seen before it runs."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.live import MISSING, World, definition_of
from concompare.cells.forms import joined
from concompare.cells.frame import FRAME, Frame
from concompare.cells.inside.cell_calls import name_of
from concompare.cells.inside.variant import variant_of
from concompare.cells.inside.work import DEEPEST, Work, body_of, calls_outside, live, local_names, loops_of
from concompare.cells.ir import Loop
from concompare.cells.replay import binding
from concompare.cells.syntax import names
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.program import Cell, Wishes
    from concompare.cells.replay.binding import Lifted

Found = tuple[str, Loop, "Lifted | CellRefused"]


class Inside:
    """Finds the loops inside the functions that a cell calls.

    Args:
        cell: The cell.
        namespace: The notebook as it will be, as far as that is known.
    """

    def __init__(self, cell: Cell, namespace: dict[str, Any]) -> None:
        self.cell, self.namespace = cell, namespace
        self.work = Work(World(namespace))
        self.seen: set[types.CodeType] = set()
        self.started: list[tuple[str, int]] = []
        """The functions that start threads and join them, and the lines where they start the first."""

    def found(self) -> Iterator[Found]:
        """Yield the function's name and the loop for each, with what it becomes or why it runs as it is."""
        top = types.FunctionType((lambda: None).__code__, self.namespace)
        loops = [loop for loop in self.cell.loops if loop.kind != "call"]
        named_so = self.cell.wishes.inside
        for call in calls_outside(self.cell.tree.body, loops):
            if named_so is not None and name_of(call) != named_so:
                continue
            for function in self.work.meant(call.func, top):
                if isinstance(function, types.FunctionType):
                    yield from self.inside(function, given(call, function, top), 0)

    def inside(self, function: types.FunctionType, known: Mapping[str, Any], depth: int) -> Iterator[Found]:
        """Yield the loops of a function, and of those that it calls."""
        definition = definition_of(function.__code__, function.__name__)
        if function.__code__ in self.seen or depth >= DEEPEST or definition is None or not self.work.holds(function):
            return
        self.seen.add(function.__code__)
        windows = joined.Windows()
        variant = variant_of(function, definition, self.work, windows=windows)
        if windows:
            self.started.append((function.__code__.co_qualname, windows.line))
        namespace = self.names_of(function, definition, known)
        for loop in variant.loops if variant is not None else ():
            yield function.__code__.co_qualname, loop, lifted(loop, namespace, self.cell.wishes, function)
        for call in calls_outside(body_of(definition), loops_of(definition, function)):
            for other in self.work.meant(call.func, function):
                if isinstance(other, types.FunctionType):
                    yield from self.inside(other, given(call, other, function), depth + 1)

    def names_of(
        self, function: types.FunctionType, definition: names.FunctionNode, known: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the names that a loop of a function sees, as far as they are known."""
        code, local = function.__code__, local_names(function.__code__)
        found = {name: thing for name, thing in function.__globals__.items() if name not in local}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if cell != types.CellType():
                found[name] = cell.cell_contents
        for statement in body_of(definition):
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                thing = literal(statement.value)
                found |= {statement.targets[0].id: thing} if thing is not MISSING else {}
        frame = Frame(code.co_name, code.co_qualname, code.co_firstlineno, function.__globals__, local, frozenset())
        return {**found, **known, FRAME: frame}


def given(call: ast.Call, function: types.FunctionType, caller: types.FunctionType) -> dict[str, Any]:
    """Return the arguments of a call that are known before it."""
    parts = {"self": call.func.value} if isinstance(call.func, ast.Attribute) else {}
    receiver = live(parts["self"], caller) if parts else MISSING
    before = [] if receiver is MISSING or isinstance(receiver, types.ModuleType) else [receiver]
    if any(isinstance(part, ast.Starred) for part in call.args) or any(part.arg is None for part in call.keywords):
        return {}
    values = [*before, *[value_of(part, caller) for part in call.args]]
    named = {part.arg: value_of(part.value, caller) for part in call.keywords if part.arg is not None}
    try:
        bound = inspect.signature(function, follow_wrapped=False).bind_partial(*values, **named)
    except (TypeError, ValueError):
        return {}
    bound.apply_defaults()
    return {name: thing for name, thing in bound.arguments.items() if thing is not MISSING}


def value_of(node: ast.expr, caller: types.FunctionType) -> Any:
    """Return the object that an expression gives, if that is known without running anything, or MISSING."""
    thing = live(node, caller)
    return literal(node) if thing is MISSING else thing


def literal(node: ast.expr) -> Any:
    """Return the value of a literal, or MISSING."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return MISSING


def lifted(loop: Loop, namespace: dict[str, Any], wishes: Wishes, function: types.FunctionType) -> Lifted | CellRefused:
    """Return a loop as it can be seen before its function runs, or why it runs as it is."""
    thing = namespace.get(loop.items.id, MISSING) if isinstance(loop.items, ast.Name) else MISSING
    wishes = dataclasses.replace(wishes, filename=function.__code__.co_filename)
    try:
        return binding.lift(
            loop,
            namespace,
            thing,
            filename=wishes.filename,
            source="",
            assume_pure=wishes.assume_pure,
            seeded=wishes.seeded,
            seen=False,
        )
    except CellRefused as refusal:
        return refusal
