"""What would happen to a cell, in words, without running anything."""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from concompare.cells import names
from concompare.cells.bind import ITEM_NAME, PLACE
from concompare.cells.loops import RESULT
from concompare.cells.parts import MADE, REACH, STEP

if TYPE_CHECKING:
    from concompare.cells.bind import Program
    from concompare.cells.functions import LiftedFunction
    from concompare.cells.lifting import Lifted


def explanation(lifted: Lifted | LiftedFunction, namespace: Mapping[str, Any]) -> str:
    """Return the head, the tail, the items and what the head captures, as text."""
    one = lifted.kind == "call"
    title = f"the {lifted.kind} at line {lifted.line}"
    parts = [
        title if lifted.name.startswith("the ") else f"{title}: {lifted.name}",
        "",
        "runs in a worker:" if one else "runs in workers, for every item:",
        indented(lifted.head_source),
    ]
    if lifted.tail_source:
        when = "then, in the notebook:" if one else "is replayed in the notebook, in item order:"
        parts += ["", when, indented(lifted.tail_source)]
    program = getattr(lifted, "program", None)
    if program is not None and program.loop.collects and not one and (follows := what_follows(program)):
        parts += ["", "then, in the notebook:", indented(follows)]
    left = sorted(set(program.parts.kept) - set(program.parts.needed)) if program is not None else []
    if left:
        parts += ["", f"the last item leaves in the notebook, as the plain loop does: {', '.join(left)}"]
    items = items_of(lifted)
    if items:
        parts += ["", f"items: {items}{size_of_items(items, namespace)}"]
    captured = captured_names(lifted, namespace)
    if captured:
        parts += ["", "taken along from the notebook:"]
        parts += [f"    {name}: {what}" for name, what in captured]
    parts += ["", *[f"note: {sentence}" for sentence in lifted.notes]] if lifted.notes else []
    parts += ["", *[f"hazard: {sentence}" for sentence in lifted.hazards]] if lifted.hazards else []
    return "\n".join(parts)


def what_follows(program: Program) -> str:
    """Return the statement of a comprehension with its collected values by name; "" where it only names them."""
    statement = first_after(program)
    if statement is None or is_only_named(program, statement):
        return ""
    shape = {"set": "set(results)", "dict": "dict(results)"}.get(program.loop.shape, "results")
    return re.sub(rf"\b{PLACE}\b", shape, ast.unparse(ast.fix_missing_locations(statement)))


def first_after(program: Program) -> ast.stmt | None:
    """Return the first statement after the loop."""
    if program.after:
        return program.after[0]
    return ast.Expr(program.last) if program.last is not None else None


def is_only_named(program: Program, statement: ast.stmt) -> bool:
    """Tell whether a statement is `name = [...]`, so that its name stands for the collected values."""
    if program.loop.shape != "list" or program.loop.lazy or not isinstance(statement, ast.Assign):
        return False
    value, target = statement.value, statement.targets[0]
    only = isinstance(value, ast.Name) and value.id == PLACE
    return only and len(statement.targets) == 1 and isinstance(target, ast.Name)


def readable(program: Program) -> tuple[str, str]:
    """Return head and tail as the user could have written them: our names in words, our counting left out."""
    head, tail = copy.copy(program.head), program.tail()
    head.body = [returned(part, named=bool(program.temporaries)) for part in head.body]
    one = program.loop.kind == "call"
    if one:
        head.args = ast.arguments([], [], None, [], [], None, [])
        tail = []
    texts = [source_without_steps([head]), source_without_steps(tail)]
    statement = first_after(program)
    if one and statement is not None:
        texts[1] = ast.unparse(ast.fix_missing_locations(statement)).replace(PLACE, "value")
    elif program.loop.collects and statement is not None and is_only_named(program, statement):
        assert isinstance(statement, ast.Assign)
        texts[1] = texts[1].replace("results.", f"{ast.unparse(statement.targets[0])}.")
    texts = [text.replace(ITEM_NAME, "item") for text in texts]
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
    kept = [line for line in kept if not re.fullmatch(rf"\s*{MADE}\d+\.reverse\(\)", line)]
    kept = [re.sub(rf"^(\s*.*?),? = ({MADE}\d+)\.pop\(\)$", r"\1 = \2.pop(0)", line) for line in kept]
    kept = [re.sub(rf"\.append\(\(({MADE}\d+),\)\)$", r".append(\1)", line) for line in kept]
    text = "\n".join(kept).replace(RESULT, "results")
    return text.removesuffix("\n    return")


def returned(statement: ast.stmt, *, named: bool, inside: bool = False) -> ast.stmt:
    """Return a statement of a head with what it gives back written plainly: `return value`.

    Args:
        statement: The statement.
        named: The head gives back the names to be left in the notebook too, which is said elsewhere.
        inside: It is inside a block, where an early end gives back what there is so far.
    """
    if isinstance(statement, ast.Return):
        value = statement.value
        if named and isinstance(value, ast.Tuple):
            value = value.elts[0]
        if isinstance(value, ast.DictComp) and ast.unparse(value.generators[0].iter) == "locals().items()":
            if inside:
                return ast.Return(None)
            chosen = value.generators[0].ifs[0]
            assert isinstance(chosen, ast.Compare)
            found: list[ast.expr] = [ast.Name(word, ast.Load()) for word in ast.literal_eval(chosen.comparators[0])]
            value = found[0] if len(found) == 1 else ast.Tuple(found, ast.Load()) if found else None
        return ast.Return(None if isinstance(value, ast.Constant) and value.value is None else value)
    if not isinstance(statement, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
        return statement
    block = copy.copy(statement)
    for field in ("body", "orelse", "finalbody"):
        if hasattr(block, field):
            parts = [returned(part, named=named, inside=True) for part in getattr(block, field)]
            setattr(block, field, parts)
    if isinstance(block, ast.Try):
        block.handlers = [copy.copy(handler) for handler in block.handlers]
        for handler in block.handlers:
            handler.body = [returned(part, named=named, inside=True) for part in handler.body]
    return block


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
    if kind in ("module", "function", "type"):
        return kind
    if callable(thing) and kind in ("_lru_cache_wrapper", "builtin_function_or_method", "partial", "method"):
        return "function"
    size = getattr(thing, "nbytes", None) or sys.getsizeof(thing, 0)
    length = f" of {len(thing)}" if isinstance(thing, (list, tuple, set, dict, str, bytes)) else ""
    return f"{kind}{length}, {size} bytes"
