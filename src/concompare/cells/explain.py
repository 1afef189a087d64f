"""What would happen to a cell, in words, without running anything."""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from concompare.cells import names
from concompare.cells.loops import RESULT
from concompare.cells.parts import MADE, REACH, STEP

if TYPE_CHECKING:
    from concompare.cells.bind import Program
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


def readable(program: Program) -> tuple[str, str]:
    """Return head and tail as the user could have written them: our names in words, our counting left out."""
    head, tail = copy.copy(program.head), program.tail()
    head.body = [returned(part) for part in head.body]
    texts = [source_without_steps([head]), source_without_steps(tail)]
    numbers = list(dict.fromkeys(re.findall(rf"{MADE}(\d+)", "\n".join(texts))))
    taken = {part.id for node in (head, *tail) for part in ast.walk(node) if isinstance(part, ast.Name)}
    word = next(
        word for word in ("value", "computed", "from_worker", MADE) if not any(name.startswith(word) for name in taken)
    )
    shown = {number: word if len(numbers) == 1 else f"{word}{place}" for place, number in enumerate(numbers, 1)}
    found, left = (re.sub(rf"{MADE}(\d+)", lambda name: shown[name[1]], text) for text in texts)
    return found, left


def source_without_steps(statements: Sequence[ast.AST]) -> str:
    """Return statements as source, without our own counting of where an iteration stands."""
    lines = "\n".join(ast.unparse(ast.fix_missing_locations(part)) for part in statements).splitlines()
    kept = [line for line in lines if not line.strip().startswith((f"{STEP} =", f"{REACH}("))]
    return "\n".join(kept).replace(RESULT, "results")


def returned(statement: ast.stmt) -> ast.stmt:
    """Return a statement of a head with what it gives back written plainly: `return value, {'w': w}`."""
    if isinstance(statement, ast.Return):
        value = statement.value
        parts = [named_choice(part) for part in (value.elts if isinstance(value, ast.Tuple) else [value]) if part]
        if len(parts) > 1 and isinstance(last := parts[-1], ast.Dict) and not last.keys:
            parts = parts[:-1]
        made = ast.Tuple(parts, ast.Load()) if isinstance(value, ast.Tuple) and len(parts) > 1 else None
        return ast.Return(made or (parts[0] if parts else None))
    if not isinstance(statement, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
        return statement
    made_block = copy.copy(statement)
    for field in ("body", "orelse", "finalbody"):
        if hasattr(made_block, field):
            setattr(made_block, field, [returned(part) for part in getattr(made_block, field)])
    return made_block


def named_choice(node: ast.expr) -> ast.expr:
    """Return our choice from `locals()` as a dict of the names it takes."""
    if not isinstance(node, ast.DictComp) or ast.unparse(node.generators[0].iter) != "locals().items()":
        return node
    chosen = node.generators[0].ifs[0]
    assert isinstance(chosen, ast.Compare)
    words = ast.literal_eval(chosen.comparators[0])
    return ast.Dict([ast.Constant(word) for word in words], [ast.Name(word, ast.Load()) for word in words])


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
