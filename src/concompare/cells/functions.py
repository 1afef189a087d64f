"""A cell that defines a function, with the items given by `--over`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells import known, names, walking
from concompare.cells.bind import compiled, run
from concompare.cells.parts import Reason, reason_of
from concompare.cells.purity import Analyzer
from concompare.cells.task import Task
from concompare.cells.values import ITEM, NOTHING, Value
from concompare.cells.world import MISSING, World
from concompare.errors import BadOption, CellRefused

if TYPE_CHECKING:
    from concompare.cells.lifting import Wishes

CALLED = "_concompare_item"


@dataclass
class LiftedFunction:
    """A function of a cell and the items it is called with."""

    kind: str
    name: str
    line: int
    source: str
    head_source: str
    tail_source: str
    notes: tuple[str, ...]
    hazards: tuple[str, ...]
    statements: list[ast.stmt]
    items: ast.Expression
    filename: str
    world: World

    def bind(self, namespace: MutableMapping[str, Any]) -> Task:
        """Run the cell, evaluate the items once, and return the task; finishing it returns the list of values."""
        assert isinstance(namespace, dict)
        run(self.statements, namespace, self.filename)
        function = namespace[self.name]
        items = eval(compiled(self.items, "<--over>", "eval", namespace), namespace)
        iter(items)
        if isinstance(items, (dict, set, frozenset)):
            items = list(items)
        values: list[Any] = []

        def apply(position: int, value: Any) -> bool:
            values.append(value)
            return False

        def finish(found: Mapping[str, Any]) -> list[Any]:
            return values

        count = walking.count_of(self.world, items)
        return Task(
            function=function,
            items=items,
            count=count,
            name=self.name,
            kind="function",
            source=self.source,
            head_source=self.head_source,
            tail_source="",
            line=self.line,
            temporaries=(),
            apply=apply,
            finish=finish,
        )

    def explanation(self, namespace: MutableMapping[str, Any]) -> str:
        """Return what would happen, without running anything."""
        from concompare.cells import explain

        return explain.explanation(self, namespace)


def lift_function(
    tree: ast.Module,
    source: str,
    namespace: MutableMapping[str, Any],
    over: str | None,
    function: str | None,
    wishes: Wishes,
) -> LiftedFunction:
    """Return a cell's function and its items, after following the function."""
    defined = {part.name: part for part in tree.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assigned = {name: part for part in tree.body if isinstance(part, ast.Assign) for name in names.writes(part)}
    if over is None:
        raise BadOption(f"--function {function}: give the items as well, with --over")
    items = parsed_items(over)
    name = function or next(reversed(defined or assigned), None)
    if name is None:
        raise CellRefused(
            "the cell defines no function to call with the items of --over.", tree.body[0].lineno if tree.body else None
        )
    known_here = name in defined or name in assigned or callable(namespace.get(name))
    if not known_here:
        words = ", ".join(sorted(defined)) or "none"
        raise BadOption(f"--function {name}: the cell defines no such function (it defines: {words})")
    world = World(namespace, tree.body, assume_pure=wishes.assume_pure)
    node = defined.get(name) or assigned.get(name)
    line = node.lineno if node is not None else wishes.first_line
    check(world, name, line, over_atoms(world, items), wishes)
    text = ast.unparse(node) if node is not None else name
    return LiftedFunction(
        kind="function",
        name=name,
        line=line,
        source=source,
        head_source=text,
        tail_source="",
        notes=tuple(world.notes),
        hazards=tuple(world.hazards),
        statements=tree.body,
        items=items,
        filename=wishes.filename,
        world=world,
    )


def parsed_items(over: str) -> ast.Expression:
    """Parse the items given with `--over`."""
    try:
        return ast.parse(over.strip(), "<--over>", mode="eval")
    except SyntaxError as error:
        raise BadOption(f"--over {over}: {error.msg}") from None


def over_atoms(world: World, items: ast.Expression) -> bool:
    """Tell whether nobody can change the items."""
    if isinstance(items.body, ast.Name):
        thing = world.object(items.body.id)
        return thing is not MISSING and known.all_atoms(thing)
    return (
        isinstance(items.body, ast.Call)
        and isinstance(items.body.func, ast.Name)
        and world.object(items.body.func.id) is range
    )


def check(world: World, name: str, line: int, atoms: bool, wishes: Wishes) -> None:
    """Refuse a function that changes anything outside itself, or its item."""
    call = ast.parse(f"{name}({CALLED})", mode="eval").body
    for part in names.nodes_in(call):
        ast.copy_location(part, ast.Constant(None, lineno=line, col_offset=0))
    item = NOTHING if atoms else Value(frozenset({ITEM}), frozenset({ITEM}))
    for effect in Analyzer(world, {CALLED: item}).look(call).effects:
        if effect.kind == "forbidden":
            raise CellRefused(f"`{effect.place}`: {effect.text}, so the items cannot run in parallel.", line)
        if effect.kind == "file":
            world.outside[(line, f"`{effect.place or name}` {effect.text}")] = None
        reason = reason_of(effect, world, seeded=wishes.seeded)
        if reason is not None:
            raise Reason(line, reason.text, reason.remedy).refusal()
