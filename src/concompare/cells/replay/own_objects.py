"""Statements that each change an object of their own, such as `farms.grow(4)` and `mines.grow(4)`, as one loop.

Their objects are the items, so what is known of loops that change their items holds for them: that no two share what
changes, and that those after one that raises are left as they are. Nothing between the calls may raise or show.
"""

from __future__ import annotations

import ast
import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.forms.comprehensions import collected
from concompare.cells.forms.independent import NUMBER, by_number, load
from concompare.cells.ir import OURS, Loop, Order, Stage
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.own_code import is_user_module

if TYPE_CHECKING:
    from concompare.cells.replay.binding import Lifted

OWN = OURS + "own_part"
ITEMS = OURS + "own_items"
PLAIN = (
    *(ast.Call, ast.Attribute, ast.Name, ast.Constant, ast.keyword, ast.List, ast.Tuple, ast.Dict, ast.Subscript),
    *(ast.Slice, ast.UnaryOp, ast.BinOp, ast.unaryop, ast.operator, ast.expr_context),
)
"""What a call may consist of."""


FUNCTIONS = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
"""What a call may name without that being one of its objects."""


@dataclass(frozen=True)
class Together:
    """Calls as one loop.

    Attributes:
        calls: The calls, one for each item.
        forms: What they are, with names for the parts that differ.
        loop: The loop over these parts.
        items: What it walks.
        given: The names that the statements give values.
    """

    calls: list[ast.Call]
    forms: list[ast.Call]
    loop: Loop
    items: list[tuple[Any, ...]]
    given: frozenset[str]

    def are_own(self, lifted: Lifted) -> bool:
        """Tell whether the calls, as a loop, change nothing but their objects, and do work."""
        staged = lifted.staged
        effects = staged.analysed.inside([*self.forms])
        heads = staged.items_change and all(staged.of(call) is Stage.HEAD for call in self.forms)
        calm = effects.order <= {Order.OUTPUT} and "process" not in effects.sees and not effects.globals & self.given
        return heads and calm and effects.heavy and lifted.ahead is None


@dataclass(frozen=True)
class Piece:
    """A call of the cell, the parts of it that are its own, and the call with names in the places of these."""

    call: ast.Call
    parts: list[Any]
    form: ast.Call

    @property
    def key(self) -> str:
        """Return what is the same for calls of one form."""
        return ast.dump(self.form)


def together(statements: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> Together | None:
    """Return the first of some statements as one loop over objects of the user's; None: fewer than two are such."""
    run = [*run_of(statements, namespace)]
    counts = Counter(name for call in run for name in objects_of(call, namespace))
    found: list[Piece] = []
    for call in run:
        alone = {name for name in objects_of(call, namespace) if counts[name] == 1}
        if not any(is_user_module(type(namespace[name]).__module__) for name in alone):
            break
        found.append(apart(call, alone, namespace))
    if len(found) < 2:
        return None
    calls = [piece.call for piece in found]
    forms, target = forms_of(found)
    place = calls[0]
    value = by_number(forms)
    loop = collected("calls", place, target, load(ITEMS, place), value, [], [])
    loop.lazy = True
    return Together(calls, forms, loop, items_of(found), frozenset(names.writes(*statements[: len(calls)])))


def run_of(statements: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> Iterator[ast.Call]:
    """Yield the calls of the first statements that consist of one, whose value gets names that none of them reads."""
    given: set[str] = set()
    for statement in statements:
        value = getattr(statement, "value", None)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        simple = isinstance(statement, (ast.Assign, ast.Expr)) and all(isinstance(part, ast.Name) for part in targets)
        if not simple or not isinstance(value, ast.Call):
            return
        read = names.reads(value)
        if not all(isinstance(part, PLAIN) for part in names.nodes_in(value)) or read & given:
            return
        if not read <= namespace.keys():
            return
        yield value
        given |= names.writes(statement)


def objects_of(call: ast.Call, namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of objects in a call, without functions, classes and modules, each once."""
    read = dict.fromkeys(part.id for part in names.nodes_in(call) if isinstance(part, ast.Name))
    return [name for name in read if not isinstance(namespace[name], FUNCTIONS)]


def apart(call: ast.Call, alone: set[str], namespace: Mapping[str, Any]) -> Piece:
    """Return a call apart at the objects that only it names and at its numbers."""
    parts: list[Any] = []

    def instead(node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.Name) and node.id in alone:
            parts.append(namespace[node.id])
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            parts.append(node.value)
        else:
            return None
        return located(ast.Name(OWN, ast.Load()), node)

    return Piece(call, parts, names.copied(call, instead))


def forms_of(found: Sequence[Piece]) -> tuple[list[ast.Call], ast.Tuple]:
    """Return the different forms of calls with a name for each part, and the target that binds those."""
    place = found[0].call
    target: list[ast.expr] = [located(ast.Name(NUMBER, ast.Store()), place)]

    def named(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.Name) or node.id != OWN:
            return None
        word = f"{OWN}{len(target)}"
        target.append(located(ast.Name(word, ast.Store()), node))
        return located(ast.Name(word, ast.Load()), node)

    different = {piece.key: piece.form for piece in reversed(found)}
    forms = [names.copied(different[key], named) for key in dict.fromkeys(piece.key for piece in found)]
    return forms, located(ast.Tuple(target, ast.Store()), place)


def items_of(found: Sequence[Piece]) -> list[tuple[Any, ...]]:
    """Return for each call the number of its form, and its parts at the places of that form."""
    widths = {piece.key: len(piece.parts) for piece in found}
    rows: list[tuple[Any, ...]] = []
    for piece in found:
        row: list[Any] = [[*widths].index(piece.key)]
        for key, width in widths.items():
            row += piece.parts if key == piece.key else [None] * width
        rows.append(tuple(row))
    return rows


def raising(error: BaseException, filename: str) -> Callable[[], None]:
    """Return what raises the error of a call in the place of that call, whose line is not that of the loop.

    Args:
        error: What the call raised.
        filename: Of the cell.
    """
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename != filename:
        place = place.tb_next
    inner = place.tb_next if place is not None else None

    def fail() -> None:
        raise error.with_traceback(inner)

    return fail
