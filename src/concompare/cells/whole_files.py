"""Whole files as cells: scripts to be run, and what would become of the loops in a file that is not run."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from concompare.cells.explaining import Part, known_before, parts_of
from concompare.cells.forms import finding
from concompare.cells.inside.work import is_light
from concompare.cells.ir import Loop, Why
from concompare.cells.known_names import defined_apart, learn
from concompare.cells.program import Cell
from concompare.cells.replay import binding, compiling
from concompare.cells.replay.binding import Lifted
from concompare.cells.syntax import names
from concompare.cells.wishes import Wishes
from concompare.errors import CellRefused

MAIN = "__main__"
HANGS_ON_OBJECTS = frozenset({Why.OPAQUE, Why.ALIAS, Why.NAMES, Why.SLOW})
"""Reasons that may go when the objects are there."""


class WholeFile(Cell):
    """A script as a cell: only its loops are work, not a call that it ends with, nor calls that may run together."""

    def find(self) -> None:
        """Find the loops."""
        super().find()
        self.loops = [loop for loop in self.loops if loop.kind != "call"]

    def settle(self, namespace: Mapping[str, Any]) -> None:
        """Leave a call that the file ends with as it is."""

    def fixed(self) -> None:
        """Let no independent calls run together."""


@dataclass(frozen=True)
class Told:
    """What would become of one loop of a file.

    Attributes:
        line: Where it begins; `noun`: what it is; `function`: the function that it stands in, or nothing.
        refusal: Why it runs as it is, or None.
        known: Whether that can be told before the file runs.
        head: What would run in workers, as a function over the names that are known; None where there is none.
        draws: Whether that draws by pyplot.
        notes: What else there is to say, one sentence each.
        text: All of it in words.
    """

    line: int
    noun: str
    function: str
    refusal: CellRefused | None = None
    known: bool = True
    head: types.FunctionType | None = None
    draws: bool = False
    notes: tuple[str, ...] = ()
    text: str = ""

    @property
    def caption(self) -> str:
        """Return what to call it."""
        return f"{self.noun} at line {self.line}"


def without_futures(source: str, tree: ast.Module) -> str:
    """Return a script without its `from __future__ import` lines; what follows stands in the lines that it had."""
    lines = source.splitlines(keepends=True)
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
                lines[number] = "\n"
    return "".join(lines)


def explained(source: str, filename: str, namespace: dict[str, Any]) -> list[Told]:
    """Return what would become of every loop of a file, in its functions too, in the order of their lines.

    Args:
        source: The file, or a cell of a notebook.
        filename: Its name, by which its functions are found again.
        namespace: The names that are known before; gets those that are known after it.

    Raises:
        SyntaxError: It is not Python.
    """
    source = without_futures(source, ast.parse(source, filename))
    try:
        cell = WholeFile(source, Wishes(filename))
    except CellRefused as refusal:
        return [Told(refusal.line or 1, "the cell", "", refusal, text=str(refusal))]
    cell.tree.body = list(flattened(cell.tree.body))
    cell.find()
    if cell.whole is not None:
        return [Told(cell.whole.line or 1, "the cell", "", cell.whole, text=str(cell.whole))]
    known = known_before(cell, [], namespace)
    functions = list(defined_apart(cell.tree, known, filename))
    found = [told_of(part, known, filename) for part in parts_of(cell, namespace, functions) if part.loop is not None]
    found = list({(told.line, told.noun, told.function): told for told in found}.values())
    found += unseen(cell.tree, found, known)
    namespace.clear()
    namespace.update(known)
    return sorted(found, key=lambda told: told.line)


def fresh_names(filename: str) -> dict[str, Any]:
    """Return the names that a script has before its first line."""
    return {"__name__": MAIN, "__builtins__": builtins, "__file__": filename, "__doc__": None, "__spec__": None}


def told_of(part: Part, known: dict[str, Any], filename: str) -> Told:
    """Return what would become of a loop."""
    assert part.loop is not None
    loop, lifted = part.loop, part.found
    if isinstance(lifted, Lifted):
        head = compiling.head(lifted.made.head, dict(known), filename, lifted.loop.node)
        head.__name__ = part.function or loop.caption
        notes = (*lifted.notes, *[f"hazard: {text}" for text in lifted.hazards])
        return Told(loop.line, loop.noun, part.function, None, True, head, lifted.draws, notes, part.text)
    assert lifted is not None
    sure = lifted.lasting or (lifted.sure and not part.notes and lifted.code not in HANGS_ON_OBJECTS)
    notes = () if sure else part.notes
    return Told(loop.line, loop.noun, part.function, lifted, sure, notes=notes, text=part.text)


def flattened(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements as they run in a script, those under `if __name__ == "__main__":` and of imports tried too."""
    for statement in statements:
        if isinstance(statement, ast.If) and is_main_guard(statement.test):
            yield from flattened(statement.body)
        elif isinstance(statement, ast.Try) and all(isinstance(part, IMPORTS) for part in statement.body):
            yield from statement.body
        else:
            yield statement


IMPORTS = (ast.Import, ast.ImportFrom)


def is_main_guard(test: ast.expr) -> bool:
    """Tell whether a test asks for the module that was started."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = {ast.unparse(test.left), ast.unparse(test.comparators[0])}
    return sides == {"__name__", repr(MAIN)}


def unseen(tree: ast.Module, found: Sequence[Told], known: dict[str, Any]) -> Iterator[Told]:
    """Yield the loops in functions of a file that were not seen through: too little to do, or only running shows."""
    seen = {(told.line, told.noun) for told in found}
    top = types.FunctionType((lambda: None).__code__, known)
    for definition, name in definitions(tree.body):
        for loop in finding.loops_in(definition.body):
            if loop.kind == "call" or (loop.line, loop.noun) in seen:
                continue
            seen.add((loop.line, loop.noun))
            parts = [part for statement in loop.body for part in names.nodes_in(statement)]
            heavy = any(isinstance(part, ast.Call) and not is_light(part.func, top) for part in parts)
            refusal = only_running(loop, name) if heavy else binding.nothing(loop)
            yield Told(loop.line, loop.noun, name, refusal, known=not heavy, text=str(refusal))


def only_running(loop: Loop, name: str) -> CellRefused:
    """Return that the function around a loop is known only when it runs."""
    return CellRefused(f"what `{name}` does with it shows only when it runs.", loop.line, Why.OPAQUE)


def definitions(statements: Sequence[ast.AST], around: str = "") -> Iterator[tuple[Any, str]]:
    """Yield the functions that are defined in statements, those inside classes and functions too, with their names."""
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not isinstance(node, ast.ClassDef):
                yield node, f"{around}{node.name}"
            inner = f"{around}{node.name}." + ("" if isinstance(node, ast.ClassDef) else "<locals>.")
            yield from definitions(node.body, inner)
        else:
            yield from definitions(list(ast.iter_child_nodes(node)), around)


def sketched(source: str, name: str, path: str, module: types.ModuleType) -> None:
    """Give a module the names of a file that are known without running it."""
    known = vars(module)
    known.update(fresh_names(path), __name__=name)
    for statement in flattened(ast.parse(source, path).body):
        learn(statement, known, path)
