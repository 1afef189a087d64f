"""What would happen to a cell, in words, without running anything."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from concompare.cells import names

if TYPE_CHECKING:
    from concompare.cells.functions import LiftedFunction
    from concompare.cells.lifting import Lifted


def explanation(lifted: Lifted | LiftedFunction, namespace: Mapping[str, Any]) -> str:
    """Return the head, the tail, the items and what the head captures, as text."""
    parts = [
        f"{lifted.kind} at line {lifted.line}: {lifted.name}",
        "",
        "runs in workers, for every item:",
        indented(lifted.head_source),
    ]
    if lifted.tail_source:
        parts += ["", "is replayed in the notebook, in item order:", indented(lifted.tail_source)]
    items = items_of(lifted)
    if items:
        parts += ["", f"items: {items}{size_of_items(items, namespace)}"]
    captured = captured_names(lifted, namespace)
    if captured:
        parts += ["", "taken along from the notebook:"]
        parts += [f"    {name}: {what}" for name, what in captured]
    parts += [f"note: {sentence}" for sentence in lifted.notes]
    parts += [f"hazard: {sentence}" for sentence in lifted.hazards]
    return "\n".join(parts)


def indented(text: str) -> str:
    """Return text set in by four spaces."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def items_of(lifted: Any) -> str:
    """Return the source of the items."""
    if hasattr(lifted, "items"):
        return ast.unparse(lifted.items)
    found = [ast.unparse(part) for part in lifted.program.loop.items]
    return found[0] if len(found) == 1 else f"zip({', '.join(found)})" if found else ""


def size_of_items(items: str, namespace: Mapping[str, Any]) -> str:
    """Return how many items there are, where a name of the notebook tells."""
    thing = namespace.get(items)
    return f" ({len(thing)} items)" if isinstance(thing, (list, tuple, set, dict, range)) else ""


def captured_names(lifted: Any, namespace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the notebook's names that the head reads, each with what it is."""
    tree = ast.parse(lifted.head_source)
    used = set().union(*[set(names.free_names(part)) for part in tree.body if isinstance(part, names.FUNCTIONS)])
    found = []
    for name in sorted(used):
        if name in namespace and name != "__builtins__":
            found.append((name, what_is(namespace[name])))
        elif name in lifted.world.definitions:
            found.append((name, "defined in the cell"))
    return found


def what_is(thing: Any) -> str:
    """Return the type and rough size of an object."""
    kind = type(thing).__name__
    if kind in ("module", "function", "type", "builtin_function_or_method"):
        return kind
    size = getattr(thing, "nbytes", None) or sys.getsizeof(thing, 0)
    length = f" of {len(thing)}" if isinstance(thing, (list, tuple, set, dict, str, bytes)) else ""
    return f"{kind}{length}, {size} bytes"
