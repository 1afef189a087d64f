"""Prints what the compiler says of golden cells, for one process to be compared with another."""

from __future__ import annotations

import ast

from tests.cells import compiled, test_golden


def said(cell: str) -> list[str]:
    """Return the reasons of a cell's loops, the notes, and the code of the stages."""
    if (refusal := compiled.refused_whole(cell)) is not None:
        return [f"refused: {refusal}"]
    left, ran = compiled.run_compiled(cell, test_golden.SETUP, "threads")
    found = [f"{part.refusal} {part.refusal.reasons}" for part in ran.refused]
    for lifted in ran.lifted:
        actions = [ast.unparse(statement) for action in lifted.made.actions for statement in action.code]
        found += [*lifted.notes, *lifted.hazards, *lifted.trusted, ast.unparse(lifted.made.head), *actions]
        found += [" ".join(lifted.made.kept), lifted.staying, str(sorted(lifted.made.gone))]
    return [*found, type(left.error).__name__]


if __name__ == "__main__":
    for name, cell in [*test_golden.LIFTED[::6], *test_golden.COULD[::2], *test_golden.REFUSED[::3]]:
        print(name, said(cell))
