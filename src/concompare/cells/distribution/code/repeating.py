"""Names to which another run of a head may give other values: what comes of the clock or of the system's dice."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from concompare.cells.distribution.staging import Staged
from concompare.cells.ir import Stage
from concompare.cells.syntax import names

UNREPEATABLE = frozenset({"random", "time"})
"""What code may see that is never the same again: random numbers that no seed explains, and time."""
JUMPS = frozenset({ast.Break, ast.Continue, ast.Return})


def unrepeatable(staged: Staged) -> set[str]:
    """Return the names whose values depend on what is never the same again, or which names get values at all."""
    found = staged.analysed.effects.items()
    sources = {node for node, effects in found if effects.sees & UNREPEATABLE and staged.of(node) is Stage.HEAD}
    if not sources:
        return set()
    drawn = {node for node in sources if "random" in staged.analysed.effects[node].sees}
    made = Tainting(sources, drawn)
    known = -1
    while known != len(made.names):  # an inner loop may read what a later statement of it has given a value
        known = len(made.names)
        made.block(staged.analysed.loop.body, under=False)
    return made.names


class Tainting:
    """Follows what comes of some nodes through names, branches and jumps; of time not through jumps.

    A loop that ends after some seconds ends there again: later is later. What it binds then need not be kept.
    """

    def __init__(self, sources: set[ast.AST], drawn: set[ast.AST]) -> None:
        self.sources, self.drawn = sources, drawn
        self.names: set[str] = set()
        self.random: set[str] = set()

    def block(self, statements: Sequence[ast.stmt], *, under: bool) -> None:
        """Follow statements; `under`: whether they run depends on it."""
        for node in statements:
            parts = [part for part in names.children_of(node) if not isinstance(part, ast.stmt)]
            inner = [part for part in names.children_of(node) if isinstance(part, ast.stmt)]
            whole = isinstance(node, (ast.Try, ast.TryStar, ast.Match)) or not inner
            heads = [node] if whole else parts
            touched = self.comes_of(heads, self.sources, self.names)
            if touched or under:
                self.names |= names.writes(node)
            if touched and self.drawn and self.comes_of(heads, self.drawn, self.random):
                self.random |= names.writes(node)
                under = under or not names.kinds_in(node).isdisjoint(JUMPS)
            if inner and not whole:
                self.block(inner, under=under or touched)

    def comes_of(self, nodes: Sequence[ast.AST], sources: set[ast.AST], known: set[str]) -> bool:
        """Tell whether something of nodes is one of the sources, or reads a name that comes of one."""
        return any(
            not (sources.isdisjoint(names.nodes_in(node)) and known.isdisjoint(names.facts_of(node).reads))
            for node in nodes
        )
