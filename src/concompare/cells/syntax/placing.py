"""Positions of nodes that nobody wrote: those of the node around."""

from __future__ import annotations

import ast

from concompare.cells.syntax.names import Node, children_of, nodes_in

PLACED = "concompare_placed"
"""Where it is remembered of a node that it and all inside it have positions."""
PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")
START = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}


def all_placed(tree: ast.AST) -> None:
    """Remember that the nodes of a tree have positions, as Python has parsed it."""
    for node in nodes_in(tree):
        node.__dict__[PLACED] = True


def placed(tree: Node) -> Node:
    """Give each node without a position that of the node around it, as `ast.fix_missing_locations` does."""
    stack: list[tuple[ast.AST, dict[str, int]]] = [(tree, START)]
    while stack:
        node, around = stack.pop()
        known = node.__dict__
        if PLACED in known:
            continue
        if node._attributes:
            get = known.get
            if None in (get("lineno"), get("col_offset"), get("end_lineno"), get("end_col_offset")):
                for name in PLACE:
                    if get(name) is None:
                        known[name] = around[name]
            around = known
        stack += [(part, around) for part in children_of(node)]
    return tree
