"""The code of calls that workers make early: a generator of calls, which the head lets run."""

from __future__ import annotations

import ast

from concompare.cells.distribution.staging import Staged
from concompare.cells.ir import OURS
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

EARLY = OURS + "early"
"""The name of the function that makes the calls, and how the names of ours in them begin."""


def keys_of(call: ast.Call) -> list[ast.expr]:
    """Return the arguments of a call, by which its result is found."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def speculative(call: ast.Call, staged: Staged) -> ast.expr:
    """Return the expression that makes a call early, once for each turn of the loops around it."""
    found = staged.early[call]

    def copied(node: ast.expr) -> ast.expr:
        value = names.copied(node, found.instead.get)
        return value if isinstance(value, ast.expr) else node

    once = ast.Tuple([ast.Constant(None)], ast.Load())
    turns = [ast.comprehension(ast.Name(EARLY + "_turn", ast.Store()), once, [], 0)]
    for target, part in found.steps:
        if target is None:
            turns[-1].ifs.append(copied(part))
        else:
            turns.append(ast.comprehension(copied(target), copied(part), [], 0))
    keys = ast.Tuple([copied(part) for part in keys_of(found.call)] if found.targets else [], ast.Load())
    none = ast.arguments([], [], None, [], [], None, [])
    pair = ast.Tuple([keys, ast.Lambda(none, copied(found.call))], ast.Load())
    under = [ast.Lambda(none, copied(context)) for context in found.under]
    contexts: list[ast.expr] = [ast.Tuple([*under], ast.Load())] if under else []
    whole = ast.Call(ast.Name(EARLY, ast.Load()), [ast.GeneratorExp(pair, turns), *contexts], [])
    for node in ast.walk(whole):
        if not hasattr(node, "lineno"):
            located(node, call)
    analysed = staged.analysed
    analysed.order[whole] = analysed.order.get(call, 0)
    analysed.values[whole] = analysed.values.get(call, frozenset())
    return whole
