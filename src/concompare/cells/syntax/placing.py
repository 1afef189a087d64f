"""Positions of nodes that nobody wrote: those of the node around."""

from __future__ import annotations

import ast

from concompare.cells.syntax.names import Node, children_of

PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")
START = (1, 0, 1, 0)


def placed(tree: Node) -> Node:
    """Give each node without a position that of the node around it, as `ast.fix_missing_locations` does."""
    stack: list[tuple[ast.AST, tuple[int, ...]]] = [(tree, START)]
    while stack:
        node, around = stack.pop()
        if node._attributes:
            known = node.__dict__
            for name, value in zip(PLACE, around, strict=True):
                if known.get(name) is None:
                    known[name] = value
            around = (known["lineno"], known["col_offset"], known["end_lineno"], known["end_col_offset"])
        stack += [(part, around) for part in children_of(node)]
    return tree
