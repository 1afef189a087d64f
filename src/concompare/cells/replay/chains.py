"""Statements that make an object and go on with it, such as a model that is made and fitted, as one piece of work.

The pieces share no name that they assign and change nothing of the notebook, so they run together. None of what they do
can be seen before the last of their statements is done; where one of them raises, the statements run as they are.
"""

from __future__ import annotations

import ast
import types
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.ir import OURS, Analysed
from concompare.cells.objects import reachable
from concompare.cells.replay.compiling import compiled
from concompare.cells.syntax import names
from concompare.cells.syntax.definitions import remember
from concompare.cells.syntax.nodes import located

CHAIN, SHOWN = OURS + "chain", OURS + "shown"
CALM = (ast.Assign, ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.expr_context)
"""What a statement consists of that cannot raise."""


@dataclass
class Chain:
    """Statements that belong together.

    Attributes:
        stored: The names that they assign, in order.
        heavy: They may do work worth a worker.
        changes: They change an object that a statement before has made.
    """

    statements: list[ast.stmt] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    heavy: bool = False
    changes: bool = False


def chains_of(analysed: Analysed, statements: list[ast.stmt]) -> list[Chain]:
    """Return the first of some statements as chains that run together; none where that is not needed."""
    while len(statements) > 1:
        found = divided(analysed, statements)
        work = [chain for chain in found if chain.heavy]
        idle = [part for chain in found if not chain.heavy for part in chain.statements if not is_calm(part)]
        if not idle:
            return work if len(work) > 1 and any(chain.changes for chain in work) else []
        statements = statements[: min(statements.index(part) for part in idle)]
    return []


def divided(analysed: Analysed, statements: list[ast.stmt]) -> list[Chain]:
    """Return statements as chains, up to one that depends on several or does more than give names values."""
    found: list[Chain] = []
    owner: dict[str, Chain] = {}
    for statement in statements:
        stored = names.writes(statement)
        read = {part.id for part in names.nodes_in(statement) if isinstance(part, ast.Name)} - (
            stored if isinstance(statement, ast.Assign) and not exposed(statement) else set()
        )
        touched = {id(owner[name]): owner[name] for name in read | stored if name in owner}
        fresh = read & stored - owner.keys()
        assigned = owner.keys() | stored
        if len(touched) > 1 or fresh or not is_own(analysed, statement, assigned):
            break
        chain = next(iter(touched.values()), None)
        if chain is None:
            chain = Chain()
            found.append(chain)
        chain.statements.append(statement)
        chain.stored += [name for name in sorted(stored) if name not in chain.stored]
        chain.heavy = chain.heavy or analysed.inside([statement]).heavy
        chain.changes = chain.changes or changes_given(analysed, statement, assigned)
        owner.update(dict.fromkeys(stored, chain))
    return found


def exposed(statement: ast.stmt) -> set[str]:
    """Return the names that a statement reads before it assigns them."""
    return names.reads(statement) & names.writes(statement)


def is_own(analysed: Analysed, statement: ast.stmt, assigned: set[str]) -> bool:
    """Tell whether a statement changes only what it or the chain before it has made."""
    if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr)) or ast.Lambda in names.kinds_in(statement):
        return False
    effects = analysed.inside([statement])
    stored = names.writes(statement)
    if effects.doubts or effects.hazards or effects.order or "process" in effects.sees or effects.globals & assigned:
        return False
    return all(place.field in stored if place.obj is None else not place.obj.outer for place in effects.writes)


def changes_given(analysed: Analysed, statement: ast.stmt, assigned: set[str]) -> bool:
    """Tell whether a statement changes an object that it gets by a name which a statement before assigned."""
    loads = [part for part in names.nodes_in(statement) if isinstance(part, ast.Name) and part.id in assigned]
    given = set(reachable(obj for part in loads for obj in analysed.values.get(part, frozenset())))
    return any(place.obj in given for place in analysed.inside([statement]).writes if place.obj is not None)


def is_calm(statement: ast.stmt) -> bool:
    """Tell whether a statement cannot raise."""
    return all(isinstance(part, (*CALM, ast.stmt)) for part in names.nodes_in(statement)) and all(
        isinstance(part.ctx, ast.Store) for part in names.nodes_in(statement) if isinstance(part, ast.Name)
    )


def function_of(chain: Chain, number: int, namespace: dict[str, Any], shown: ast.stmt | None) -> str:
    """Put a function that does a chain's statements and returns what they assign into the notebook; returns its name.

    Args:
        chain: The chain.
        number: Its number.
        namespace: The notebook.
        shown: The expression whose value the cell shows, if it is one of the statements.
    """
    body: list[ast.stmt] = []
    for statement in chain.statements:
        if statement is shown and isinstance(statement, ast.Expr):
            target: ast.expr = located(ast.Name(SHOWN, ast.Store()), statement)
            body.append(located(ast.Assign([target], statement.value), statement))
            chain.stored.append(SHOWN)
        else:
            body.append(names.copied(statement))
    place = chain.statements[0]
    given: list[ast.expr] = [located(ast.Name(name, ast.Load()), place) for name in chain.stored]
    body.append(located(ast.Return(located(ast.Tuple(given, ast.Load()), place)), place))
    name = f"{CHAIN}{number}"
    none = ast.arguments([], [], None, [], [], None, [])
    module = ast.Module([located(ast.FunctionDef(name, none, body, []), place)], [])
    filename = f"<concompare {name} {id(module)}>"
    code = compiled(ast.fix_missing_locations(module), filename, "exec", namespace)
    remember(filename, module)
    inner = next(part for part in code.co_consts if isinstance(part, types.CodeType))
    namespace[name] = types.FunctionType(inner, namespace, name)
    return name
