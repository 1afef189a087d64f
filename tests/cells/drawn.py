"""Draws cells of every kind, runs them both ways, and makes smaller those that end otherwise than the plain cell."""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol
from unittest import mock

from concompare.cells import worth
from tests.cells import carried, compiled, fronts, grammar, notebook, otherwise, plainly, richer, work_calls
from tests.cells.work_calls import CALLS, Tally

WAYS = ("threads", "processes")


class Writer(Protocol):
    """Writes cells."""

    def __init__(self, random: Random) -> None: ...

    def cell(self) -> str:
        """Return a cell."""


KINDS: dict[str, tuple[type[Writer], Callable[[str], str]]] = {
    "plain": (grammar.Writer, notebook.setup_of),
    "richer": (richer.Richer, notebook.setup_of),
    "fronts": (fronts.Writer, lambda cell: fronts.SETUP),
    "otherwise": (otherwise.Otherwise, otherwise.setup_of),
}
"""The kinds of cells: who writes them, and the notebook before one."""


def draw(kind: str, seed: str, number: int) -> str:
    """Return the cell of a number."""
    while True:
        cell = KINDS[kind][0](Random(f"{seed} {kind} {number}")).cell()
        if is_python(cell):
            return cell
        seed += "+"


def is_python(cell: str) -> bool:
    """Tell whether a cell has no syntax error."""
    try:
        compile(cell, "<cell>", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def wrong(cell: str, setup: str, tally: Tally | None = None) -> str | None:
    """Return what a cell leaves otherwise than the plain cell, or None; tallies its work calls."""
    with CALLS.at_most(work_calls.MOST):
        plain = plainly.run_plain(cell, setup)
    tally = tally or Tally()
    tally.generated += 1
    if plain.endless:
        tally.endless += 1
        return None
    lifted, bound = False, None
    for how in WAYS:
        with CALLS.counted() as made, mock.patch.object(worth, "WORTH", 0.0):  # what stands for work takes no time
            different, ran = compiled.differs(cell, setup, how, plain, seed=len(cell))
        if different:
            tally.wrong.add(cell)
            return f"{how}: {different}"
        if made.elsewhere and bound is None:
            bound = carried.carried(cell, setup)
        tally.take(made, bound or {})
        lifted = bool(ran.lifted)
    tally.generated_lifted += lifted
    return None


def smallest(cell: str, is_wrong: Callable[[str], Any]) -> str:
    """Return the smallest cell that is still wrong, as far as leaving out one part after the other leads."""
    smaller = True
    while smaller:
        smaller = False
        for other in less(cell):
            if is_python(other) and is_wrong(other):
                cell, smaller = other, True
                break
    return cell


def less(cell: str) -> Iterator[str]:
    """Yield cells with one part less, the largest part first."""
    tree = ast.parse(cell)
    places = [(node, name) for node in ast.walk(tree) for name, value in ast.iter_fields(node) if value]
    for place, (node, name) in enumerate(places):
        for change in changes_of(getattr(node, name)):
            made = copy.deepcopy(tree)
            inner = [(one, word) for one in ast.walk(made) for word, value in ast.iter_fields(one) if value]
            one, word = inner[place]
            setattr(one, word, change(getattr(one, word)))
            text = ast.unparse(ast.fix_missing_locations(made))
            if len(text) < len(ast.unparse(tree)):
                yield text


def changes_of(value: Any) -> Iterator[Callable[[Any], Any]]:
    """Yield what makes a field of a node smaller."""
    if isinstance(value, ast.expr):
        yield from changes_of_expression(value)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            if isinstance(part, ast.AST):
                yield from (in_place(place, change) for change in changes_in_list(part, alone=len(value) == 1))


def in_place(place: int, change: Callable[[Any], list[Any]]) -> Callable[[Any], Any]:
    """Return a change of a list by one of its parts."""
    return lambda held: [*held[:place], *change(held[place]), *held[place + 1 :]]


def changes_in_list(part: ast.AST, *, alone: bool) -> Iterator[Callable[[Any], list[Any]]]:
    """Yield what can stand in the place of one part of a list."""
    if not (alone and isinstance(part, ast.stmt)):
        yield lambda held: []
    for word in ("body", "orelse", "finalbody"):
        if isinstance(part, ast.stmt) and isinstance(getattr(part, word, None), list):
            yield operator.attrgetter(word)
    if isinstance(part, ast.expr):
        yield from (lambda held, how=change: [how(held)] for change in changes_of_expression(part))


def changes_of_expression(value: ast.expr) -> Iterator[Callable[[Any], Any]]:
    """Yield what can stand in the place of an expression."""
    if not isinstance(value, (ast.Constant, ast.Name)):
        yield lambda held: ast.Constant(1)
    for word, part in ast.iter_fields(value):
        for place, one in enumerate(part if isinstance(part, list) else [part]):
            if isinstance(one, ast.expr):
                yield part_at(word, place)


def part_at(name: str, place: int) -> Callable[[Any], Any]:
    """Return what gives one part of a field of a node."""

    def part(node: Any) -> Any:
        value = getattr(node, name)
        return value[place] if isinstance(value, list) else value

    return part
